"""With kube-controller-manager beside the API server: garbage collection, real quota, and an API server that goes away."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.apiserver.conftest import CRDS, wait_until_served
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects, conditions, eventually
from tests.apiserver.operator_process import SHORT_LEASE, OperatorProcess
from tests.cluster import ControlPlane
from tests.cluster import control_plane as start_control_plane
from tests.cluster.progress import pause, step

OUTAGE_SECONDS = 10
CHILDREN = ("ControllerRevision", "Deployment", "Service", "Job")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of this module's own: one of its tests takes the API server away."""
    with start_control_plane(tmp_path_factory.mktemp("whole-plane"), controllers=True) as plane:
        plane.kubectl("apply", "-f", str(CRDS))
        wait_until_served(plane)
        yield plane


@pytest.fixture
def world(plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[Objects]:
    """A namespace of the test's own."""
    trust = ssl.create_default_context(cafile=str(plane.ca))
    trust.load_cert_chain(str(plane.admin_cert), str(plane.admin_key))
    with httpx.Client(base_url=plane.url, verify=trust, timeout=10, trust_env=False) as api:
        name = request.node.name.replace("_", "-")[:50].strip("-")
        api.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
        yield Objects(api, name)
        api.delete(f"/api/v1/namespaces/{name}").raise_for_status()


def start(plane: ControlPlane, folder: Path, mlflow: Mlflow) -> OperatorProcess:
    """An operator that watches all namespaces."""
    settings = {"lease": SHORT_LEASE, "retirementGraceSeconds": 1, "registry": {"url": mlflow.url}}
    return OperatorProcess.start(plane, folder, user="operator-all", namespace="default", settings=settings)


@pytest.fixture
def operator(plane: ControlPlane, mlflow: Mlflow, tmp_path: Path) -> Iterator[OperatorProcess]:
    """A running operator."""
    running = start(plane, tmp_path, mlflow)
    yield running
    running.kill()


def create(world: Objects, name: str = "web") -> None:
    """A ModelDeployment, and all of its children but the pods, which no scheduler places."""
    spec = {"container": {"image": "registry.example/web:1"}}
    world.create({"kind": "ModelDeployment", "metadata": {"name": name}, "spec": spec})
    eventually("its Service", lambda: name in world.names("Service"), seconds=10)


def children(world: Objects) -> list[str]:
    """Everything that the operator has made and that is still there."""
    return [f"{kind}/{name}" for kind in CHILDREN for name in world.names(kind)]


def reason(world: Objects) -> str:
    """Why `web` is not ready."""
    return str(conditions(world.get("ModelDeployment", "web")).get("Ready", {}).get("reason", ""))


def test_deletion_in_mid_flight_leaves_nothing_behind(world: Objects, operator: OperatorProcess) -> None:
    create(world)
    spec = {"container": {"image": "registry.example/trainer:1"}, "register": {"model": world.namespace}}
    world.create({"kind": "TrainingJob", "metadata": {"name": "fit"}, "spec": spec})
    eventually("a Job", lambda: world.names("Job"), seconds=10)
    world.merge("ModelDeployment", "web", {"spec": {"container": {"image": "registry.example/web:2"}}})
    eventually("both revisions", lambda: len(world.names("ControllerRevision")) >= 1, seconds=10)
    world.delete("ModelDeployment", "web")
    world.delete("TrainingJob", "fit")
    eventually("all is gone", lambda: not children(world), seconds=30, shows=lambda: children(world))
    pause(2)
    assert children(world) == []
    assert operator.alive


def test_a_quota_is_shown_within_seconds_and_heals(world: Objects, operator: OperatorProcess) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    path = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    world.api.post(path, json=quota).raise_for_status()
    eventually("the quota counts", lambda: "hard" in world.api.get(f"{path}/none").json()["status"], seconds=10)
    create(world)
    eventually("QuotaExceeded", lambda: reason(world) == "QuotaExceeded", seconds=5, shows=lambda: reason(world))
    world.api.delete(f"{path}/none").raise_for_status()
    # How soon the ReplicaSet controller tries again is its own affair: its back-off doubles from 5 ms.
    eventually("no quota any more", lambda: reason(world) == "Starting", seconds=60, shows=lambda: reason(world))


def test_the_operator_comes_back_after_an_outage_of_the_api_server(
    plane: ControlPlane, world: Objects, operator: OperatorProcess, mlflow: Mlflow, tmp_path: Path
) -> None:
    create(world, "before")
    with step(f"the API server is away for {OUTAGE_SECONDS} s"):
        plane.stop_apiserver()
        pause(OUTAGE_SECONDS)
    plane.start_apiserver()
    # Its lease has run out meanwhile: it ends, and the kubelet starts another one.
    eventually("the operator has noticed", lambda: not operator.alive, seconds=20)
    successor = start(plane, tmp_path, mlflow)
    try:
        create(world, "after")
        world.merge("ModelDeployment", "before", {"spec": {"replicas": 2}})
        eventually("it scales", lambda: 2 in replicas(world), seconds=10, shows=lambda: replicas(world))
    finally:
        successor.kill()


def replicas(world: Objects) -> list[int]:
    """Of each Deployment."""
    return [item["spec"]["replicas"] for item in world.every("Deployment")]
