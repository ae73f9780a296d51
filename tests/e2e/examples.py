"""The files under examples/ as the tests apply them: as they are, but for the name of the registered model."""

from pathlib import Path
from typing import Any

import yaml
from tests.e2e.registry import Mlflow, ask
from tests.e2e.world import World
from tests.load import LoadPlan

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def example(file: str, model: str) -> dict[str, Any]:
    """A file with one document, its model renamed: MLflow is shared by all tests."""
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / file).read_text())
    if found["kind"] == "TrainingJob":
        found["spec"]["register"]["model"] = model
    else:
        found["spec"]["model"]["name"] = model
    return found


def differing_rows(world: World, mlflow: Mlflow, name: str, run_id: str) -> list[str]:
    """Ask a Service about every held-out row of a run; the rows that are not answered as the model itself does.

    Raises AssertionError when the run holds out too few rows to show anything.
    """
    held_out = mlflow.artifact(run_id, "heldout.json")
    rows, own = held_out["rows"], held_out["predict"]
    assert len(rows) == len(own) > 100
    tensor = {"name": "input", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": rows}
    answer = ask(f"{world.url(name)}/v2/models/{name}/infer", {"inputs": [tensor]})
    served = next(item for item in answer["outputs"] if item["name"] == "predict")["data"]
    assert len(served) == len(own)
    return [
        f"row {row}: {got} for {want}" for row, (got, want) in enumerate(zip(served, own, strict=True)) if got != want
    ]


def infer_load(url: str, row: list[float], *, seconds: float = 300, rate: float = 10) -> LoadPlan:
    """One held-out row, over and over."""
    body = f'{{"inputs": [{{"name": "input", "shape": [1, {len(row)}], "datatype": "FP64", "data": {row}}}]}}'
    return LoadPlan(url=url, rate=rate, seconds=seconds, body=body, expect_body='"predict"')
