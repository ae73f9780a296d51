"""MLflow as the end-to-end tests see it: the real server, asked over its REST API."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

TIMEOUT_SECONDS = 10


def ask(url: str, body: Mapping[str, Any] | None = None, method: str | None = None) -> Any:
    """The JSON of one answer: GET, or POST with a body. Raises URLError, or HTTPError for another code than 2xx."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.loads(answer.read())


def pairs(items: Any) -> dict[str, Any]:
    """MLflow's lists of keys and values as a mapping."""
    return {item["key"]: item["value"] for item in items or ()}


@dataclass(frozen=True)
class Mlflow:
    """One MLflow server."""

    url: str

    def get(self, path: str, **query: str) -> Any:
        """`GET /api/2.0/mlflow/PATH?QUERY`."""
        text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        return ask(f"{self.url}/api/2.0/mlflow/{path}?{text}")

    def post(self, path: str, **body: Any) -> Any:
        """`POST /api/2.0/mlflow/PATH`."""
        return ask(f"{self.url}/api/2.0/mlflow/{path}", body)

    def answers(self) -> bool:
        """Whether anyone is there."""
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2):
                return True
        except OSError:
            return False

    def run(self, run_id: str) -> dict[str, Any]:
        """The run: info, data."""
        found = self.get("runs/get", run_id=run_id)["run"]
        return dict(found)

    def runs_of(self, experiment_id: str, uid: str) -> list[dict[str, Any]]:
        """Every run that carries a TrainingJob's UID."""
        wanted = f"tags.`fairlead.trainingjob.uid` = '{uid}'"
        found = self.post("runs/search", experiment_ids=[experiment_id], filter=wanted, max_results=50)
        return list(found.get("runs", ()))

    def versions(self, model: str) -> list[dict[str, Any]]:
        """Every version of a model, newest first; none when there is no such model."""
        found = self.get("model-versions/search", filter=f"name = '{model}'", max_results="50")
        return list(found.get("model_versions", ()))

    def version(self, model: str, version: str) -> dict[str, Any]:
        """One version."""
        return dict(self.get("model-versions/get", name=model, version=version)["model_version"])

    def aliases(self, model: str) -> dict[str, str]:
        """Alias -> version."""
        found = self.get("registered-models/get", name=model)["registered_model"]
        return {item["alias"]: item["version"] for item in found.get("aliases", ())}

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Move an alias by hand, as a person does in MLflow's own pages."""
        self.post("registered-models/alias", name=model, alias=alias, version=version)

    def register_again(self, model: str, version: str) -> str:
        """Register the files of a version once more, by hand and without tags; the new version."""
        old = self.version(model, version)
        model_id = old["source"].rpartition("/")[2] if old["source"].startswith("models:/") else old["model_id"]
        made = self.post(
            "model-versions/create", name=model, source=old["source"], run_id=old["run_id"], model_id=model_id
        )
        return str(made["model_version"]["version"])

    def forget(self, model: str) -> None:
        """Delete a registered model with its versions and aliases, if there is one."""
        try:
            ask(f"{self.url}/api/2.0/mlflow/registered-models/delete", {"name": model}, method="DELETE")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise

    def artifact(self, run_id: str, name: str) -> Any:
        """A JSON artifact of a run."""
        folder = self.run(run_id)["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
        return ask(f"{self.url}/api/2.0/mlflow-artifacts/artifacts/{folder}/{name}")
