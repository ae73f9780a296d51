"""The Job of one attempt."""

import json
from dataclasses import replace
from typing import Any

from tests.unit.builders import DEFAULTS, UID, training_body, training_world

from fairlead.api.training_job import RunStatus
from fairlead.render.training import render_job

RUN = RunStatus(id="run-1", experiment_id="7")


def job(**spec: Any) -> dict[str, Any]:
    resource = training_world(training_body(**spec)).resource
    return render_job(resource.meta, resource.spec, run=RUN, attempt=2, defaults=DEFAULTS)


def test_a_job_is_named_by_its_attempt_and_owned_by_uid() -> None:
    meta = job()["metadata"]
    assert (meta["name"], meta["namespace"]) == ("fit-2", "team")
    assert [(owner["kind"], owner["uid"]) for owner in meta["ownerReferences"]] == [("TrainingJob", UID)]
    assert meta["labels"]["fairlead.dev/trainingjob"] == "fit"
    assert meta["labels"]["fairlead.dev/attempt"] == "2"


def test_a_trainer_is_never_restarted_and_a_pod_that_the_cluster_takes_away_costs_nothing() -> None:
    spec = job()["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["podFailurePolicy"]["rules"] == [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    ]


def test_the_contract_with_the_container_is_in_its_variables() -> None:
    (container,) = job(params={"b": "2", "a": "1"})["spec"]["template"]["spec"]["containers"]
    env = {item["name"]: item["value"] for item in container["env"]}
    assert env["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert (env["MLFLOW_RUN_ID"], env["MLFLOW_EXPERIMENT_ID"], env["ATTEMPT"]) == ("run-1", "7", "2")
    assert json.loads(env["FAIRLEAD_PARAMS"]) == {"a": "1", "b": "2"}
    assert container["name"] == "trainer"


def test_a_parameter_that_looks_like_a_variable_reaches_the_trainer_as_it_is_written() -> None:
    (container,) = job(params={"a": "$(MLFLOW_RUN_ID) $$ $"})["spec"]["template"]["spec"]["containers"]
    env = {item["name"]: item["value"] for item in container["env"]}
    assert json.loads(env["FAIRLEAD_PARAMS"].replace("$$", "$")) == {"a": "$(MLFLOW_RUN_ID) $$ $"}
    assert "$(" not in env["FAIRLEAD_PARAMS"].replace("$$", "")


def test_params_that_are_absent_are_an_empty_object() -> None:
    (container,) = job()["spec"]["template"]["spec"]["containers"]
    assert {"name": "FAIRLEAD_PARAMS", "value": "{}"} in container["env"]


def test_gpu_and_shared_memory_reach_the_pod() -> None:
    compute = {"gpu": {"count": 2}, "sharedMemory": "8Gi", "resources": {"requests": {"cpu": 4}}}
    pod = job(compute=compute)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"] == {"requests": {"cpu": 4}, "limits": {"nvidia.com/gpu": "2"}}
    assert container["volumeMounts"] == [{"name": "shared-memory", "mountPath": "/dev/shm"}]
    assert pod["volumes"] == [{"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}]
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"


def test_without_them_there_is_no_volume() -> None:
    assert "volumes" not in job()["spec"]["template"]["spec"]


def test_pods_are_spread_among_those_of_the_same_attempt() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    (found,) = job(topologySpread=[spread])["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert found["labelSelector"]["matchLabels"] == {"fairlead.dev/trainingjob": "fit", "fairlead.dev/attempt": "2"}


def test_a_trainer_gets_the_credentials_of_the_registry() -> None:
    resource = training_world(training_body()).resource
    secured = replace(DEFAULTS, registry_pod_secret="mlflow")
    rendered = render_job(resource.meta, resource.spec, run=RUN, attempt=1, defaults=secured)
    (container,) = rendered["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "mlflow"}}]
