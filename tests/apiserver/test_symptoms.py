"""What only the cluster can tell becomes a condition and an event within five seconds, and goes when the cause goes.

The kubelet, the scheduler and the Deployment controller are played: each writes what the real one writes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from tests.apiserver.controllers import Controllers, exited, running, waiting
from tests.apiserver.end_state import events
from tests.apiserver.objects import Objects, conditions, eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.cluster import ControlPlane

SHOWN_SECONDS = 5.0
NOT_FOUND = 'failed to pull and unpack image "registry.example/web:1": not found'
NO_SECRET = 'secret "token" not found'
NO_NODE = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
Play = Callable[[Controllers, str], None]
"""What the kubelet or the scheduler says of a pod."""

PODS: dict[str, Play] = {
    "ImageNotFound": lambda world, pod: world.container(pod, waiting("ErrImagePull", NOT_FOUND)),
    "SecretNotFound": lambda world, pod: world.container(pod, waiting("CreateContainerConfigError", NO_SECRET)),
    "Unschedulable": lambda world, pod: world.unschedulable(pod, NO_NODE),
    "ContainerCrashed": lambda world, pod: world.container(pod, exited(7, message="no such option"), phase="Running"),
    "OutOfMemory": lambda world, pod: world.container(pod, exited(137, "OOMKilled"), phase="Running"),
}


@dataclass(frozen=True)
class Street:
    """One ModelDeployment among others in the namespace of a running operator."""

    objects: Objects
    controllers: Controllers
    name: str

    def create(self) -> str:
        """Make it; the name of its first Deployment."""
        spec = {"container": {"image": "registry.example/web:1"}}
        self.objects.create({"kind": "ModelDeployment", "metadata": {"name": self.name}, "spec": spec})
        return str(eventually("a Deployment", self.deployments, seconds=10)[0])

    def deployments(self) -> list[str]:
        """The names of its Deployments."""
        return [name for name in self.objects.workload_names() if name.startswith(f"{self.name}-")]

    def conditions(self) -> dict[str, dict[str, str]]:
        """By type."""
        return conditions(self.objects.get("ModelDeployment", self.name))

    def reasons(self) -> set[str]:
        """Of all conditions."""
        return {item["reason"] for item in self.conditions().values()}

    def selected(self) -> str:
        """The revision that users are sent to."""
        return str(self.objects.get("ModelDeployment", self.name)["status"]["traffic"]["arms"][0]["revision"])

    def expect(self, reason: str) -> None:
        """The condition and the event."""
        eventually(reason, lambda: reason in self.reasons(), seconds=SHOWN_SECONDS, shows=self.reasons)
        told = (self.name, reason)
        eventually(f"event {reason}", lambda: told in events(self.objects), seconds=SHOWN_SECONDS)

    def expect_healed(self, reason: str) -> None:
        """It serves, and no condition says the reason any more."""
        eventually("it serves", lambda: "Serving" in self.reasons(), seconds=SHOWN_SECONDS, shows=self.reasons)
        assert reason not in self.reasons()


@pytest.fixture(scope="module")
def town(
    control_plane: ControlPlane, api: httpx.Client, crds: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Objects]:
    """A namespace with an operator, for all tests of this module."""
    name = f"symptoms-{uuid4().hex[:8]}"
    api.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
    folder, settings = tmp_path_factory.mktemp("symptoms"), {"watchNamespaces": [name]}
    operator = OperatorProcess.start(control_plane, folder, user="operator-s", namespace=name, settings=settings)
    yield Objects(api, name)
    operator.kill()
    api.delete(f"/apis/fairlead.dev/v1alpha1/namespaces/{name}/modeldeployments").raise_for_status()


@pytest.fixture
def street(town: Objects) -> Street:
    """A ModelDeployment of the test's own, to be created."""
    return Street(town, Controllers(town), f"web{uuid4().hex[:6]}")


@pytest.mark.parametrize("reason", PODS)
def test_what_keeps_a_pod_from_running_is_shown_and_heals(reason: str, street: Street) -> None:
    deployment = street.create()
    pod = street.controllers.pod_of("Deployment", deployment)
    PODS[reason](street.controllers, pod)
    street.expect(reason)
    street.objects.merge("Pod", pod, {"status": {"phase": "Running", "conditions": []}}, "status")
    street.controllers.container(pod, running(), phase="Running")
    street.controllers.deployment_ready(deployment)
    street.expect_healed(reason)


def test_a_quota_that_refuses_pods_is_shown_and_heals(street: Street) -> None:
    deployment = street.create()
    words = 'pods "web-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1'
    street.controllers.deployment_refused(deployment, words)
    street.expect("QuotaExceeded")
    assert "exceeded quota: small" in street.conditions()["Ready"]["message"]
    street.controllers.deployment_ready(deployment)
    street.expect_healed("QuotaExceeded")


def test_a_broken_second_revision_is_shown_while_the_first_one_serves(street: Street) -> None:
    first = street.create()
    street.controllers.deployment_ready(first)
    eventually("it serves", lambda: "Serving" in street.reasons(), seconds=10)
    street.objects.merge("ModelDeployment", street.name, {"spec": {"container": {"image": "registry.example/web:2"}}})
    eventually("a second Deployment", lambda: len(street.deployments()) == 2, seconds=10)
    second = next(name for name in street.deployments() if name != first)
    pod = street.controllers.pod_of("Deployment", second)
    street.controllers.container(pod, exited(7, message="boom", restarts=2), phase="Running")
    street.expect("ContainerCrashed")
    found = street.conditions()
    assert found["Ready"]["status"] == "True"
    assert found["RolledOut"]["status"] == "False"
    assert street.selected() == first
    eventually("the second one is gone", lambda: street.deployments() == [first], seconds=SHOWN_SECONDS)
