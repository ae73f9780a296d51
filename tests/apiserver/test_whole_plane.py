"""With kube-controller-manager beside the API server: garbage collection, a real quota, and real Jobs."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.apiserver.conftest import CRDS, wait_until_served
from tests.apiserver.controllers import Controllers, exited, running
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects, conditions, eventually
from tests.apiserver.operator_process import SHORT_LEASE, OperatorProcess
from tests.cluster import ControlPlane
from tests.cluster import control_plane as start_control_plane
from tests.cluster.progress import pause

CHILDREN = ("ControllerRevision", "Deployment", "Service", "Job", "RoleBinding", "PodDisruptionBudget")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of this module's own, with controllers."""
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


@pytest.fixture
def operator(plane: ControlPlane, mlflow: Mlflow, tmp_path: Path) -> Iterator[OperatorProcess]:
    """A running operator that watches all namespaces."""
    settings = {"lease": SHORT_LEASE, "retirementGraceSeconds": 1, "registry": {"url": mlflow.url}}
    running = OperatorProcess.start(plane, tmp_path, user="operator-all", namespace="default", settings=settings)
    yield running
    running.kill()


def create(world: Objects) -> None:
    """A ModelDeployment `web`, and all of its children but the pods, which no scheduler places."""
    spec = {"container": {"image": "registry.example/web:1"}}
    world.create({"kind": "ModelDeployment", "metadata": {"name": "web"}, "spec": spec})
    eventually("its Service", lambda: "web" in world.names("Service"), seconds=10)


def children(world: Objects) -> list[str]:
    """Everything that the operator has made and that is still there."""
    return [f"{kind}/{name}" for kind in CHILDREN for name in world.names(kind)]


def reason(world: Objects) -> str:
    """Why `web` is not ready."""
    return str(conditions(world.get("ModelDeployment", "web")).get("Ready", {}).get("reason", ""))


def test_deletion_in_mid_flight_leaves_nothing_behind(world: Objects, operator: OperatorProcess) -> None:
    create(world)
    spec = {"container": {"image": "registry.example/trainer:1"}, "register": {"model": f"{world.namespace}-fit"}}
    world.create({"kind": "TrainingJob", "metadata": {"name": "fit"}, "spec": spec})
    eventually("a Job", lambda: world.names("Job"), seconds=10)
    world.merge("ModelDeployment", "web", {"spec": {"container": {"image": "registry.example/web:2"}}})
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


def _runs_on_a_node(world: Objects, job: str) -> str:
    """The Job controller's pod of a Job is bound and runs, as scheduler and kubelet would tell; the pod's name."""

    def alive() -> list[str]:
        pods = [item for item in world.every("Pod") if item["metadata"]["labels"].get("job-name") == job]
        return [item["metadata"]["name"] for item in pods if item["status"]["phase"] == "Pending"]

    pod = eventually(f"a pod of {job}", alive, seconds=20)[0]
    node = {"metadata": {"name": "node"}}
    if world.api.get("/api/v1/nodes/node").status_code == 404:
        world.api.post("/api/v1/nodes", json=node).raise_for_status()
    binding = {"metadata": {"name": pod}, "target": {"kind": "Node", "name": "node"}}
    world.api.post(f"/api/v1/namespaces/{world.namespace}/pods/{pod}/binding", json=binding).raise_for_status()
    Controllers(world).container(pod, running(), phase="Running")
    return str(pod)


def _train(world: Objects) -> str:
    """A TrainingJob `fit` whose trainer runs; the pod's name."""
    spec = {"container": {"image": "registry.example/fit:1"}, "register": {"model": f"{world.namespace}-fit"}}
    world.create({"kind": "TrainingJob", "metadata": {"name": "fit"}, "spec": spec})
    pod = _runs_on_a_node(world, "fit-1")
    eventually("it trains", lambda: _training(world)["phase"] == "Running", seconds=15)
    return pod


def _training(world: Objects) -> dict[str, Any]:
    return {"phase": "", **(world.get("TrainingJob", "fit").get("status") or {})}


def test_a_training_that_is_suspended_loses_its_pod_and_no_attempt(world: Objects, operator: OperatorProcess) -> None:
    pod = _train(world)
    world.merge("TrainingJob", "fit", {"spec": {"suspend": True}})
    eventually("the pod goes", lambda: "deletionTimestamp" in world.get("Pod", pod)["metadata"], seconds=15)
    Controllers(world).container(pod, exited(143), phase="Failed")  # what SIGTERM makes of most trainers
    world.delete("Pod", pod)
    eventually("it is suspended", lambda: "runningSince" not in _training(world), seconds=15)
    assert _training(world)["phase"] == "Suspended"
    world.merge("TrainingJob", "fit", {"spec": {"suspend": False}})
    _runs_on_a_node(world, "fit-1")
    eventually("it trains again", lambda: _training(world)["phase"] == "Running", seconds=15)
    assert (_training(world)["attempt"], world.names("Job")) == (1, ["fit-1"])
    assert operator.alive


def test_a_pod_that_is_evicted_costs_no_attempt(world: Objects, operator: OperatorProcess) -> None:
    pod = _train(world)
    Controllers(world).container(pod, exited(137), phase="Failed", condition="DisruptionTarget")
    _runs_on_a_node(world, "fit-1")
    eventually("it trains again", lambda: _training(world)["phase"] == "Running", seconds=15)
    assert (_training(world)["attempt"], world.names("Job")) == (1, ["fit-1"])
    assert operator.alive
