"""What a scenario leaves behind in a namespace and in MLflow, without what differs from one run to the next."""

import json
import re
from typing import Any

from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects

from fairlead.api.kinds import BY_KIND

KINDS = (
    "ModelDeployment",
    "TrainingJob",
    "ControllerRevision",
    "Deployment",
    "Service",
    "Job",
    "ServiceAccount",
    "RoleBinding",
    "PodDisruptionBudget",
)
_IDENTITY = {"uid", "resourceVersion", "namespace", "clusterIP", "clusterIPs", "fairlead.dev/applied", "managedFields"}
_TIMES = {"creationTimestamp", "since", "startTime", "completionTime", "lastTransitionTime", "lastUpdateTime"}
_CLOCKS = {"endTime", "runningSince", "runningSeconds", "pendingSince"}
_MLFLOW = {"experimentId", "experiment_id", "creation_timestamp", "last_updated_timestamp"}
_DROPPED = _IDENTITY | _TIMES | _CLOCKS | _MLFLOW | {"epoch"}
_HEX_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RAN_FOR = re.compile(r"\bran for [0-9hms]+")
"""In a message about a deadline: as long as the test took, to the second."""
_HEX_RUN = re.compile(r"\b(m-)?[0-9a-f]{32}\b")


def end_state(objects: Objects, mlflow: Mlflow | None = None) -> dict[str, Any]:
    """Every object that lasts, by kind and name; with `mlflow` also the namespace's runs and the model of its name."""
    found: dict[str, Any] = {
        f"{kind}/{item['metadata']['name']}": _stripped(item) for kind in KINDS for item in objects.every(kind)
    }
    if mlflow:
        found["runs"] = [_stripped(_run(item)) for item in mlflow.runs(f"fairlead/{objects.namespace}")]
        found["versions"] = [_stripped(item) for item in mlflow.versions(objects.namespace)]
        found["aliases"] = mlflow.aliases(objects.namespace)
    text = json.dumps(found, sort_keys=True).replace(objects.namespace, "NAMESPACE")
    text = _RAN_FOR.sub("ran for TIME", _HEX_RUN.sub("ID", _HEX_UID.sub("UID", text)))
    return dict(json.loads(re.sub(r"/experiments/\d+", "/experiments/N", text)))


def _run(item: dict[str, Any]) -> dict[str, Any]:
    tags = {tag["key"]: tag["value"] for tag in item["data"].get("tags", ())}
    ours = {key: value for key, value in tags.items() if not key.startswith("mlflow.")}
    return {"status": item["info"]["status"], "name": item["info"]["run_name"], "tags": ours}


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items() if key not in _DROPPED}
    if isinstance(value, list):
        # The number of an experiment in a trainer's environment.
        kept = (item for item in value if not (isinstance(item, dict) and item.get("name") == "MLFLOW_EXPERIMENT_ID"))
        return [_stripped(item) for item in kept]
    return value


def events(objects: Objects) -> list[tuple[str, str]]:
    """(name of the object, reason) of every event that the operator has written in the namespace, sorted."""
    found = objects.api.get(BY_KIND["Event"].path(objects.namespace)).raise_for_status().json()["items"]
    ours = [item for item in found if item["source"].get("component") == "fairlead"]
    return sorted((item["involvedObject"]["name"], item["reason"]) for item in ours)
