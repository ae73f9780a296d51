"""The Job that hashes a logged model's files."""

from typing import Any

from tests.unit.builders import DEFAULTS, UID, training_body, training_world

from fairlead.api.training_job import RunStatus
from fairlead.render.registering import render_registering_job
from fairlead.render.training import render_job

RUN = RunStatus(id="run-1", experiment_id="7")


def job(**spec: Any) -> dict[str, Any]:
    resource = training_world(training_body(**spec)).resource
    return render_registering_job(resource.meta, resource.spec, run=RUN, model_id="m-1", attempt=2, defaults=DEFAULTS)


def pod(**spec: Any) -> Any:
    return job(**spec)["spec"]["template"]["spec"]


def test_it_is_named_by_its_attempt_and_owned_by_uid() -> None:
    meta = job()["metadata"]
    assert (meta["name"], meta["namespace"]) == ("fit-2-register", "team")
    assert [(owner["kind"], owner["uid"]) for owner in meta["ownerReferences"]] == [("TrainingJob", UID)]
    assert meta["labels"]["fairlead.dev/trainingjob"] == "fit"


def test_its_labels_are_those_of_the_trainer_but_for_the_component() -> None:
    resource = training_world(training_body()).resource
    trainer = render_job(resource.meta, resource.spec, run=RUN, attempt=2, defaults=DEFAULTS)
    component = "app.kubernetes.io/component"
    for ours, theirs in ((job(), trainer), (job()["spec"]["template"], trainer["spec"]["template"])):
        mine = ours["metadata"]["labels"]
        assert mine[component] == "registering"
        assert {**mine, component: "training"} == theirs["metadata"]["labels"]


def test_it_runs_the_manifest_command_of_the_serving_image() -> None:
    (container,) = pod()["containers"]
    assert container["image"] == "example/serving:1"
    assert container["command"] == ["python", "-m", "fairlead_serving.manifest"]
    env = {item["name"]: item["value"] for item in container["env"]}
    assert env["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert (env["MODEL_ID"], env["RUN_ID"], env["LOAD_DEADLINE_SECONDS"]) == ("m-1", "run-1", "600")
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_it_writes_nothing_and_needs_little() -> None:
    (container,) = pod()["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["resources"]["limits"]["memory"] == "512Mi"
    assert not pod()["automountServiceAccountToken"]


def test_a_failed_pod_is_followed_by_two_more_and_one_that_the_cluster_takes_away_costs_nothing() -> None:
    spec = job()["spec"]
    assert (spec["backoffLimit"], pod()["restartPolicy"]) == (2, "Never")
    assert spec["podFailurePolicy"]["rules"] == [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    ]


def test_it_goes_where_the_trainer_went_without_taking_its_gpu_or_anything_that_was_given_to_its_code() -> None:
    found = pod(
        compute={"gpu": {"count": 2, "product": "H200"}, "resources": {"requests": {"cpu": 4}}, "sharedMemory": "8Gi"},
        nodeSelector={"pool": "a"},
        tolerations=[{"key": "team", "operator": "Exists"}],
        imagePullSecrets=[{"name": "pull"}],
        volumes=[{"name": "data", "emptyDir": {}}],
        serviceAccountName="trainer",
        runtimeClassName="nvidia",
    )
    assert found["nodeSelector"] == {"pool": "a"}
    assert [item["key"] for item in found["tolerations"]] == ["team", "nvidia.com/gpu"]
    assert found["imagePullSecrets"] == [{"name": "pull"}]
    assert "nvidia.com/gpu" not in found["containers"][0]["resources"]["limits"]
    assert not {"volumes", "serviceAccountName", "runtimeClassName"} & set(found)
    assert not found["automountServiceAccountToken"]


def test_the_user_s_labels_and_annotations_reach_it() -> None:
    template = job(podMetadata={"labels": {"net": "mlflow"}, "annotations": {"mesh": "off"}})["spec"]["template"]
    assert template["metadata"]["labels"]["net"] == "mlflow"
    assert template["metadata"]["annotations"] == {"mesh": "off"}
