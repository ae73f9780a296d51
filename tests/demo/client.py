"""Runs inside a pod of the cluster, with the standard library alone: asks the served model about every held-out row.

`python client.py REGISTRY RUN_ID SERVICE MODEL` prints one JSON object: the held-out rows as the trainer logged them,
with the model's own answers, and what the Service answered to each.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 10


def fetch(url: str, body: Any = None) -> Any:
    """The JSON of one answer; a URLError or HTTPError when there is none."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)


def held_out(registry: str, run_id: str) -> Any:
    """The artifact heldout.json of the training run."""
    run = fetch(f"{registry}/api/2.0/mlflow/runs/get?run_id={run_id}")["run"]
    path = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    return fetch(f"{registry}/api/2.0/mlflow-artifacts/artifacts/{path}/heldout.json")


def ask(service: str, model: str, row: list[float]) -> dict[str, Any]:
    """One row through the Service; `error` instead of an answer when it fails. Nothing is retried."""
    body = {"inputs": [{"name": "rows", "shape": [1, len(row)], "datatype": "FP64", "data": row}]}
    started = time.monotonic()
    try:
        answer = fetch(f"{service}/v2/models/{model}/infer", body)
    except urllib.error.HTTPError as error:
        return {"error": f"{error.code} {error.read(300).decode('utf-8', 'replace')}"}
    except (OSError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    return {
        "predict": outputs["predict"][0],
        "probabilities": outputs["probabilities"],
        "version": answer.get("model_version", ""),
        "seconds": time.monotonic() - started,
    }


def main() -> None:
    """Print what was asked and what was answered."""
    registry, run_id, service, model = sys.argv[1:5]
    rows = held_out(registry, run_id)
    answers = [ask(service, model, row) for row in rows["rows"]]
    print(json.dumps({**rows, "answers": answers}))


if __name__ == "__main__":
    main()
