"""Users of the served model: real rows at a fixed rate, from the load generator, nothing tried again."""

import json
from collections.abc import Sequence
from typing import Any

import httpx

from tests.demo.progress import DemoError
from tests.load import LoadPlan, LoadReport

RATE = 40.0
LONGEST_SECONDS = 1800.0
"""More than the demo takes: it is stopped, and a plan that runs out beforehand is an error."""
TIMEOUT_SECONDS = 10.0


def plan_users(url: str, model: str, rows: Sequence[Sequence[float]]) -> LoadPlan:
    """Each of the rows in turn, as a request of the Open Inference Protocol for one prediction."""
    return LoadPlan(
        url=f"{url}/v2/models/{model}/infer",
        rate=RATE,
        seconds=LONGEST_SECONDS,
        bodies=tuple(json.dumps({"inputs": [_tensor(row)]}) for row in rows),
        expect_fields={"model_name": model},
        keepalive_connections=16,
    )


def _tensor(row: Sequence[float]) -> dict[str, Any]:
    return {"name": "rows", "shape": [1, len(row)], "datatype": "FP64", "data": list(row)}


def count_users(report: LoadReport) -> str:
    """How they fared, in a line. Raises DemoError when one of them was not answered."""
    text = f"{report.sent} requests at {RATE:g}/s, {report.failed} failed"
    if report.failed or not report.sent:
        raise DemoError(f"users: expected every request answered, got {text}\n{report.describe()}")
    waited = f", p99 {report.latency.p99_seconds * 1000:.0f} ms" if report.latency else ""
    return text + waited + (f", {report.unsent} could not be sent" if report.unsent else "")


class Mlflow:
    """What the demo asks MLflow for, from this machine."""

    def __init__(self, url: str) -> None:
        self._url = url

    def held_out_rows(self, run_id: str) -> list[list[float]]:
        """The rows that a training run logged in heldout.json."""
        run = self._get("api/2.0/mlflow/runs/get", run_id=run_id)["run"]
        path = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
        rows: list[list[float]] = self._get(f"api/2.0/mlflow-artifacts/artifacts/{path}/heldout.json")["rows"]
        return rows

    def version_of_alias(self, model: str, alias: str) -> str:
        """The version that an alias points at; empty when there is no such alias."""
        try:
            found = self._get("api/2.0/mlflow/registered-models/alias", name=model, alias=alias)
        except DemoError:
            return ""
        return str(found["model_version"]["version"])

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        try:
            answer = httpx.get(f"{self._url}/{path}", params=query, timeout=TIMEOUT_SECONDS, trust_env=False)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise DemoError(f"MLflow: expected an answer from {self._url}/{path}, got {error}") from error
        body: dict[str, Any] = answer.json()
        return body
