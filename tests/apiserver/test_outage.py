"""The API server goes away and comes back: the operator ends, and its successor does what was asked for."""

import ssl
from pathlib import Path

import httpx
from tests.apiserver.conftest import CRDS, wait_until_served
from tests.apiserver.controllers import Controllers
from tests.apiserver.objects import Objects, eventually
from tests.apiserver.operator_process import SHORT_LEASE, OperatorProcess
from tests.cluster import ControlPlane, control_plane
from tests.cluster.progress import pause, step

OUTAGE_SECONDS = 10
CONVERGE_SECONDS = 20.0


def start(plane: ControlPlane, folder: Path) -> OperatorProcess:
    """An operator that watches all namespaces."""
    settings = {"lease": SHORT_LEASE, "retirementGraceSeconds": 1}
    return OperatorProcess.start(plane, folder, user="operator-a", namespace="default", settings=settings)


def serves(objects: Objects) -> dict[str, object]:
    """The phase of `web`, and image and replicas of each Deployment."""
    specs = [item["spec"] for item in objects.workloads()]
    pods = {item["template"]["spec"]["containers"][0]["image"]: item["replicas"] for item in specs}
    return {"phase": objects.get("ModelDeployment", "web")["status"]["phase"], "pods": pods}


def change_during_an_outage(plane: ControlPlane, objects: Objects, operator: OperatorProcess) -> None:
    """The outage begins when the operator has been told of a new revision, and may be anywhere in it."""
    spec = {"container": {"image": "registry.example/web:1"}}
    objects.create({"kind": "ModelDeployment", "metadata": {"name": "web"}, "spec": spec})
    eventually("a Deployment", objects.workload_names, seconds=10)
    Controllers(objects).all_ready()
    objects.merge("ModelDeployment", "web", {"spec": {"replicas": 3, "container": {"image": "registry.example/web:2"}}})
    with step(f"the API server is away for {OUTAGE_SECONDS} s"):
        plane.stop_apiserver()
        pause(OUTAGE_SECONDS)
    plane.start_apiserver()
    # Its lease has run out meanwhile, so it ends; the kubelet would start it anew.
    eventually("the operator ends itself", lambda: not operator.alive, seconds=15)
    assert operator.process.returncode == 1


def test_what_was_asked_for_before_an_outage_comes_about_after_it(tmp_path: Path) -> None:
    with control_plane(tmp_path / "plane") as plane:
        plane.kubectl("apply", "-f", str(CRDS))
        wait_until_served(plane)
        trust = ssl.create_default_context(cafile=str(plane.ca))
        trust.load_cert_chain(str(plane.admin_cert), str(plane.admin_key))
        operator = start(plane, tmp_path)
        with httpx.Client(base_url=plane.url, verify=trust, timeout=10, trust_env=False) as api:
            objects = Objects(api, "default")
            try:
                change_during_an_outage(plane, objects, operator)
                operator = start(plane, tmp_path)
                converge(objects)
            finally:
                operator.kill()


def converge(objects: Objects) -> None:
    """The new revision comes up with its three pods, and the old one goes."""
    world = Controllers(objects)
    wanted = {"phase": "Stable", "pods": {"registry.example/web:2": 3}}

    def converged() -> bool:
        world.all_ready()
        return serves(objects) == wanted

    eventually("the new revision serves", converged, seconds=CONVERGE_SECONDS, shows=lambda: serves(objects))
