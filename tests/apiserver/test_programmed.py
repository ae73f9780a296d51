"""From a ModelDeployment to `Programmed`, with a real operator, a real renderer and a real Envoy."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.apiserver.controllers import Controllers
from tests.apiserver.gateway_process import CLUSTER_ROLE, OPERATOR_NAMESPACE, GatewayProcesses
from tests.apiserver.gateway_world import GATEWAY, RULES, machine_address, request_token
from tests.apiserver.objects import Objects, conditions, eventually
from tests.apiserver.operator_process import StartOperator
from tests.apiserver.plain_http import NO_TLS
from tests.cluster import ControlPlane
from tests.gateway.backend import Backend

PROGRAMMED_SECONDS = 0.5
SLACK_SECONDS = 4.0
"""What a machine that runs other tests beside this one may add."""
pytestmark = pytest.mark.usefixtures("rights")
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def _ask(api: httpx.Client, path: str, body: dict[str, Any]) -> None:
    answer = api.post(path, json=body)
    if answer.status_code != 409:
        answer.raise_for_status()


@pytest.fixture
def rights(api: httpx.Client, namespace: str) -> None:
    """What the chart grants where the namespaces are named; the operator's ServiceAccount, whose token is asked for."""
    _ask(api, "/api/v1/namespaces", {"metadata": {"name": OPERATOR_NAMESPACE}})
    _ask(api, f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/serviceaccounts", {"metadata": {"name": "fairlead"}})
    _ask(api, f"{RBAC}/clusterroles", {"metadata": {"name": CLUSTER_ROLE}, "rules": RULES})
    binding = {
        "metadata": {"name": CLUSTER_ROLE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": CLUSTER_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": GATEWAY, "namespace": namespace}],
    }
    _ask(api, f"{RBAC}/namespaces/{namespace}/rolebindings", binding)


class Stage:
    """One namespace with an operator, and the gateway that it has asked for."""

    def __init__(self, objects: Objects, controllers: Controllers, gateway: GatewayProcesses) -> None:
        self.objects = objects
        self.controllers = controllers
        self.gateway = gateway
        self.pod = ""

    def deploy(self, name: str) -> None:
        """A ModelDeployment whose pods, when its Deployment is there, are ready."""
        spec = {"container": {"image": "example.invalid/server:1"}}
        self.objects.create({"kind": "ModelDeployment", "metadata": {"name": name}, "spec": spec})
        eventually("the revision", lambda: self.status(name).get("candidate"), seconds=15)
        revision = str(self.status(name)["candidate"]["revision"])
        eventually("its Deployment", lambda: self.objects.find("Deployment", revision), seconds=15)
        self.controllers.deployment_ready(revision)
        eventually("stable", lambda: self.status(name).get("stable"), seconds=15, shows=lambda: self.status(name))

    def start_gateway(self) -> None:
        """What the Deployment controller, the kubelet and the gateway's image would do."""
        eventually("the gateway's Deployment", lambda: self.objects.find("Deployment", GATEWAY), seconds=15)
        self.gateway.token_file.write_text(request_token(self.objects.api, self.objects.namespace, GATEWAY, ""))
        self.gateway.start()
        deployment = self.objects.get("Deployment", GATEWAY)
        template = deployment["spec"]["template"]
        for container in template["spec"]["initContainers"]:
            container["ports"] = [{"name": "evidence", "containerPort": self.gateway.evidence_port}]
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                container.pop(probe, None)
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": GATEWAY, "controller": True}
        meta = {**template["metadata"], "generateName": f"{GATEWAY}-"}
        meta["ownerReferences"] = [{**owner, "uid": deployment["metadata"]["uid"]}]
        made = self.objects.create({"kind": "Pod", "metadata": meta, "spec": template["spec"]})
        self.pod = str(made["metadata"]["name"])
        self.controllers.deployment_ready(GATEWAY, ready=1)
        self.ready(True)

    def ready(self, ready: bool) -> None:
        """The kubelet tells whether the gateway's pod is ready."""
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-11-23T12:00:00Z"}
        status = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}], "conditions": [condition]}
        self.objects.merge("Pod", self.pod, {"status": status}, "status")

    def status(self, name: str) -> dict[str, Any]:
        return dict(self.objects.get("ModelDeployment", name).get("status") or {})

    def programmed(self, name: str) -> tuple[str, str, str]:
        """Status, reason and message of the condition."""
        found = conditions(self.objects.get("ModelDeployment", name)).get("Programmed", {})
        return found.get("status", ""), found.get("reason", ""), found.get("message", "")

    def wait_programmed(self, name: str, status: str, reason: str, *, seconds: float) -> str:
        """Until the condition says so; its message."""
        wanted = (status, reason)
        eventually(
            f"Programmed {status} {reason}",
            lambda: self.programmed(name)[:2] == wanted,
            seconds=seconds,
            shows=lambda: self.status(name),
        )
        return self.programmed(name)[2]

    def endpoints(self, name: str, backend: Backend) -> None:
        """The EndpointSlice of the stable revision."""
        revision = str(self.status(name)["stable"]["revision"])
        body = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": revision, "labels": {"kubernetes.io/service-name": revision}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": backend.port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [machine_address()], "conditions": {"ready": True}}],
        }
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self.objects.namespace}/endpointslices"
        self.objects.api.post(path, json=body).raise_for_status()

    def ask(self, name: str) -> httpx.Response:
        """One request of a user."""
        port = self.status(name)["traffic"]["port"]
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=10, trust_env=False, verify=NO_TLS)


@pytest.fixture
def gateway(control_plane: ControlPlane, objects: Objects, tmp_path: Path) -> Iterator[GatewayProcesses]:
    """A gateway's processes; the test starts them."""
    made = GatewayProcesses(control_plane, objects.namespace, tmp_path / "gateway", tmp_path / "gateway-token")
    yield made
    made.close()


@pytest.fixture
def stage(
    start_operator: StartOperator,
    objects: Objects,
    controllers: Controllers,
    gateway: GatewayProcesses,
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    """An operator with its evidence token, and a gateway that a test starts."""
    made = Stage(objects, controllers, gateway)
    token = gateway.folder.with_name("evidence-token")
    token.write_text(request_token(made.objects.api, OPERATOR_NAMESPACE, "fairlead", "fairlead-evidence"))
    monkeypatch.setenv("EVIDENCE_TOKEN_FILE", str(token))
    start_operator()
    return made


def test_a_modeldeployment_is_programmed_served_and_followed(stage: Stage) -> None:
    stage.deploy("churn")
    stage.start_gateway()
    text = stage.wait_programmed("churn", "True", "Programmed", seconds=15)
    generation = stage.status("churn")["traffic"]["generation"]
    assert text == f"1 of 1 gateway pods serve generation {generation}"
    with Backend("0.0.0.0", body=b"hello") as backend:
        stage.endpoints("churn", backend)
        eventually("an answer", lambda: stage.ask("churn").text == "hello", seconds=5)

    stage.objects.merge("ModelDeployment", "churn", {"spec": {"requestTimeout": "30s"}})
    eventually("a write", lambda: stage.status("churn")["traffic"]["generation"] > generation, seconds=10)
    started = time.monotonic()
    text = stage.wait_programmed("churn", "True", "Programmed", seconds=PROGRAMMED_SECONDS + SLACK_SECONDS)
    print(f"programmed {time.monotonic() - started:.2f} s after the write of the status was seen")
    assert text == f"1 of 1 gateway pods serve generation {generation + 1}"


def test_what_envoy_refuses_becomes_a_condition_and_heals(stage: Stage) -> None:
    stage.deploy("churn")
    stage.deploy("fraud")
    port = int(stage.status("fraud")["traffic"]["port"])
    with socket.create_server(("0.0.0.0", port)):
        stage.start_gateway()
        text = stage.wait_programmed("fraud", "False", "GatewayRejected", seconds=15)
        assert "RefusedByEnvoy" in text
        assert str(port) in text, "Envoy's own words"
        stage.wait_programmed("churn", "True", "Programmed", seconds=15)
    stage.objects.merge("ModelDeployment", "fraud", {"spec": {"requestTimeout": "30s"}})
    stage.wait_programmed("fraud", "True", "Programmed", seconds=15)


def test_a_gateway_that_cannot_be_asked_is_told_and_changes_nothing_else(stage: Stage) -> None:
    stage.deploy("churn")
    stage.start_gateway()
    stage.wait_programmed("churn", "True", "Programmed", seconds=15)
    before = {name: item["status"] for name, item in conditions(stage.objects.get("ModelDeployment", "churn")).items()}
    stage.gateway.kill("renderer")
    stage.objects.merge("ModelDeployment", "churn", {"spec": {"requestTimeout": "30s"}})
    stage.wait_programmed("churn", "Unknown", "GatewayUnreachable", seconds=20)
    after = {name: item["status"] for name, item in conditions(stage.objects.get("ModelDeployment", "churn")).items()}
    assert after == {**before, "Programmed": "Unknown"}
    stage.gateway.start_renderer()
    stage.wait_programmed("churn", "True", "Programmed", seconds=20)
