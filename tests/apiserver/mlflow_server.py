"""A real MLflow server as a process, and the trainer's side of it: logging a model in a run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from tests.apiserver.objects import eventually
from tests.apiserver.plain_http import NO_TLS, ask
from tests.cluster.masters import free_ports
from tests.cluster.paths import REPOSITORY, cache_dir, locked
from tests.cluster.progress import last_lines, run, step

LOCK = REPOSITORY / "requirements" / "mlflow.txt"
START_SECONDS = 90.0
"""12 to 21 s were seen, half of it imports."""


class Mlflow:
    """MLflow's REST API as a trainer or a curious user calls it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/api/2.0/mlflow/", timeout=30, verify=NO_TLS, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """The answer to a GET; HTTPStatusError with MLflow's words."""
        return _answer(self._http.get(path, params=params))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """The answer to a POST; HTTPStatusError with MLflow's words."""
        return _answer(self._http.post(path, json=body))

    def delete(self, path: str, **body: Any) -> dict[str, Any]:
        """The answer to a DELETE; HTTPStatusError with MLflow's words."""
        return _answer(self._http.request("DELETE", path, json=body))

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """All runs of an experiment, by its name; none when it does not exist."""
        found = self._http.get("experiments/get-by-name", params={"experiment_name": experiment})
        if found.status_code == 404:
            return []
        number = _answer(found)["experiment"]["experiment_id"]
        return list(self.post("runs/search", experiment_ids=[number]).get("runs", ()))

    def versions(self, model: str) -> list[dict[str, Any]]:
        """All versions of a registered model."""
        return list(self.get("model-versions/search", filter=f"name = '{model}'").get("model_versions", ()))

    def aliases(self, model: str) -> dict[str, str]:
        """The aliases of a registered model and the versions they point at; empty when there is no such model."""
        found = self._http.get("registered-models/get", params={"name": model})
        if found.status_code == 404:
            return {}
        return {item["alias"]: item["version"] for item in _answer(found)["registered_model"].get("aliases", ())}

    def log_model(self, run_id: str) -> str:
        """What `mlflow.sklearn.log_model` leaves behind in a run, but for the files; the model's id."""
        experiment = self.get("runs/get", run_id=run_id)["run"]["info"]["experiment_id"]
        made = self.post("logged-models", experiment_id=experiment, name="model", source_run_id=run_id)
        model_id = str(made["model"]["info"]["model_id"])
        ready = {"model_id": model_id, "status": "LOGGED_MODEL_READY"}
        _answer(self._http.patch(f"logged-models/{model_id}", json=ready))
        return model_id

    def log_metrics(self, run_id: str, **metrics: float | str) -> None:
        """What `mlflow.log_metrics` leaves behind in a run; "NaN" and "Infinity" are text in JSON."""
        for key, value in metrics.items():
            self.post("runs/log-metric", run_id=run_id, key=key, value=value, timestamp=1)

    def register(self, model: str, alias: str) -> str:
        """A registered model with one version behind an alias, without a TrainingJob; the version."""
        experiment = self.post("experiments/create", name=f"by-hand/{model}")["experiment_id"]
        run_id = self.post("runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
        model_id = self.log_model(run_id)
        self.post("registered-models/create", name=model)
        source = {"source": f"models:/{model_id}", "run_id": run_id, "model_id": model_id}
        version = str(self.post("model-versions/create", name=model, **source)["model_version"]["version"])
        self.post("registered-models/alias", name=model, alias=alias, version=version)
        return version


def _answer(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise httpx.HTTPStatusError(response.text[:1000], request=response.request, response=response)
    body: dict[str, Any] = response.json()
    return body


def ensure_venv() -> Path:
    """The folder of MLflow's own virtual environment, made from its lock file when the cache has none."""
    folder = cache_dir() / f"mlflow-{sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    with locked(folder.name):
        if not (folder / ".ready").exists():
            with step("MLflow's Python packages into the cache"):
                uv = [sys.executable, "-m", "uv"]
                run(
                    [*uv, "venv", "-q", "--allow-existing", "--python", sys.executable, folder],
                    what="uv venv for MLflow",
                )
                install = [*uv, "pip", "install", "-q", "--python", folder / "bin" / "python"]
                run([*install, "--require-hashes", "-r", LOCK], what="installing MLflow")
                (folder / ".ready").touch()
    return folder


@contextmanager
def mlflow_server(folder: Path) -> Iterator[Mlflow]:
    """`mlflow server` on a free loopback port with sqlite in `folder`, as the example platform runs it."""
    python, port = ensure_venv() / "bin" / "python", free_ports(1)[0]
    log = folder / "mlflow.log"
    command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--serve-artifacts"]
    command += ["--artifacts-destination", folder / "artifacts", "--allowed-hosts", "127.0.0.1:*"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "GIT_PYTHON_REFRESH": "quiet"}
    with log.open("wb") as sink:
        # A process group of its own: the server starts its worker as another process.
        process = subprocess.Popen(
            [str(part) for part in command], env=environment, cwd=folder, stdout=sink, stderr=sink, process_group=0
        )
    server = Mlflow(f"http://127.0.0.1:{port}")
    try:
        with step("MLflow answers"):
            eventually(
                "MLflow answers", lambda: _healthy(process, server.url, log), seconds=START_SECONDS, shows=log.read_text
            )
        yield server
    finally:
        server.close()
        os.killpg(process.pid, 9)
        process.wait()


def _healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    if process.poll() is not None:
        raise AssertionError(f"mlflow server ended with {process.returncode}; {last_lines(log)}")
    return ask(f"{url}/health") is not None
