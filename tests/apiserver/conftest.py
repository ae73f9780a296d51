"""One real etcd and kube-apiserver for the session, Fairlead's CRDs in it, and a namespace for each test."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.apiserver.client import CustomResources, Kubectl
from tests.apiserver.controllers import Controllers
from tests.apiserver.mlflow_server import Mlflow, mlflow_server
from tests.apiserver.objects import Objects
from tests.apiserver.operator_process import SHORT_LEASE, OperatorProcess, StartOperator
from tests.cluster import Client, ControlPlane
from tests.cluster import control_plane as start_control_plane

CRDS = Path(__file__).parents[2] / "crds"
SERVED_SECONDS = 20.0
"""Discovery and OpenAPI follow a CRD's Established condition after a second or so."""


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver on loopback ports. No controllers: what they would do, a test does by hand."""
    with start_control_plane(tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane) -> Iterator[httpx.Client]:
    """HTTP client of the API server, as cluster admin, for what kubectl cannot say."""
    context = ssl.create_default_context(cafile=str(control_plane.ca))
    context.load_cert_chain(str(control_plane.admin_cert), str(control_plane.admin_key))
    with httpx.Client(base_url=control_plane.url, verify=context, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def crds(control_plane: ControlPlane) -> None:
    """Both CRDs, applied as a user does it, and served."""
    control_plane.kubectl("apply", "-f", str(CRDS))
    wait_until_served(control_plane)


def wait_until_served(plane: ControlPlane) -> None:
    """Until both CRDs are Established and kubectl finds them; TimeoutError with what it found instead."""
    # On a busy machine the CRDs have no conditions at all yet, which kubectl takes for an error.
    plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=10s", check=False)
    deadline = time.monotonic() + SERVED_SECONDS
    found = ""
    while found.count("fairlead.dev") < 2 or not plane.kubectl("explain", "md", check=False):
        if time.monotonic() > deadline:
            raise TimeoutError(f"kubectl api-resources: expected two kinds of fairlead.dev, got {found!r}")
        found = plane.kubectl("api-resources", "--categories=fairlead", "-o", "name")


@pytest.fixture
def namespace(control_plane: ControlPlane, api: httpx.Client, crds: None) -> Iterator[str]:
    """A namespace of the test's own. Without a namespace controller it stays behind, emptied of our two kinds."""
    control_plane.start_apiserver()  # a test that stopped it and failed must not take the others with it
    name = f"test-{uuid4().hex[:8]}"
    api.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
    yield name
    for plural in ("modeldeployments", "trainingjobs"):
        api.delete(f"/apis/fairlead.dev/v1alpha1/namespaces/{name}/{plural}").raise_for_status()


@pytest.fixture
def kubectl(control_plane: ControlPlane, namespace: str) -> Kubectl:
    """kubectl in the test's namespace."""

    def run(*args: str, input: str | None = None, check: bool = True) -> str:
        return Client(control_plane.kubeconfig).kubectl("-n", namespace, *args, input=input, check=check)

    return run


@pytest.fixture
def resources(api: httpx.Client, namespace: str) -> CustomResources:
    """Raw requests for the two kinds in the test's namespace."""
    return CustomResources(api, namespace)


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    """A real MLflow server with sqlite, shared by the session: tests use experiments and models of their own."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture
def objects(api: httpx.Client, namespace: str) -> Objects:
    """The objects of the test's namespace."""
    return Objects(api, namespace)


@pytest.fixture
def controllers(objects: Objects) -> Controllers:
    """Plays Kubernetes' controllers in the test's namespace."""
    return Controllers(objects)


@pytest.fixture
def start_operator(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[StartOperator]:
    """Starts operators that watch the test's namespace alone, with a short lease; ends them after the test."""
    started: list[OperatorProcess] = []

    def start(user: str = "operator-a", **settings: Any) -> OperatorProcess:
        merged = {"watchNamespaces": [namespace], "lease": SHORT_LEASE, "retirementGraceSeconds": 1, **settings}
        operator = OperatorProcess.start(control_plane, tmp_path, user=user, namespace=namespace, settings=merged)
        started.append(operator)
        return operator

    yield start
    for operator in started:
        operator.kill()
