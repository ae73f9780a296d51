"""The operator's reader of gateways against a real gateway: its renderer, its Envoy, real tokens."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from tests.apiserver.gateway_world import GatewayWorld, gateway_world, traffic
from tests.cluster import ControlPlane
from tests.gateway.backend import Backend
from tests.gateway.traffic import next_port

from fairlead.adapters.clock import SystemClock
from fairlead.adapters.gateways import HttpGateways, TokenFile
from fairlead.core.world import Report
from fairlead.errors import GatewayError
from fairlead.shell.keys import Key
from fairlead.shell.queue import WorkQueue
from fairlead.shell.reports import Reports
from fairlead.shell.telemetry import Telemetry

PORT = next_port()
AUDIENCE = "fairlead-evidence"
PROGRAMMED_SECONDS = 0.5
SLACK_SECONDS = 2.0
"""What a machine that runs other tests beside this one may add."""
T = TypeVar("T")


@pytest.fixture
def world(control_plane: ControlPlane, api: httpx.Client, namespace: str, tmp_path: Path) -> Iterator[GatewayWorld]:
    """A namespace whose gateway runs and serves one stable pod."""
    with gateway_world(control_plane, api, namespace, tmp_path) as found, Backend("0.0.0.0", body=b"stable") as pod:
        found.gateway.start()
        found.endpoints("stable-rev", [pod])
        found.deploy("churn")
        found.serve("churn", traffic(1, PORT, latencyLimit="250ms"))
        yield found


@pytest.fixture
def token(world: GatewayWorld, tmp_path: Path) -> Path:
    """The operator's own, as the kubelet would have projected it."""
    path = tmp_path / "evidence-token"
    path.write_text(world.token("fairlead", AUDIENCE))
    return path


@pytest.fixture
async def gateways(token: Path) -> AsyncIterator[HttpGateways]:
    made = HttpGateways(TokenFile(token))
    yield made
    await made.close()


def replace(path: Path, text: str) -> None:
    """As the kubelet does it."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.replace(path)


def pod_body(world: GatewayWorld) -> dict[str, Any]:
    """The gateway's pod, as the cache has it."""
    ports = [{"name": "evidence", "containerPort": world.gateway.evidence_port}]
    return {
        "kind": "Pod",
        "metadata": {
            "name": "gateway-1",
            "uid": "u-1",
            "ownerReferences": [{"kind": "ReplicaSet", "controller": True}],
        },
        "spec": {"initContainers": [{"ports": ports}]},
        "status": {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    }


@contextlib.asynccontextmanager
async def reading(world: GatewayWorld, gateways: HttpGateways) -> AsyncIterator[tuple[Reports, WorkQueue]]:
    """The leader's reader, at work."""
    queue = WorkQueue(SystemClock(), jitter=lambda seconds: seconds)
    reports = Reports(
        gateways, queue, SystemClock(), Telemetry(), pods=lambda _: [pod_body(world)], jitter=lambda seconds: seconds
    )
    running = asyncio.create_task(reports.run())
    try:
        yield reports, queue
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def soon(find: Callable[[], T], seconds: float) -> T:
    """What `find` gives as soon as it gives something."""
    async with asyncio.timeout(seconds):
        while not (found := find()):  # noqa: ASYNC110 -- nothing tells of the moment
            await asyncio.sleep(0.01)
        return found


async def test_what_the_gateway_counted_is_read_to_the_last_request(
    world: GatewayWorld, gateways: HttpGateways
) -> None:
    for _ in range(30):
        assert world.ask(PORT).status_code == 200
    await asyncio.sleep(1.5)  # Envoy's histograms lag its counters by a flush
    found = await gateways.read("127.0.0.1", world.gateway.evidence_port)
    assert found.started_seconds > 0
    deployment = found.deployments["churn"]
    assert (deployment.generation, deployment.epoch, deployment.rejection, deployment.rejections) == (1, 1, None, 0)
    assert deployment.latency_limit_seconds >= 0.25
    assert deployment.endpoints == {"stable-rev": 1}
    arm = deployment.arms["stable-rev", "stable"]
    assert (arm.attempts, arm.attempt_failures, arm.attempts_slow, arm.absent) == (30, 0, 0, 0)
    later = await gateways.read("127.0.0.1", world.gateway.evidence_port)
    assert later.at_seconds >= found.at_seconds
    assert later.started_seconds == found.started_seconds


async def test_another_token_opens_nothing(world: GatewayWorld, gateways: HttpGateways, token: Path) -> None:
    await gateways.read("127.0.0.1", world.gateway.evidence_port)
    for account, audience, why in (
        ("other", AUDIENCE, "subject"),
        ("fairlead", "other", "audience"),
        ("fairlead", "", "audience"),
    ):
        replace(token, world.token(account, audience))
        with pytest.raises(GatewayError, match=f"does not take the operator's token: '{why}'") as caught:
            await gateways.read("127.0.0.1", world.gateway.evidence_port)
        assert caught.value.outcome == "unauthorized"
    replace(token, world.token("fairlead", AUDIENCE))
    await gateways.read("127.0.0.1", world.gateway.evidence_port)


async def test_a_written_generation_is_reported_within_half_a_second_and_so_is_a_rejection(
    world: GatewayWorld, gateways: HttpGateways
) -> None:
    key = Key("ModelDeployment", world.namespace, "churn")
    async with reading(world, gateways) as (reports, _):

        def said(generation: int) -> Report | None:
            return reports.follow(key, generation=generation, watched=False).reports.get("gateway-1")

        assert await soon(lambda: said(1), PROGRAMMED_SECONDS + SLACK_SECONDS) == Report(1, 1)
        for generation in (2, 3):
            world.traffic("churn", traffic(generation, PORT))
            started = time.monotonic()
            await soon(lambda: said(generation) == Report(generation, 1), PROGRAMMED_SECONDS + SLACK_SECONDS)  # noqa: B023
            print(f"reported after {time.monotonic() - started:.2f} s")
        nobody = [{"revision": "nobody", "headers": [{"name": "a", "value": "b"}]}]
        world.traffic("churn", traffic(4, PORT, match=nobody))
        rejected = await soon(
            lambda: (report := said(4)) and report.rejected_reason and report, PROGRAMMED_SECONDS + SLACK_SECONDS
        )
        assert rejected
        assert (rejected.generation, rejected.rejected_reason) == (3, "Invalid")
        assert "status.traffic" in rejected.rejected_message
        assert world.ask(PORT).status_code == 200


async def test_a_gateway_that_ends_becomes_silent_and_its_keys_come_back(
    world: GatewayWorld, gateways: HttpGateways
) -> None:
    key = Key("ModelDeployment", world.namespace, "churn")
    async with reading(world, gateways) as (reports, queue):
        await soon(lambda: reports.follow(key, generation=1, watched=True).reports, 5)
        assert await queue.get() == key
        queue.done(key)
        world.gateway.kill("renderer")
        silent = await soon(lambda: reports.follow(key, generation=1, watched=True).silent, 10)
        assert silent == {"gateway-1"}
        assert await asyncio.wait_for(queue.get(), 1) == key
        assert reports.evidence(world.namespace) == {}
