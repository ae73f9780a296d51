"""Hostile objects that the API server has to let in, with the operator running: each is inert, and says why.

Each test names the class of attack that only it covers. All share one namespace and one operator, which has to live
through all of them without a single reconcile that fails for a reason of ours.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.apiserver.controllers import Controllers, exited
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects, conditions, eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.plain_http import ask
from tests.cluster import ControlPlane, mark
from tests.cluster.progress import pause

from fairlead.api.kinds import BY_KIND
from fairlead.api.names import LABEL_MODEL_DEPLOYMENT, LABEL_REVISION, revision_name
from fairlead.api.resource import parse_model_deployment
from fairlead.core.compare import digest_of
from fairlead.render.serving import revision_inputs

SHOWN_SECONDS = 10.0
IMAGE = "registry.example/web:1"
NEXT_IMAGE = "registry.example/web:2"
ALLOWED = {"images": ["registry.example/*"], "secrets": ["web*"], "serviceAccounts": ["web*"]}


@pytest.fixture(scope="module")
def objects(api: httpx.Client, crds: None) -> Objects:
    """The namespace in which all of it happens."""
    name = f"hostile-{uuid4().hex[:8]}"
    api.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
    return Objects(api, name)


@pytest.fixture(scope="module", autouse=True)
def operator(
    control_plane: ControlPlane, objects: Objects, mlflow: Mlflow, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """The one operator; at the end it is alive and well, and has stumbled over nothing."""
    settings = {"watchNamespaces": [objects.namespace], "registry": {"url": mlflow.url}, "allowed": ALLOWED}
    folder = tmp_path_factory.mktemp("operator")
    process = OperatorProcess.start(
        control_plane, folder, user="operator-h", namespace=objects.namespace, settings=settings
    )
    try:
        eventually("it leads", lambda: process.leading, seconds=10)
        yield process
        assert ask(f"http://127.0.0.1:{process.port}/healthz") is not None
        said = process.log.read_text()
        assert "reconcile failed" not in said, said[-3000:]
        assert "Throttling" not in said, said[-3000:]
    finally:
        process.kill()
    for plural in ("modeldeployments", "trainingjobs"):
        objects.api.delete(f"/apis/fairlead.dev/v1alpha1/namespaces/{objects.namespace}/{plural}").raise_for_status()


@pytest.fixture
def controllers(objects: Objects) -> Controllers:
    """Plays Kubernetes' controllers."""
    return Controllers(objects)


@pytest.fixture
def name() -> str:
    """A name of the test's own."""
    return f"x{uuid4().hex[:8]}"


def serving(name: str, *, meta: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A ModelDeployment of one container."""
    container = {"image": IMAGE, **spec.pop("container", {})}
    return {
        "kind": "ModelDeployment",
        "metadata": {"name": name, **(meta or {})},
        "spec": {"container": container, **spec},
    }


def training(name: str, model: str, **spec: Any) -> dict[str, Any]:
    """A TrainingJob that registers `model`."""
    container = {"image": IMAGE, **spec.pop("container", {})}
    full = {"container": container, "register": {"model": model}, **spec}
    return {"kind": "TrainingJob", "metadata": {"name": name}, "spec": full}


def revision_of(objects: Objects, name: str, **changes: Any) -> tuple[str, dict[str, Any]]:
    """Name and inputs of the revision that a ModelDeployment asks for, or would ask for with another image."""
    body = objects.get("ModelDeployment", name)
    body["spec"]["container"] = {**body["spec"]["container"], **changes}
    inputs = revision_inputs(parse_model_deployment(body).spec, None)
    return revision_name(name, digest_of(inputs)), inputs


def child_meta(objects: Objects, owner: str, name: str, revision: str) -> dict[str, Any]:
    """The metadata of a child as the operator writes it: labels and controller."""
    found = objects.get("ModelDeployment", owner)
    labels = {"app.kubernetes.io/managed-by": "fairlead", LABEL_MODEL_DEPLOYMENT: owner, LABEL_REVISION: revision}
    reference = {
        "apiVersion": found["apiVersion"],
        "kind": "ModelDeployment",
        "name": owner,
        "uid": found["metadata"]["uid"],
        "controller": True,
    }
    return {"name": name, "labels": labels, "ownerReferences": [reference]}


def deployment_of(objects: Objects, name: str) -> dict[str, Any]:
    """The one Deployment of a ModelDeployment; waits for it."""

    def look() -> list[dict[str, Any]]:
        return [item for item in objects.workloads() if item["metadata"]["labels"].get(LABEL_MODEL_DEPLOYMENT) == name]

    return eventually(f"a Deployment of {name}", look, seconds=SHOWN_SECONDS, shows=lambda: told(objects, name))[0]


def job_env(objects: Objects, name: str) -> dict[str, list[str]]:
    """The variables of the first attempt's trainer, each with all of its values; waits for the Job."""
    job = eventually(f"Job {name}-1", lambda: objects.find("Job", f"{name}-1"), seconds=SHOWN_SECONDS)
    found: dict[str, list[str]] = {}
    for item in job["spec"]["template"]["spec"]["containers"][0]["env"]:
        found.setdefault(item["name"], []).append(item.get("value", ""))
    return found


def told(objects: Objects, name: str, kind: str = "ModelDeployment") -> dict[str, Any]:
    """The Ready condition."""
    return dict(conditions(objects.get(kind, name)).get("Ready", {}))


def is_told(objects: Objects, name: str, reason: str, words: str, kind: str = "ModelDeployment") -> None:
    """Waits for a reason, whose message has these words in it."""

    def look() -> bool:
        found = told(objects, name, kind)
        return found.get("reason") == reason and words in found.get("message", "")

    eventually(f"{reason} of {name}", look, seconds=SHOWN_SECONDS, shows=lambda: told(objects, name, kind))


def test_a_forged_status_is_dropped_with_the_document(objects: Objects, name: str) -> None:
    revision = {"revision": "evil", "since": "2026-01-01T00:00:00Z"}
    traffic = {"epoch": 10**9, "generation": 10**9, "arms": [{"revision": "evil", "weight": 100}]}
    objects.create({**serving(name), "status": {"phase": "Stable", "stable": revision, "traffic": traffic}})
    deployment_of(objects, name)
    status = objects.get("ModelDeployment", name)["status"]
    assert (status["phase"], status.get("stable"), status["traffic"]["arms"]) == ("Starting", None, [])
    assert status["traffic"]["epoch"] < 100


def test_a_stolen_uid_is_replaced_so_the_victim_s_children_stay_the_victim_s(objects: Objects, name: str) -> None:
    victim = objects.create(serving(name))
    stolen = {"uid": victim["metadata"]["uid"]}
    thief = objects.create(serving(f"{name}-thief", meta=stolen))
    assert thief["metadata"]["uid"] != victim["metadata"]["uid"]


def test_an_owner_of_one_s_choice_is_not_passed_on_to_the_children(objects: Objects, name: str) -> None:
    victim = objects.create({"kind": "Service", "metadata": {"name": f"{name}-v"}, "spec": {"ports": [{"port": 1}]}})
    owner = {"apiVersion": "v1", "kind": "Service", "name": f"{name}-v", "uid": victim["metadata"]["uid"]}
    objects.create(serving(name, meta={"ownerReferences": [{**owner, "controller": True}]}))
    owners = deployment_of(objects, name)["metadata"]["ownerReferences"]
    assert [item["kind"] for item in owners] == ["ModelDeployment"]
    assert objects.get("Service", f"{name}-v") == victim


@pytest.mark.parametrize("finalizer", ["attacker.example/never", "kopf.zalando.org/KopfFinalizerMarker"])
def test_a_finalizer_of_a_user_stays_and_what_is_being_deleted_gets_no_new_children(
    finalizer: str, objects: Objects, operator: OperatorProcess, name: str
) -> None:
    objects.create(serving(name, meta={"finalizers": [finalizer]}))
    deployment = deployment_of(objects, name)["metadata"]["name"]
    eventually("its Services", lambda: objects.find("Service", name), seconds=SHOWN_SECONDS)
    pause(1)
    objects.delete("ModelDeployment", name)
    since = mark(operator.plane.audit_log)
    objects.delete("Deployment", deployment)
    pause(2)
    assert objects.find("Deployment", deployment) is None
    assert [item for item in operator.writes(since) if item.name.startswith(name)] == []
    assert objects.get("ModelDeployment", name)["metadata"]["finalizers"] == [finalizer]
    objects.merge("ModelDeployment", name, {"metadata": {"finalizers": None}})


@pytest.mark.parametrize("memory", ["{not JSON", "[]", '{"spec": 1}', "null"])
def test_an_annotation_for_kopf_does_not_hide_an_object_from_the_operator(
    memory: str, objects: Objects, operator: OperatorProcess, name: str
) -> None:
    annotations = {"kopf.zalando.org/last-handled-configuration": memory, "kopf.zalando.org/seen": memory}
    objects.create(serving(name, meta={"annotations": annotations}))
    deployment_of(objects, name)
    metrics = ask(f"http://127.0.0.1:{operator.port}/metrics") or ""
    assert re.findall(r"^fairlead_watch_missed_total\{.*\} [1-9].*$", metrics, re.MULTILINE) == []


def test_a_name_of_another_one_s_child_takes_nothing_over(objects: Objects, name: str) -> None:
    objects.create(serving(name))
    revision = deployment_of(objects, name)["metadata"]["name"]
    service = eventually("its Service", lambda: objects.find("Service", revision), seconds=SHOWN_SECONDS)
    objects.create(serving(revision))
    is_told(objects, revision, "NameConflict", f"Service {revision}")
    assert objects.get("Service", revision) == service


def test_attempts_and_names_that_look_alike_have_jobs_of_their_own(objects: Objects, name: str) -> None:
    for each in (name, f"{name}-1", f"{name}-1-register"):
        objects.create(training(each, name))
    for each in (name, f"{name}-1", f"{name}-1-register"):
        job_env(objects, each)
        owners = objects.get("Job", f"{each}-1")["metadata"]["ownerReferences"]
        assert [item["name"] for item in owners] == [each]


SHM = {"volumeMounts": [{"name": "a", "mountPath": "/dev/shm"}]}
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"sharedMemory": "1Mi", "volumes": [{"name": "shared-memory", "emptyDir": {}}]}, "duplicate entries"),
        (
            {
                "volumes": [{"name": "a", "emptyDir": {}}],
                "container": {"volumeMounts": [{"name": "a", "mountPath": "/a", "subPath": "../../etc"}]},
            },
            "must not contain '..'",
        ),
        ({"volumes": [{"name": "a", "configMap": {"name": "a", "items": [{"key": "a", "path": "../a"}]}}]}, "'..'"),
        ({"container": {"volumeMounts": [{"name": "not-there", "mountPath": "/a"}]}}, "not-there"),
        ({"podMetadata": {"labels": {"a b": "c d"}}}, "spec.template.labels"),
        ({"podMetadata": {"annotations": {"a": "x" * 4096, "b/c/d": ""}}}, "spec.template.annotations"),
        ({"sharedMemory": "1Mi", "container": SHM}, "duplicate entries"),
        ({"topologySpread": [SPREAD, SPREAD]}, "duplicate entries"),
        ({"resources": {"limits": {"cpus": "1"}}}, "limits[cpus]"),
        ({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}, "requests"),
        ({"nodeSelector": {"a": "b c"}}, "nodeSelector"),
    ],
    ids=[
        "a volume in the place of ours",
        "a path out of a volume",
        "a file out of a volume",
        "a volume that is not there",
        "a label that is none",
        "an annotation that is none",
        "a mount in the place of ours",
        "a constraint twice",
        "a resource that is none",
        "more than the limit",
        "a selector that is none",
    ],
)
def test_what_only_the_deployment_s_own_rules_refuse_is_told_and_makes_no_pods(
    spec: dict[str, Any], words: str, objects: Objects, name: str
) -> None:
    objects.create(serving(name, **spec))
    is_told(objects, name, "Rejected", words)
    assert not [item for item in objects.workload_names() if item.startswith(name)]


@pytest.mark.parametrize(
    ("spec", "reason", "field"),
    [
        ({"container": {"image": "evil.example/a"}}, "ImageNotAllowed", "spec.container.image"),
        (
            {"volumes": [{"name": "a", "image": {"reference": "evil.example/a"}}]},
            "ImageNotAllowed",
            "spec.volumes[0].image.reference",
        ),
        ({"container": {"image": "REGISTRY.EXAMPLE/a"}}, "ImageNotAllowed", "spec.container.image"),
        ({"imagePullSecrets": [{"name": "other"}]}, "SecretNotAllowed", "spec.imagePullSecrets[0].name"),
        (
            {"container": {"envFrom": [{"secretRef": {"name": "other"}}]}},
            "SecretNotAllowed",
            "spec.container.envFrom[0].secretRef.name",
        ),
        ({"serviceAccountName": "other"}, "ServiceAccountNotAllowed", "spec.serviceAccountName"),
    ],
    ids=["an image", "an image as a volume", "capitals", "a pull secret", "variables of a Secret", "a service account"],
)
def test_what_the_administrator_does_not_allow_makes_no_pods_by_any_door(
    spec: dict[str, Any], reason: str, field: str, objects: Objects, name: str
) -> None:
    objects.create(serving(name, **spec))
    is_told(objects, name, reason, field)
    assert not [item for item in objects.workload_names() if item.startswith(name)]


PARAMS = {
    "__proto__": "polluted",
    "constructor": "a",
    "quote": '"}, "evil": {"a": "',
    "variable": "$(MLFLOW_TRACKING_URI) $$(A) $",
    "line": "a\nATTEMPT=7\u2028b",
    "": "no name",
}


def test_parameters_stay_parameters_whatever_they_say(objects: Objects, name: str) -> None:
    objects.create(training(name, name, params=PARAMS))
    (text,) = job_env(objects, name)["FAIRLEAD_PARAMS"]
    assert "$(" not in text.replace("$$", ""), "the kubelet replaces nothing"
    assert json.loads(text.replace("$$", "$")) == PARAMS


def test_variables_of_the_operator_s_cannot_be_set_by_a_user(objects: Objects, mlflow: Mlflow, name: str) -> None:
    own = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "FAIRLEAD_PARAMS", "ATTEMPT")
    env = [{"name": item, "value": "http://evil.example"} for item in own]
    objects.create(training(name, name, container={"env": env}))
    found = job_env(objects, name)
    assert found["MLFLOW_TRACKING_URI"] == [mlflow.url]
    assert all(len(found[item]) == 1 and "evil" not in found[item][0] for item in own)


def test_a_document_that_fits_once_but_not_as_a_revision_is_told(objects: Objects, name: str) -> None:
    # The revision holds the inputs and the template that is rendered from them: twice the document.
    env = [{"name": f"A{number}", "value": "x" * 32_000} for number in range(30)]
    objects.create(serving(name, container={"env": env}))
    is_told(objects, name, "Rejected", "too large")


@pytest.mark.parametrize("cpu", ["0.12345", "0.1n"])
def test_a_quantity_that_the_api_server_rounds_is_written_once(
    cpu: str, objects: Objects, operator: OperatorProcess, name: str
) -> None:
    since = mark(operator.plane.audit_log)
    objects.create(serving(name, resources={"requests": {"cpu": cpu}}))
    deployment_of(objects, name)
    pause(2)
    writes = [item for item in operator.writes(since) if item.resource == "deployments" and item.name.startswith(name)]
    assert len(writes) == 1


def forge(objects: Objects, owner: str, revision: str, data: Any) -> None:
    """A ControllerRevision that looks like ours from outside, byte by byte: the API server sorts what is applied."""
    meta = child_meta(objects, owner, revision, revision)
    body = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta, "revision": 1, "data": data}
    path = f"{BY_KIND['ControllerRevision'].path(objects.namespace)}/{revision}"
    headers = {"Content-Type": "application/apply-patch+yaml"}
    answer = objects.api.patch(path, json=body, params={"fieldManager": "attacker"}, headers=headers)
    assert answer.status_code == 201, answer.text


def test_a_forged_revision_does_not_become_pods(objects: Objects, name: str) -> None:
    objects.create(serving(name))
    deployment = deployment_of(objects, name)
    coming, inputs = revision_of(objects, name, image=NEXT_IMAGE)
    template = deployment["spec"]["template"]
    template["metadata"] = {"labels": {**template["metadata"]["labels"], LABEL_REVISION: coming}}
    template["spec"] |= {"hostNetwork": True, "hostPID": True}
    template["spec"]["containers"][0] |= {"image": "evil.example/a", "securityContext": {"privileged": True}}
    forge(objects, name, coming, {"inputs": inputs, "template": template})
    pause(1)  # the watch has told of it
    objects.merge("ModelDeployment", name, {"spec": {"container": {"image": NEXT_IMAGE}}})
    is_told(objects, name, "NameConflict", f"ControllerRevision {coming}")
    made = eventually("the pods that were asked for", lambda: objects.find("Deployment", coming), seconds=SHOWN_SECONDS)
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == NEXT_IMAGE
    assert "evil" not in json.dumps(made)
    assert not {"hostNetwork", "hostPID"} & set(made["spec"]["template"]["spec"])


@pytest.mark.parametrize("data", [{"inputs": "a", "template": "b"}, {"template": {"spec": None}}], ids=str)
def test_a_revision_of_no_known_shape_does_not_stop_its_owner(data: Any, objects: Objects, name: str) -> None:
    objects.create(serving(name))
    deployment = deployment_of(objects, name)["metadata"]["name"]
    forge(objects, name, f"{name}-00000000", data)
    pause(1)
    objects.merge("ModelDeployment", name, {"spec": {"replicas": 3}})
    eventually(
        "three replicas", lambda: objects.get("Deployment", deployment)["spec"]["replicas"] == 3, seconds=SHOWN_SECONDS
    )


def test_a_pod_that_nobody_s_controller_made_bears_no_witness(
    objects: Objects, controllers: Controllers, name: str
) -> None:
    objects.create(serving(name))
    deployment = deployment_of(objects, name)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    spec = {"containers": [{"name": "model", "image": "a"}]}
    objects.create({"kind": "Pod", "metadata": {"name": f"{name}-pod", "labels": labels}, "spec": spec})
    controllers.container(f"{name}-pod", exited(1, message="forged", restarts=3))
    objects.merge("ModelDeployment", name, {"metadata": {"annotations": {"look": "again"}}})
    pause(2)
    assert told(objects, name)["reason"] == "Starting"
    assert "forged" not in json.dumps(objects.get("ModelDeployment", name)["status"])
    objects.delete("Pod", f"{name}-pod")


def test_a_forged_warning_ends_no_training(objects: Objects, controllers: Controllers, name: str) -> None:
    objects.create(training(name, name))
    job_env(objects, name)
    job = objects.get("Job", f"{name}-1")["metadata"]
    event = {
        "metadata": {"name": f"{name}.forged", "namespace": objects.namespace},
        "involvedObject": {"kind": "Job", "name": job["name"], "namespace": objects.namespace, "uid": job["uid"]},
        "type": "Warning",
        "reason": "FailedCreate",
        "message": "forged: pods are forbidden",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    objects.create({"kind": "Event", **event})
    pause(4)
    assert objects.get("TrainingJob", name)["status"]["phase"] == "Pending"
    controllers.job_running(f"{name}-1")
    eventually(
        "it runs", lambda: objects.get("TrainingJob", name)["status"]["phase"] == "Running", seconds=SHOWN_SECONDS
    )


def test_last_words_reach_the_status_without_a_terminal_s_commands(
    objects: Objects, controllers: Controllers, name: str
) -> None:
    objects.create(training(name, name))
    job_env(objects, name)
    controllers.job_running(f"{name}-1")
    controllers.job_failed(f"{name}-1", code=1, message="\x1b]0;owned\x07\x1b[2Jno data\u202e" + "x" * 2000)
    failed = eventually(
        "it failed",
        lambda: (found := objects.get("TrainingJob", name))["status"]["phase"] == "Failed" and found,
        seconds=SHOWN_SECONDS,
    )
    said = json.dumps(failed["status"], ensure_ascii=False)
    assert not re.search("[\x00-\x1f\x7f\u202e]|\\\\u00[01]", said)
    assert len(failed["status"]["message"]) <= 1024


def test_somebody_s_object_with_our_labels_is_left_alone(
    objects: Objects, operator: OperatorProcess, name: str
) -> None:
    objects.create(serving(name))
    deployment_of(objects, name)
    labels = child_meta(objects, name, name, f"{name}-11111111")["labels"]
    spec = {"selector": {"app": "theirs"}, "ports": [{"port": 1}]}
    theirs = objects.create({"kind": "Service", "metadata": {"name": f"{name}-theirs", "labels": labels}, "spec": spec})
    pause(1)
    objects.merge("ModelDeployment", name, {"spec": {"replicas": 2}})
    pause(1)
    assert objects.get("Service", f"{name}-theirs") == theirs
