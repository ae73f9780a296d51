"""A broken new revision never replaces a working one, and its reason is shown within seconds."""

import time
from typing import Any

import pytest
from tests.e2e.world import CRASH, HOG, World, web
from tests.load import LoadPlan, background_load

pytestmark = pytest.mark.together

SHOWN_SECONDS = 5.0
"""From the fact, which the kubelet or scheduler states, to the condition."""

OF_WEB = "fairlead.dev/modeldeployment=web"

BROKEN: dict[str, tuple[dict[str, Any], set[str], bool]] = {
    "an image that does not exist": (
        {"image": "localhost/no-such-image:1"},
        {"ImageNotFound", "ImagePullFailed"},
        False,
    ),
    "a container that crashes": ({"command": ["python", "-c", CRASH]}, {"ContainerCrashed"}, True),
    "a container that runs out of memory": ({"command": ["python", "-c", HOG]}, {"OutOfMemory"}, True),
}


@pytest.mark.parametrize("what", BROKEN)
def test_stable_serves_on_beside(world: World, what: str) -> None:
    change, reasons, quarantined = BROKEN[what]
    world.apply(web("web", "1"))
    stable = world.wait_rolled_out("web")["status"]["stable"]["revision"]
    with background_load(LoadPlan(url=world.url("web"), rate=40, seconds=200, expect_body="version 1")) as load:
        world.apply(web("web", "2", container=change))
        world.wait(f"one of {reasons}", lambda: world.reason("md", "web") in reasons, seconds=60)
        if quarantined:
            world.wait("quarantine", lambda: _status(world).get("quarantine"), seconds=90)
            world.wait("candidate's pods gone", lambda: len(world.items("deploy", OF_WEB)) == 1, seconds=60)
        else:
            time.sleep(5)
        report = load.report()
    assert report.failed == 0, report
    status = _status(world)
    assert status["stable"]["revision"] == stable
    assert world.condition("md", "web", "Ready")["status"] == "True"
    assert world.condition("md", "web", "RolledOut")["status"] == "False"
    assert reasons & set(world.events("web")), "the event carries the same word"
    if quarantined:
        assert status["phase"] == "RolledBack"
        assert world.condition("md", "web", "Stalled")["status"] == "True"


def _status(world: World) -> dict[str, Any]:
    status = (world.get("md", "web") or {}).get("status", {})
    assert isinstance(status, dict)
    return status


def test_the_crash_message_holds_exit_code_and_last_lines(world: World) -> None:
    world.apply(web("web", "1", container={"command": ["python", "-c", CRASH]}))
    world.wait_reason("md", "web", "ContainerCrashed", seconds=60)
    message = world.condition("md", "web", "RolledOut")["message"]
    assert "code 9" in message
    assert "the weights file is torn" in message


def test_a_first_version_that_fails_heals_when_the_spec_is_mended(world: World) -> None:
    world.apply(web("web", "1", container={"command": ["python", "-c", CRASH]}))
    world.wait("Failed", lambda: _status(world).get("phase") == "Failed", seconds=90)
    assert world.condition("md", "web", "Ready")["status"] == "False"
    world.apply(web("web", "2"))
    assert world.wait_rolled_out("web")["status"]["phase"] == "Stable"


def test_a_missing_secret_is_named_and_heals_when_it_comes(world: World) -> None:
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "late", "key": "token"}}}]
    world.apply(web("web", "1", container={"env": env}))
    # A busy kubelet first says only that its cache is not there yet.
    seen = world.wait("the kubelet's word", lambda: _waiting(world, '"late" not found'), seconds=60)
    started = time.monotonic()

    def named() -> bool:
        return '"late"' in str(world.condition("md", "web", "RolledOut").get("message", ""))

    world.wait("the Secret named", named, seconds=SHOWN_SECONDS)
    print(f"shown {time.monotonic() - started:.1f} s after {seen}")
    assert world.reason("md", "web") == "SecretNotFound"
    world.kubectl("create", "secret", "generic", "late", "--from-literal=token=x")
    world.wait_rolled_out("web", seconds=90)


def _waiting(world: World, words: str) -> str:
    """What the kubelet says a container waits for, if it says these words."""
    for pod in world.items("pods"):
        for item in pod.get("status", {}).get("containerStatuses", ()):
            if words in (said := str(item.get("state", {}).get("waiting", {}).get("message", ""))):
                return said
    return ""


def test_an_exceeded_quota_is_shown_and_heals(world: World) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "0"}},
    }
    world.apply(quota)
    world.apply(web("web", "1"))
    world.wait_reason("md", "web", "QuotaExceeded", seconds=15)
    world.kubectl("delete", "resourcequota", "small")
    world.wait_rolled_out("web", seconds=120)


def test_a_pod_that_pod_security_refuses_says_so(world: World) -> None:
    world.apply(web("web", "1", serviceAccountName="nobody-made-me"))
    world.wait_reason("md", "web", "PodsForbidden", seconds=15)
    assert "nobody-made-me" in world.condition("md", "web", "RolledOut")["message"]


def test_a_foreign_service_of_the_same_name_is_left_alone(world: World) -> None:
    world.kubectl("create", "service", "clusterip", "web", "--tcp=80:80")
    before = world.get("svc", "web")
    world.apply(web("web", "1"))
    world.wait_reason("md", "web", "NameConflict", seconds=15)
    assert world.get("svc", "web") == before
    world.kubectl("delete", "svc", "web")
    world.wait_rolled_out("web", seconds=60)


@pytest.mark.parametrize("product", [None, "NVIDIA-H200"])
def test_a_gpu_request_waits_for_a_node_that_has_gpus(world: World, product: str | None) -> None:
    node = world.cluster.node_name
    gpu: dict[str, Any] = {"count": 1, **({"product": product} if product else {})}
    world.apply(web("web", "1", gpu=gpu, sharedMemory="64Mi"))
    world.wait_reason("md", "web", "Unschedulable", seconds=15)
    capacity = '[{"op":"add","path":"/status/capacity/nvidia.com~1gpu","value":"2"}]'
    try:
        world.cluster.kubectl("patch", "node", node, "--subresource=status", "--type=json", "-p", capacity)
        world.cluster.kubectl("taint", "node", node, "nvidia.com/gpu=present:NoSchedule", "--overwrite")
        if product:
            time.sleep(3)
            assert world.reason("md", "web") == "Unschedulable", "another product does not do"
            world.cluster.kubectl("label", "node", node, f"nvidia.com/gpu.product={product}", "--overwrite")
        world.wait_rolled_out("web", seconds=120)
        mounts = world.kubectl("exec", f"deploy/{_status(world)['stable']['revision']}", "--", "df", "-k", "/dev/shm")
        assert "65536" in mounts
    finally:
        world.cluster.kubectl("taint", "node", node, "nvidia.com/gpu-", check=False)
        world.cluster.kubectl("label", "node", node, "nvidia.com/gpu.product-", check=False)
        drop = '[{"op":"remove","path":"/status/capacity/nvidia.com~1gpu"}]'
        world.cluster.kubectl("patch", "node", node, "--subresource=status", "--type=json", "-p", drop, check=False)
        # The kubelet goes on offering them until its next look, and the next test would find a node that has some.
        left = ("get", "node", node, "-o", r"jsonpath={.status.allocatable.nvidia\.com/gpu}")
        world.wait("a node without GPUs", lambda: world.cluster.kubectl(*left).strip() in ("", "0"), seconds=60)
