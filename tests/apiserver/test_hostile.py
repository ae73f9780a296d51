"""Hostile documents: what somebody with the right to create our resources in one namespace might try.

Each row names the class of attack that only it covers, the document, and what becomes of it: the API server rejects it
and names the field. What the API server has to let in, and why it does no harm: `test_hostile_objects.py`.
"""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.apiserver.client import CustomResources
from tests.apiserver.test_crds import PLURAL, REMOVED, SERVING, TRAINING, changed

MEBIBYTE = 2**20
RULE = {"metric": "accuracy", "min": 0.9}


@dataclass(frozen=True)
class Hostile:
    """A document, and what the refusal names."""

    body: dict[str, Any]
    field: str


def serving(**changes: Any) -> dict[str, Any]:
    """A ModelDeployment of the built-in server with values set by path."""
    return changed(SERVING, **changes)


def training(**changes: Any) -> dict[str, Any]:
    """A TrainingJob with values set by path."""
    return changed(TRAINING, **changes)


def volume(**source: Any) -> list[dict[str, Any]]:
    """One volume."""
    return [{"name": "a", **source}]


def variable(name: str, **value: Any) -> list[dict[str, Any]]:
    """One environment variable."""
    return [{"name": name, **(value or {"value": "x"})}]


def nested(depth: int) -> dict[str, Any]:
    """An object in an object in an object."""
    body: dict[str, Any] = {}
    for _ in range(depth):
        body = {"a": body}
    return body


REJECTED = {
    # Out of the container and onto the node.
    "a folder of the node": Hostile(training(spec__volumes=volume(hostPath={"path": "/"})), "spec.volumes[0].hostPath"),
    "a volume of a driver": Hostile(training(spec__volumes=volume(csi={"driver": "a"})), "spec.volumes[0].csi"),
    "the node's network": Hostile(training(spec__hostNetwork=True), "spec.hostNetwork"),
    "the node's processes": Hostile(training(spec__hostPID=True), "spec.hostPID"),
    "the node's semaphores": Hostile(training(spec__hostIPC=True), "spec.hostIPC"),
    "the node's users": Hostile(training(spec__hostUsers=True), "spec.hostUsers"),
    "the node's ports": Hostile(serving(spec__container={"image": "a", "hostPort": 22}), "spec.container.hostPort"),
    "a node of one's choice": Hostile(training(spec__nodeName="control-plane"), "spec.nodeName"),
    "a privileged container": Hostile(
        training(spec__container__securityContext={"privileged": True}), "spec.container.securityContext"
    ),
    "root for the pod": Hostile(training(spec__securityContext={"runAsUser": 0}), "spec.securityContext"),
    "a device": Hostile(training(spec__container__volumeDevices=[{"devicePath": "/dev/sda"}]), "volumeDevices"),
    # Around the allow-list.
    "a pod template": Hostile(serving(spec__template={"spec": {}}), "spec.template"),
    "a container before ours": Hostile(serving(spec__initContainers=[{"image": "a"}]), "spec.initContainers"),
    "a container beside ours": Hostile(serving(spec__containers=[{"image": "a"}]), "spec.containers"),
    "a hook": Hostile(training(spec__container__lifecycle={"postStart": {}}), "spec.container.lifecycle"),
    "a probe that runs a command": Hostile(
        serving(spec__container={"image": "a", "readinessProbe": {"exec": {}}}), "spec.container.readinessProbe"
    ),
    "another scheduler": Hostile(training(spec__schedulerName="mine"), "spec.schedulerName"),
    # Other people's identities and secrets.
    "a token that nobody asked for": Hostile(training(spec__automountServiceAccountToken=True), "automount"),
    "a token for another audience": Hostile(
        training(spec__volumes=volume(projected={"sources": []})), "spec.volumes[0].projected"
    ),
    "a Secret of another namespace": Hostile(
        training(
            spec__container__env=variable("A", valueFrom={"secretKeyRef": {"name": "a", "key": "b", "namespace": "c"}})
        ),
        "secretKeyRef.namespace",
    ),
    "a claim of another namespace": Hostile(
        training(spec__volumes=volume(persistentVolumeClaim={"claimName": "other/claim"})),
        "spec.volumes[0].persistentVolumeClaim.claimName",
    ),
    "the pod's own secrets by a field": Hostile(
        training(spec__container__env=variable("A", valueFrom={"fieldRef": {"fieldPath": "spec.volumes"}})),
        "spec.container.env[0].valueFrom.fieldRef.fieldPath",
    ),
    # Somebody's code in the built-in server, which `allowed.images` does not cover and which refuses pickles.
    "a command for the built-in server": Hostile(serving(spec__container={"command": ["sh"]}), "spec.container"),
    "arguments for the built-in server": Hostile(serving(spec__container={"args": ["-c"]}), "spec.container"),
    "code over the built-in server's": Hostile(
        serving(spec__container={"volumeMounts": [{"name": "a", "mountPath": "/app"}]}), "spec.container"
    ),
    "code on the built-in server's path": Hostile(
        serving(spec__container={"env": variable("PYTHONPATH")}), "spec.container"
    ),
    "a library before the built-in server": Hostile(
        serving(spec__container={"env": variable("LD_PRELOAD")}), "spec.container"
    ),
    "variables that the schema cannot see": Hostile(
        serving(spec__container={"envFrom": [{"configMapRef": {"name": "a"}}]}), "spec.container"
    ),
    "the registry's credentials by a proxy": Hostile(
        serving(spec__container={"env": variable("HTTPS_PROXY")}), "spec.container"
    ),
    # Somebody else's registry, metrics and traffic.
    "a registry of one's own": Hostile(training(spec__register__trackingUri="http://a"), "spec.register.trackingUri"),
    "a registry of one's own to serve from": Hostile(serving(spec__model__url="http://a"), "spec.model.url"),
    "a query of one's own": Hostile(training(spec__gate={"rules": [{**RULE, "query": "up"}]}), "query"),
    "pods behind another ModelDeployment": Hostile(
        serving(spec__podMetadata__labels={"fairlead.dev/modeldeployment": "other"}), "spec.podMetadata.labels"
    ),
    "pods that look like the operator's": Hostile(
        training(spec__podMetadata__labels={"app.kubernetes.io/managed-by": "other"}), "spec.podMetadata.labels"
    ),
    # Into a query, a URL, a header, a path, a log.
    "a quote in MLflow's filter": Hostile(serving(spec__model__name="a' OR name LIKE 'b"), "spec.model.name"),
    "a wildcard in MLflow's filter": Hostile(training(spec__register__model="a%"), "spec.register.model"),
    "a backtick in MLflow's filter": Hostile(training(spec__register__alias="a`b"), "spec.register.alias"),
    "a path out of the registry": Hostile(training(spec__register__model="../a"), "spec.register.model"),
    "a path out of the run": Hostile(training(spec__register__artifact="../a"), "spec.register.artifact"),
    "a header in a probe": Hostile(
        serving(spec__container={"image": "a", "readinessPath": "/a\r\nHost: b"}), "spec.container.readinessPath"
    ),
    "another host in a probe": Hostile(
        serving(spec__container={"image": "a", "livenessPath": "http://169.254.169.254/"}),
        "spec.container.livenessPath",
    ),
    "a line feed at the end": Hostile(serving(spec__model={"name": "churn", "version": "3\n"}), "spec.model.version"),
    "letters that look like others": Hostile(serving(spec__model__name="\u0441hurn"), "spec.model.name"),
    "text that runs backwards": Hostile(serving(spec__model__name="a\u202eb"), "spec.model.name"),
    "a terminal's escape in a metric": Hostile(
        training(spec__gate={"rules": [{**RULE, "metric": "\x1b[2J"}]}), "spec.gate.rules[0].metric"
    ),
    "an option for the runtime instead of an image": Hostile(
        training(spec__container__image="--privileged"), "spec.container.image"
    ),
    "a command in a name": Hostile(training(metadata__name="a;reboot"), "metadata.name"),
    "a volume's path with a colon": Hostile(
        training(spec__container__volumeMounts=[{"name": "a", "mountPath": "/a:/b"}]),
        "spec.container.volumeMounts[0].mountPath",
    ),
    "an alias that MLflow keeps for itself": Hostile(training(spec__register__alias="latest"), "spec.register"),
    # More than fits.
    "a megabyte of a name": Hostile(serving(spec__model__alias="a" * MEBIBYTE), "spec.model.alias"),
    "more variables than fit": Hostile(
        training(spec__container__env=[{"name": f"A{number}", "value": ""} for number in range(129)]),
        "spec.container.env",
    ),
    "more parameters than fit": Hostile(
        training(spec__params={f"a{number}": "" for number in range(65)}), "spec.params"
    ),
    "parameters longer than a process may be given": Hostile(
        training(spec__params={f"a{number}": "x" * 30_000 for number in range(5)}), "spec.params"
    ),
    "rules that cost more than they say": Hostile(
        training(spec__gate={"rules": [{**RULE, "metric": f"m{number}"} for number in range(33)]}), "spec.gate.rules"
    ),
    "a generated name that leaves no room for children": Hostile(
        changed(TRAINING, metadata__name=REMOVED, metadata__generateName="a" * 60), "metadata.name"
    ),
    "objects in objects": Hostile(serving(spec__affinity=nested(500)), "spec.affinity.a"),
    # Numbers.
    "more replicas than a number holds": Hostile(serving(spec__replicas=2**63), "spec.replicas"),
    "replicas that go round": Hostile(serving(spec__replicas=2**32 + 1), "spec.replicas"),
    "a share of a replica": Hostile(serving(spec__replicas=0.5), "spec.replicas"),
    "a quantity with an exponent": Hostile(
        serving(spec__resources__limits={"cpu": "1e9"}), "spec.resources.limits.cpu"
    ),
    "a bound that is no number": Hostile(
        training(spec__gate={"rules": [{**RULE, "min": "NaN"}]}), "spec.gate.rules[0].min"
    ),
    "bounds that nothing passes": Hostile(training(spec__gate={"rules": [{**RULE, "max": 0.1}]}), "spec.gate.rules[0]"),
    "true as a quantity": Hostile(serving(spec__resources__limits={"cpu": True}), "spec.resources.limits.cpu"),
}


@pytest.mark.parametrize("hostile", REJECTED.values(), ids=REJECTED.keys())
def test_a_hostile_document_is_rejected_and_the_field_is_named(hostile: Hostile, resources: CustomResources) -> None:
    answer = resources.create(PLURAL[hostile.body["kind"]], hostile.body)
    assert answer.status_code in (400, 422), answer.text[:500]
    assert hostile.field in answer.json()["message"], answer.text[:2000]


UNREADABLE = {
    "a number beyond all numbers": '{"min": 1e400}',
    "not a number": '{"min": NaN}',
    "a name twice": '{"metric": "a", "metric": "b", "min": 1}',
    "brackets without end": "[" * 20_000,
}


@pytest.mark.parametrize("rule", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_document_that_is_no_honest_json_is_not_read(rule: str, api: httpx.Client, namespace: str) -> None:
    text = json.dumps(training(spec__gate={"rules": ["RULE"]})).replace('"RULE"', rule)
    path = f"/apis/fairlead.dev/v1alpha1/namespaces/{namespace}/trainingjobs"
    answer = api.post(path, content=text, params={"fieldValidation": "Strict"}, headers=JSON)
    assert answer.status_code == 400, answer.text[:500]


JSON = {"Content-Type": "application/json"}
YAML = {"Content-Type": "application/yaml"}


def test_a_document_that_grows_as_it_is_read_is_not_read(api: httpx.Client, namespace: str) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for number in range(1, 10):
        bomb += f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n"
    path = f"/apis/fairlead.dev/v1alpha1/namespaces/{namespace}/trainingjobs"
    answer = api.post(path, content=bomb, headers=YAML)
    assert answer.status_code == 400, answer.text[:500]
