"""What a gateway reads, written by hand: an API server with ModelDeployments, their status, and EndpointSlices."""

import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cluster import ControlPlane, control_plane
from tests.cluster.progress import wait_until

ROOT = Path(__file__).resolve().parents[3]
NAMESPACE = "bench-gateway"
FIRST_PORT = 10000
SUBJECT = "system:serviceaccount:fairlead-system:fairlead"
SERVICE_ACCOUNT = "fairlead-gateway"
_MERGE = {"Content-Type": "application/merge-patch+json"}
_GROUP = "apis/fairlead.dev/v1alpha1"
_RBAC = "apis/rbac.authorization.k8s.io/v1"
_DISCOVERY = "apis/discovery.k8s.io/v1"


def own_address() -> str:
    """This machine's address: an EndpointSlice may not name a loopback one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("198.51.100.1", 9))
        return str(sock.getsockname()[0])


def revision(name: str, role: str) -> str:
    """The name of a revision, of the length that they have."""
    return f"{name}-{'0c2e4a68' if role == 'stable' else '1d3f5b79'}"


def traffic(name: str, port: int, *, canary_percent: int = 0, generation: int = 1) -> dict[str, Any]:
    """A `status.traffic` as the operator writes it."""
    stable, canary = revision(name, "stable"), revision(name, "canary")
    arms = [{"revision": stable, "role": "stable", "weight": 100 - canary_percent, "failover": ""}]
    if canary_percent:
        arms.append({"revision": canary, "role": "canary", "weight": canary_percent, "failover": stable})
    return {"schema": 1, "epoch": 1, "generation": generation, "port": port, "protocol": "http", "arms": arms}


@dataclass(frozen=True)
class Plane:
    """One namespace of an API server."""

    control: ControlPlane
    http: httpx.Client
    folder: Path

    def model_deployment(self, name: str) -> None:
        """A ModelDeployment without a status."""
        spec = {"container": {"image": "registry.example/web:1"}}
        body = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": name}}
        self._post(f"{_GROUP}/namespaces/{NAMESPACE}/modeldeployments", {**body, "spec": spec})

    def write_traffic(self, name: str, found: Mapping[str, Any]) -> None:
        """The status, as the operator would write it."""
        path = f"{_GROUP}/namespaces/{NAMESPACE}/modeldeployments/{name}/status"
        body = {"status": {"traffic": dict(found)}}
        self.http.patch(path, json=body, headers=_MERGE).raise_for_status()

    def endpoints(self, name: str, addresses: Sequence[str], port: int) -> None:
        """The EndpointSlice of a revision's headless Service."""
        meta = {"name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}}
        ready = {"ready": True, "serving": True, "terminating": False}
        items = [{"addresses": [address], "conditions": ready} for address in addresses]
        body = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta}
        ports = [{"name": "http", "port": port, "protocol": "TCP"}]
        path = f"{_DISCOVERY}/namespaces/{NAMESPACE}/endpointslices"
        self._post(path, {**body, "addressType": "IPv4", "endpoints": items, "ports": ports})

    def fleet(self, count: int, backends: Mapping[str, int], *, canary_percent: int = 0) -> None:
        """`count` ModelDeployments on ports from 10000 on; `backends`: role -> port on this machine."""
        address = own_address()
        for index in range(count):
            name = f"model-{index:03}"
            self.model_deployment(name)
            for role, port in backends.items():
                self.endpoints(revision(name, role), [address], port)
            self.write_traffic(name, traffic(name, FIRST_PORT + index, canary_percent=canary_percent))

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.http.post(path, json=dict(body))
        if answer.is_error:
            raise httpx.HTTPStatusError(answer.text[:1000], request=answer.request, response=answer)
        found: dict[str, Any] = answer.json()
        return found

    def prepare(self) -> None:
        """The namespace, and a ServiceAccount with the gateway's rights and its token in `folder`."""
        self.control.kubectl("apply", "-f", str(ROOT / "crds"))
        self.control.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=20s")
        self._post("api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        accounts = f"api/v1/namespaces/{NAMESPACE}/serviceaccounts"
        self._post(accounts, {"metadata": {"name": SERVICE_ACCOUNT}})
        rules = [
            {"apiGroups": [group], "resources": [kind], "verbs": ["get", "list", "watch"]}
            for group, kind in (("fairlead.dev", "modeldeployments"), ("discovery.k8s.io", "endpointslices"))
        ]
        meta = {"metadata": {"name": SERVICE_ACCOUNT}}
        self._post(f"{_RBAC}/namespaces/{NAMESPACE}/roles", {**meta, "rules": rules})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": SERVICE_ACCOUNT}
        subject = {"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": NAMESPACE}
        binding = {**meta, "roleRef": reference, "subjects": [subject]}
        self._post(f"{_RBAC}/namespaces/{NAMESPACE}/rolebindings", binding)
        token = self._post(f"{accounts}/{SERVICE_ACCOUNT}/token", {"spec": {"expirationSeconds": 7200}})
        (self.folder / "token").write_text(token["status"]["token"])

        def served() -> str | None:
            answer = self.http.get(f"{_GROUP}/namespaces/{NAMESPACE}/modeldeployments")
            return None if answer.is_success else f"status {answer.status_code}"

        wait_until("ModelDeployments served", served, 20.0, lambda: "")


@contextmanager
def plane() -> Iterator[Plane]:
    """An API server of its own with the namespace in it; gone afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairlead-bench-")))
        control = stack.enter_context(control_plane(folder / "plane"))
        trust = ssl.create_default_context(cafile=str(control.ca))
        trust.load_cert_chain(str(control.admin_cert), str(control.admin_key))
        http = stack.enter_context(httpx.Client(base_url=control.url, verify=trust, timeout=30, trust_env=False))
        found = Plane(control, http, folder)
        found.prepare()
        yield found
