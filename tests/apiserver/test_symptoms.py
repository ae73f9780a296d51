"""What only the cluster can tell becomes a condition and an event within five seconds, and goes when the cause goes.

The kubelet, the scheduler and the Deployment controller are played: each writes what the real one writes.
"""

from collections.abc import Callable

import pytest
from tests.apiserver.controllers import Controllers, exited, running, waiting
from tests.apiserver.end_state import events
from tests.apiserver.objects import Objects, conditions, eventually
from tests.apiserver.operator_process import StartOperator

SHOWN_SECONDS = 5.0
WEB = {
    "kind": "ModelDeployment",
    "metadata": {"name": "web"},
    "spec": {"container": {"image": "registry.example/web:1"}},
}
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


def reasons(objects: Objects) -> set[str]:
    """The reasons of all conditions of `web`."""
    return {item["reason"] for item in conditions(objects.get("ModelDeployment", "web")).values()}


def deployment(objects: Objects) -> str:
    """The name of the one Deployment, once it is there."""
    return str(eventually("a Deployment", lambda: objects.names("Deployment"), seconds=10)[0])


def expect(objects: Objects, reason: str) -> None:
    """The condition and the event."""
    eventually(reason, lambda: reason in reasons(objects), seconds=SHOWN_SECONDS, shows=lambda: reasons(objects))
    eventually(f"event {reason}", lambda: ("web", reason) in events(objects), seconds=SHOWN_SECONDS)


def expect_healed(objects: Objects, reason: str) -> None:
    """`web` serves, and no condition says the reason any more."""
    eventually("web serves", lambda: "Serving" in reasons(objects), seconds=SHOWN_SECONDS)
    assert reason not in reasons(objects)


@pytest.mark.parametrize("reason", PODS)
def test_what_keeps_a_pod_from_running_is_shown_and_heals(
    reason: str, start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    start_operator()
    objects.create(WEB)
    name = deployment(objects)
    pod = controllers.pod_of("Deployment", name)
    PODS[reason](controllers, pod)
    expect(objects, reason)
    objects.merge("Pod", pod, {"status": {"phase": "Running", "conditions": []}}, "status")
    controllers.container(pod, running(), phase="Running")
    controllers.deployment_ready(name)
    expect_healed(objects, reason)


def test_a_quota_that_refuses_pods_is_shown_and_heals(
    start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    start_operator()
    objects.create(WEB)
    name = deployment(objects)
    words = f'pods "{name}-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1'
    controllers.deployment_refused(name, words)
    expect(objects, "QuotaExceeded")
    message = conditions(objects.get("ModelDeployment", "web"))["Ready"]["message"]
    assert "exceeded quota: small" in message
    controllers.deployment_ready(name)
    expect_healed(objects, "QuotaExceeded")


def test_a_broken_second_revision_is_shown_while_the_first_one_serves(
    start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    start_operator()
    objects.create(WEB)
    first = deployment(objects)
    controllers.deployment_ready(first)
    eventually("web serves", lambda: "Serving" in reasons(objects), seconds=10)
    selected = objects.get("Service", "web")["spec"]["selector"]
    objects.merge("ModelDeployment", "web", {"spec": {"container": {"image": "registry.example/web:2"}}})
    eventually("a second Deployment", lambda: len(objects.names("Deployment")) == 2, seconds=10)
    second = next(name for name in objects.names("Deployment") if name != first)
    pod = controllers.pod_of("Deployment", second)
    controllers.container(pod, exited(7, message="boom", restarts=2), phase="Running")
    expect(objects, "ContainerCrashed")
    found = conditions(objects.get("ModelDeployment", "web"))
    assert found["Ready"]["status"] == "True"
    assert found["RolledOut"]["status"] == "False"
    assert objects.get("Service", "web")["spec"]["selector"] == selected
    assert objects.names("Deployment") == [first]
