"""Which ControllerRevisions Fairlead can have written."""

import copy
from typing import Any

import pytest
from tests.unit.builders import Body, revision_children, serving_body

from fairlead.api.model_deployment import ResolvedModel
from fairlead.core.genuine import is_genuine_revision

MODEL = {"name": "churn", "version": "3"}
RESOLVED = ResolvedModel(name="churn", version="3")
FULL: dict[str, Any] = {
    "container": {
        "image": "registry.example/web:1",
        "command": ["web"],
        "args": ["--fast"],
        "env": [
            {"name": "A", "value": "b"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "web", "key": "key"}}},
        ],
        "envFrom": [{"secretRef": {"name": "web"}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "livenessPath": "/alive",
    },
    "sharedMemory": "1Gi",
    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "x", "emptyDir": {}}],
    "imagePullSecrets": [{"name": "pull"}],
    "serviceAccountName": "web",
    "gpu": {"count": 1, "product": "L4"},
    "topologySpread": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "priorityClassName": "high",
    "runtimeClassName": "nvidia",
    "nodeSelector": {"a": "b"},
    "terminationGracePeriodSeconds": 5,
}


def stored(**spec: Any) -> Body:
    """The ControllerRevision of a spec, as the operator writes it."""
    return revision_children(serving_body(**spec), model=RESOLVED if "model" in spec else None)[0]


def changed(body: Body, path: str, value: Any) -> Body:
    """The ControllerRevision with one value of its pod spec set: `containers.0.image`."""
    result = copy.deepcopy(body)
    node: Any = result["data"]["template"]["spec"]
    *parents, last = path.split(".")
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
    node[last] = value
    return result


@pytest.mark.parametrize(
    "spec",
    [{}, FULL, {"model": MODEL}, {"model": MODEL, **FULL}, {"container": {"image": "a", "protocol": "grpc"}}],
    ids=["a container", "every field", "the built-in server", "a model for a container", "gRPC"],
)
def test_what_the_operator_writes_is_genuine(spec: dict[str, Any]) -> None:
    if "model" in spec and "container" not in spec:
        spec = {**spec, "container": None}
    assert is_genuine_revision(stored(**spec))


FORGED = {
    "the host's network": ("hostNetwork", True),
    "the host's processes": ("hostPID", True),
    "another node": ("nodeName", "control-plane"),
    "a container that nobody asked for": ("ephemeralContainers", [{"name": "a"}]),
    "a privileged container": ("containers.0.securityContext.privileged", True),
    "a capability": ("containers.0.securityContext.capabilities", {"add": ["SYS_ADMIN"]}),
    "an unmasked /proc": ("containers.0.securityContext.procMount", "Unmasked"),
    "a user of its own": ("securityContext.runAsUser", 0),
    "no seccomp": ("securityContext.seccompProfile", {"type": "Unconfined"}),
    "a port of the host": ("containers.0.ports.0.hostPort", 22),
    "a probe of another host": ("containers.0.readinessProbe", {"httpGet": {"path": "/", "port": 80, "host": "a"}}),
    "a probe that runs a command": ("containers.0.startupProbe", {"exec": {"command": ["sh"]}}),
    "a hook that asks another host": ("containers.0.lifecycle", {"preStop": {"httpGet": {"host": "a", "port": 80}}}),
    "a hook at the start": ("containers.0.lifecycle", {"postStart": {"sleep": {"seconds": 1}}}),
    "a folder of the host": ("volumes", [{"name": "a", "hostPath": {"path": "/"}}]),
    "a token": ("volumes", [{"name": "a", "projected": {"sources": []}}]),
    "a Secret that the inputs do not name": ("volumes", [{"name": "a", "secret": {"secretName": "other"}}]),
    "another service account": ("serviceAccountName", "admin"),
    "a token that nobody asked for": ("automountServiceAccountToken", True),
    "another pull secret": ("imagePullSecrets", [{"name": "other"}]),
    "another image": ("containers.0.image", "registry.example/evil:1"),
    "another command": ("containers.0.command", ["sh"]),
    "a variable from a Secret": (
        "containers.0.env",
        [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
    ),
    "variables of two Secrets": (
        "containers.0.envFrom",
        [{"secretRef": {"name": "a"}}, {"secretRef": {"name": "b"}}],
    ),
    "variables of a ConfigMap": ("containers.0.envFrom", [{"configMapRef": {"name": "a"}}]),
    "no container": ("containers", []),
    "containers that are none": ("containers", "a"),
}


@pytest.mark.parametrize(("path", "value"), FORGED.values(), ids=FORGED.keys())
def test_a_template_that_asks_for_more_than_its_inputs_is_forged(path: str, value: Any) -> None:
    genuine = stored()
    assert is_genuine_revision(genuine)
    assert not is_genuine_revision(changed(genuine, path, value))


def test_an_init_container_is_held_to_the_same_rules() -> None:
    genuine = stored(model=MODEL, container={"image": "a"})
    assert is_genuine_revision(genuine)
    assert not is_genuine_revision(changed(genuine, "initContainers.0.securityContext.privileged", True))


def test_a_name_that_is_not_that_of_the_inputs_is_forged() -> None:
    genuine = stored()
    other = {**genuine, "data": {**genuine["data"], "inputs": {"container": {"image": "registry.example/evil:1"}}}}
    assert not is_genuine_revision(other)


@pytest.mark.parametrize("data", [None, "text", [], 7, {}, {"inputs": None, "template": None}, {"inputs": {}}])
def test_data_of_another_shape_is_forged_and_no_error(data: Any) -> None:
    assert not is_genuine_revision({**stored(), "data": data})


def test_labels_that_are_absent_are_no_error() -> None:
    genuine = stored()
    assert not is_genuine_revision({**genuine, "metadata": {"name": genuine["metadata"]["name"]}})
