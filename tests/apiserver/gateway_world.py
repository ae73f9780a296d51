"""What a gateway sees of a namespace, written by hand: statuses, EndpointSlices, rights and tokens."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.apiserver.gateway_process import CLUSTER_ROLE, OPERATOR_NAMESPACE, GatewayProcesses
from tests.apiserver.plain_http import NO_TLS
from tests.cluster import ControlPlane
from tests.gateway.backend import Backend

GATEWAY = "fairlead-gateway"
RULES = [
    {"apiGroups": ["fairlead.dev"], "resources": ["modeldeployments"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]},
]


@dataclass
class GatewayWorld:
    """One namespace, the gateway's two processes, and what is written for them to see."""

    api: httpx.Client
    namespace: str
    address: str
    gateway: GatewayProcesses

    def deploy(self, name: str) -> dict[str, Any]:
        """A ModelDeployment without a status."""
        body = {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": name},
            "spec": {"container": {"image": "example.invalid/server:1"}},
        }
        return _sent(self.api.post(self._deployments(), json=body))

    def remove(self, name: str) -> None:
        """Delete a ModelDeployment."""
        _sent(self.api.delete(self._deployments(name)))

    def traffic(self, name: str, traffic: Mapping[str, Any] | None) -> None:
        """Write `status.traffic`, as the operator does; None takes it away."""
        patch = [{"op": "add", "path": "/status", "value": {} if traffic is None else {"traffic": traffic}}]
        headers = {"Content-Type": "application/json-patch+json"}
        _sent(self.api.patch(self._deployments(name) + "/status", json=patch, headers=headers))

    def serve(self, name: str, traffic: Mapping[str, Any]) -> None:
        """Write the traffic and wait until Envoy has it."""
        self.traffic(name, traffic)
        self.gateway.wait_applied(name, traffic["generation"])

    def endpoints(self, revision: str, backends: Sequence[Backend], **conditions: bool) -> None:
        """The EndpointSlices of a revision's headless Service: one each, since their ports differ."""
        for index, backend in enumerate(backends):
            endpoint = {"addresses": [self.address], "conditions": {"ready": True, **conditions}}
            body = {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": f"{revision}-{index}", "labels": {"kubernetes.io/service-name": revision}},
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": backend.port, "protocol": "TCP"}],
                "endpoints": [endpoint],
            }
            if self.api.put(self._slices(f"{revision}-{index}"), json=body).status_code == 404:
                _sent(self.api.post(self._slices(), json=body))
        for index in range(len(backends), 8):
            self.api.delete(self._slices(f"{revision}-{index}"))

    def ask(self, port: int, path: str = "/", **headers: str) -> httpx.Response:
        """One request of a user."""
        return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, timeout=15, trust_env=False, verify=NO_TLS)

    def token(self, account: str, audience: str, namespace: str = OPERATOR_NAMESPACE) -> str:
        """A real token of a ServiceAccount for an audience; empty: for the API server."""
        return request_token(self.api, namespace, account, audience)

    def _deployments(self, name: str = "") -> str:
        root = f"/apis/fairlead.dev/v1alpha1/namespaces/{self.namespace}/modeldeployments"
        return f"{root}/{name}" if name else root

    def _slices(self, name: str = "") -> str:
        root = f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices"
        return f"{root}/{name}" if name else root


@contextmanager
def gateway_world(plane: ControlPlane, api: httpx.Client, namespace: str, folder: Path) -> Iterator[GatewayWorld]:
    """A namespace with the gateway's rights, and its processes, which the test starts; ended afterwards."""
    grant(api, namespace)
    token_file = folder / "token"
    token_file.write_text(request_token(api, namespace, GATEWAY, ""))
    gateway = GatewayProcesses(plane, namespace, folder / "gateway", token_file)
    try:
        yield GatewayWorld(api, namespace, machine_address(), gateway)
    finally:
        gateway.close()


def grant(api: httpx.Client, namespace: str) -> None:
    """The ServiceAccounts, and the gateway's rights in the namespace, as the chart and the operator grant them."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    _sent(api.post("/api/v1/namespaces", json={"metadata": {"name": OPERATOR_NAMESPACE}}), 409)
    for where, name in ((namespace, GATEWAY), (OPERATOR_NAMESPACE, "fairlead"), (OPERATOR_NAMESPACE, "other")):
        _sent(api.post(f"/api/v1/namespaces/{where}/serviceaccounts", json={"metadata": {"name": name}}), 409)
    _sent(api.post(f"{rbac}/clusterroles", json={"metadata": {"name": CLUSTER_ROLE}, "rules": RULES}), 409)
    binding = {
        "metadata": {"name": GATEWAY},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": CLUSTER_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": GATEWAY, "namespace": namespace}],
    }
    _sent(api.post(f"{rbac}/namespaces/{namespace}/rolebindings", json=binding))


def request_token(api: httpx.Client, namespace: str, account: str, audience: str) -> str:
    """A token through TokenRequest."""
    spec = {"expirationSeconds": 3600, **({"audiences": [audience]} if audience else {})}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = _sent(api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", json=body))
    return str(answer["status"]["token"])


def machine_address() -> str:
    """An address of this machine that may stand in an EndpointSlice: not a loopback one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))
        return str(probe.getsockname()[0])


def arms(**weights: int) -> list[dict[str, Any]]:
    """`arms(stable=95, canary=5)`: revisions named `<role>-rev`; a canary fails over to stable."""
    return arms_of({role: f"{role}-rev" for role in weights}, weights)


def arms_of(revisions: Mapping[str, str], weights: Mapping[str, int]) -> list[dict[str, Any]]:
    """The shares by role; revisions: by role, too. A canary fails over to stable."""
    return [
        {
            "revision": revisions[role],
            "role": role,
            "weight": weight,
            "failover": revisions["stable"] if role == "canary" else "",
        }
        for role, weight in weights.items()
    ]


def traffic(generation: int, port: int, **changed: Any) -> dict[str, Any]:
    """A `status.traffic` that gives everything to stable, but for what is changed."""
    return {
        "schema": 1,
        "epoch": 1,
        "generation": generation,
        "port": port,
        "protocol": "http",
        "arms": arms(stable=100),
        "attemptTimeout": "off",
        "requestTimeout": "10s",
        "latencyLimit": "off",
        **changed,
    }


def _sent(response: httpx.Response, tolerated: int = 0) -> dict[str, Any]:
    if response.is_error and response.status_code != tolerated:
        raise httpx.HTTPStatusError(response.text[:1000], request=response.request, response=response)
    body: dict[str, Any] = response.json()
    return body
