"""From a logged model to predictions, over a real MLflow: manifest, digest, outages."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.ensemble import RandomForestClassifier
from tests.apiserver.mlflow_server import Mlflow, mlflow_server
from tests.unit.serving.models import iris
from tests.unit.serving.servers import ROOT, faulty_proxy, server_process

pytestmark = [pytest.mark.process, pytest.mark.filterwarnings("ignore")]  # MLflow's own

FEATURES, LABELS = iris()
FOREST = RandomForestClassifier(10, random_state=0).fit(FEATURES, LABELS)


@dataclass(frozen=True)
class Registered:
    """A version in MLflow whose manifest is stored."""

    url: str
    run_id: str
    model_id: str
    digest: str
    files: Path
    manifest: Path

    def env(self, **more: str) -> dict[str, str]:
        """What a serving pod is told."""
        return {"MLFLOW_TRACKING_URI": self.url, "MODEL_NAME": "iris", "MODEL_VERSION": "1"} | more


def store_manifest(url: str, run_id: str, model_id: str, folder: Path) -> tuple[int, dict[str, Any]]:
    """Run the command of the registering pod; its exit code and last words."""
    words = folder / "last-words"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}/serving", "TERMINATION_LOG": str(words)}
    env |= {"MLFLOW_TRACKING_URI": url, "RUN_ID": run_id, "MODEL_ID": model_id, "LOAD_DEADLINE_SECONDS": "60"}
    command = [sys.executable, "-m", "fairlead_serving.manifest"]
    done = subprocess.run(command, env=env, cwd=folder, check=False, timeout=90, capture_output=True)
    return done.returncode, json.loads(words.read_text())


def register(mlflow_api: Mlflow, folder: Path) -> Registered:
    """Log and register a forest; every request of the manifest command fails the first time."""
    import mlflow.sklearn  # noqa: PLC0415 -- takes seconds, and only this module needs it

    mlflow.set_tracking_uri(mlflow_api.url)
    mlflow.set_experiment("iris")
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(
            FOREST,
            name="model",
            input_example=FEATURES[:2],
            skops_trusted_types=["sklearn.tree._tree.Tree"],
            pip_requirements=["scikit-learn"],
        )
    asked: Counter[str] = Counter()
    with faulty_proxy(mlflow_api.url, lambda request: asked.update([request]) or asked[request] == 1) as url:
        code, words = store_manifest(url, run.info.run_id, logged.model_id, folder)
    assert code == 0, words
    assert store_manifest(mlflow_api.url, run.info.run_id, logged.model_id, folder) == (0, words)
    assert any(request.startswith("PUT") for request in asked)
    mlflow_api.post("registered-models/create", name="iris")
    source = {"source": f"models:/{logged.model_id}", "run_id": run.info.run_id, "model_id": logged.model_id}
    mlflow_api.post("model-versions/create", name="iris", **source)
    artifacts = folder / "artifacts" / run.info.experiment_id
    return Registered(
        url=mlflow_api.url,
        run_id=run.info.run_id,
        model_id=logged.model_id,
        digest=words["digest"],
        files=artifacts / "models" / logged.model_id / "artifacts",
        manifest=artifacts / run.info.run_id / "artifacts" / "fairlead" / logged.model_id / "manifest.json",
    )


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    """A forest in a real MLflow. Tests put back what they change."""
    folder = tmp_path_factory.mktemp("mlflow")
    with mlflow_server(folder) as mlflow_api:
        yield register(mlflow_api, folder)


def test_the_manifest_lies_beside_the_run(registered: Registered) -> None:
    document = json.loads(registered.manifest.read_bytes())
    assert (document["schema"], document["model_id"]) == (1, registered.model_id)
    listed = {file["path"]: file["size"] for file in document["files"]}
    stored = [path for path in registered.files.rglob("*") if path.is_file()]
    assert listed == {path.relative_to(registered.files).as_posix(): path.stat().st_size for path in stored}


def test_a_forest_that_is_as_registered_answers_as_it_did_before(registered: Registered, tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    with faulty_proxy(registered.url, lambda request: asked.update([request]) or asked[request] == 1) as url:
        env = registered.env(MODEL_DIGEST=registered.digest, MODEL_DIR=str(tmp_path / "model"), DRAIN_DELAY_SECONDS="0")
        with server_process(tmp_path, **env | {"MLFLOW_TRACKING_URI": url}) as server:
            server.read_until("ready")
            body = {"dataframe_split": FEATURES.to_dict(orient="split")}
            answer = httpx.post(f"{server.url}/invocations", json=body, timeout=30)
            about = httpx.get(f"{server.url}/v2/models/iris", timeout=30).json()["parameters"]
            server.terminate()
            assert server.exit_code() == 0
    assert answer.json() == {"predictions": FOREST.predict(FEATURES).tolist()}
    assert (about["digest"], about["verified"]) == (registered.digest, "true")


def end_of(registered: Registered, tmp_path: Path, **env: str) -> tuple[int, dict[str, Any]]:
    """Exit code and last words of a server that cannot load its model."""
    given = registered.env(MODEL_DIGEST=registered.digest, MODEL_DIR=str(tmp_path / "model"))
    with server_process(tmp_path, **given | env) as server:
        code = server.exit_code()
    return code, json.loads((tmp_path / "last-words").read_text())


def test_a_file_that_changed_in_the_store_is_refused_by_name(registered: Registered, tmp_path: Path) -> None:
    file = registered.files / "model.skops"
    content = file.read_bytes()
    try:
        file.write_bytes(content[:-1] + b"x")
        code, words = end_of(registered, tmp_path)
    finally:
        file.write_bytes(content)
    assert (code, words["reason"]) == (3, "DigestMismatch")
    assert words["message"].startswith("model.skops: expected sha256 ")


def test_a_manifest_that_is_gone_or_changed_lets_nothing_else_in(registered: Registered, tmp_path: Path) -> None:
    content = registered.manifest.read_bytes()
    extra = registered.files / "extra.py"
    try:
        registered.manifest.write_bytes(b"{}")
        changed = end_of(registered, tmp_path)
        registered.manifest.unlink()
        extra.write_text("")
        gone = end_of(registered, tmp_path)
    finally:
        extra.unlink(missing_ok=True)
        registered.manifest.write_bytes(content)
    assert [code for code, _ in (changed, gone)] == [3, 3]
    assert [words["reason"] for _, words in (changed, gone)] == ["DigestMismatch"] * 2
    assert gone[1]["message"].startswith(f"all files of the version: expected digest {registered.digest}")
