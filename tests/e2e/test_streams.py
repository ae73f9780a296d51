"""Streams, websockets, large bodies, slow clients and gRPC through the gateway of the whole cluster."""

import asyncio
import contextlib
import hashlib
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import grpc
import pytest
from tests import platform
from tests.bench.gateway.process import parse_memory
from tests.cluster import images
from tests.cluster.interface import Cluster
from tests.e2e.gateway import ANSWERED_BY, NAME, SELECTOR, Gateway, settle
from tests.e2e.killing import processes
from tests.e2e.world import World, namespaced, web

pytestmark = pytest.mark.together

IMAGE = "localhost/fairlead-streams:dev"
HUNDRED_MEGABYTES = 100 * 1000 * 1000
MEGABYTE = 1000 * 1000
WAIT_SECONDS = 30.0
HALF = {
    "canary": {"steps": [{"weight": 50, "minRequests": 100000, "minDuration": "10m"}], "failover": True},
    "checks": {"mode": "observe"},
}
"""Half of the requests to the canary, whatever it does with them."""


def streaming(protocol: str, *, fail: bool = False) -> dict[str, Any]:
    """A ModelDeployment of the pod that streams, whose requests may last as long as they like."""
    env = {"PROTOCOL": protocol, "FAIL": str(int(fail))}
    container: dict[str, Any] = {
        "image": IMAGE,
        "command": ["python", "/app/server.py"],
        "protocol": protocol,
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "readinessPath": "/ready" if protocol == "http" else None,
    }
    made = web(NAME, "1", container=container, rollout=HALF, requestTimeout="off")
    made["spec"]["container"] = {name: value for name, value in container.items() if value is not None}
    return made


def deployed(world: World, protocol: str) -> Gateway:
    """It serves, and every gateway pod is ready."""
    world.apply(streaming(protocol))
    gateway = Gateway(world, world.wait_rolled_out(NAME, seconds=90)["status"]["stable"]["revision"])
    gateway.wait_pods()
    return gateway


@contextlib.contextmanager
def failing_canary(gateway: Gateway, protocol: str) -> Iterator[str]:
    """A second revision that fails whatever it is asked, with half of the requests; its name."""
    gateway.world.apply(streaming(protocol, fail=True))
    gateway.world.wait("phase Canary", lambda: _status(gateway)["phase"] == "Canary", seconds=90)
    gateway.wait_served(_status(gateway)["traffic"]["generation"])
    yield str(_status(gateway)["candidate"]["revision"])
    gateway.world.apply(streaming(protocol))
    gateway.world.wait("no canary", lambda: _status(gateway)["phase"] == "Stable", seconds=60)
    gateway.wait_served(_status(gateway)["traffic"]["generation"])


def _status(gateway: Gateway) -> dict[str, Any]:
    return gateway.world.status("md", NAME)


def _address(gateway: Gateway) -> str:
    return urlsplit(gateway.world.url(NAME)).hostname or ""


@pytest.fixture(scope="module")
def image(cluster: Cluster) -> str:
    """The pod's image, on the node."""
    images.build(IMAGE, platform.ROOT / "tests/e2e/streams/Dockerfile", platform.ROOT)
    cluster.load(IMAGE)
    return IMAGE


@pytest.fixture(scope="module")
def over_http(cluster: Cluster, image: str) -> Iterator[Gateway]:
    """One that streams over HTTP."""
    with namespaced(cluster) as world:
        yield deployed(world, "http")


@pytest.fixture(scope="module")
def over_grpc(cluster: Cluster, image: str) -> Iterator[Gateway]:
    """One that speaks gRPC."""
    with namespaced(cluster) as world:
        yield deployed(world, "grpc")


async def test_events_come_one_by_one_as_they_are_sent(over_http: Gateway) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{over_http.world.url(NAME)}/events") as answer:
        assert answer.headers[ANSWERED_BY] == over_http.stable
        came = [(time.monotonic(), line) async for line in answer.content if line.strip()]
    assert [line for _, line in came] == [b"data: %d\n" % number for number in range(8)]
    assert all(later - earlier > 0.2 for (earlier, _), (later, _) in itertools.pairwise(came)), came


async def test_a_websocket_speaks_both_ways(over_http: Gateway) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{over_http.world.url(NAME)}/socket") as opened,
    ):
        assert opened._response.headers[ANSWERED_BY] == over_http.stable
        for number in range(5):
            await opened.send_str(f"{number}")
            assert await opened.receive_str(timeout=WAIT_SECONDS) == f"{number}"
            await asyncio.sleep(0.4)


async def test_a_hundred_megabytes_pass_both_ways_and_no_gateway_keeps_them(over_http: Gateway) -> None:
    body = os.urandom(MEGABYTE) * 100
    before = _memory(over_http)
    url = f"{over_http.world.url(NAME)}/bodies?answer={HUNDRED_MEGABYTES}"
    async with aiohttp.ClientSession() as session, session.post(url, data=_in_pieces(body)) as answer:
        assert (answer.status, answer.headers[ANSWERED_BY]) == (200, over_http.stable)
        assert answer.headers["x-body-length"] == str(len(body))
        assert answer.headers["x-body-sha256"] == hashlib.sha256(body).hexdigest()
        received = sum([len(piece) async for piece in answer.content.iter_any()])
    assert received == HUNDRED_MEGABYTES
    assert sum(_memory(over_http)) - sum(before) < 20 * MEGABYTE


async def _in_pieces(body: bytes) -> Any:
    for start in range(0, len(body), MEGABYTE):
        yield body[start : start + MEGABYTE]


def _memory(gateway: Gateway) -> list[int]:
    """The private memory of the processes in the gateway's pods, in bytes."""
    found = [pid for pod in gateway.world.items("pods", SELECTOR) for pid in processes(pod["metadata"]["uid"])]
    assert len(found) == 2 * len(gateway.pods())
    return [int(parse_memory(Path(f"/proc/{pid}/status").read_text()).private_mib * 2**20) for pid in found]


async def test_slow_clients_are_waited_for_and_keep_nobody_up(over_http: Gateway) -> None:
    url = f"{over_http.world.url(NAME)}/bodies"
    reader, writer = await asyncio.open_connection(_address(over_http), 80, limit=1 << 16)
    writer.write(f"POST /bodies?answer={5 * MEGABYTE} HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\n".encode())
    async with aiohttp.ClientSession() as session:
        for _ in range(20):
            writer.write(b"y")
            await writer.drain()
            await asyncio.sleep(0.1)
            async with session.post(url, data=b"quick") as answer:
                assert answer.status == 200
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert f"{ANSWERED_BY}: {over_http.stable}".encode() in head
    received = 0
    while received < 5 * MEGABYTE:
        received += len(await reader.read(1 << 16))
        await asyncio.sleep(0.02)
    assert received == 5 * MEGABYTE
    writer.close()


async def test_a_body_too_long_to_send_twice_is_answered_by_the_canary_and_counted(over_http: Gateway) -> None:
    url = f"{over_http.world.url(NAME)}/bodies"
    seen: list[tuple[int, int, str]] = []
    with failing_canary(over_http, "http") as canary:
        async with aiohttp.ClientSession() as session:
            for size in (1000, MEGABYTE) * 40:
                async with session.post(url, data=b"x" * size) as answer:
                    seen.append((size, answer.status, answer.headers[ANSWERED_BY]))
        settle()
        names = ("failovers_impossible", "failovers", "attempts", "absent")
        counted = {name: _counted(over_http, name, canary) for name in names}
    failed = [one for one in seen if one[1] != 200]
    assert failed
    assert set(failed) == {(MEGABYTE, 500, canary)}, "a short one is answered by stable"
    assert {who for _, status, who in seen if status == 200} == {over_http.stable}
    assert counted["failovers_impossible"] == len(failed)
    assert counted["attempts"] == counted["failovers_impossible"] + counted["failovers"] - counted["absent"]


def _counted(gateway: Gateway, name: str, revision: str) -> int:
    return int(gateway.total(f"fairlead_gateway_{name}_total", revision=revision))


def _method(channel: grpc.aio.Channel, kind: str, name: str) -> Any:
    """A method whose messages are bytes as they are."""
    return getattr(channel, kind)(f"/streams.Model/{name}")


def _told(metadata: Sequence[tuple[str, str | bytes]]) -> str | bytes:
    return dict(metadata)[ANSWERED_BY]


async def test_grpc_calls_and_streams_pass_both_ways_as_they_come(over_grpc: Gateway) -> None:
    async with grpc.aio.insecure_channel(f"{_address(over_grpc)}:80") as channel:
        over_grpc.world.url(NAME)
        call = _method(channel, "unary_unary", "Predict")(b"x" * 2 * MEGABYTE, timeout=WAIT_SECONDS)
        assert await call == b"x" * 2 * MEGABYTE
        assert _told(await call.initial_metadata()) == over_grpc.stable
        chat = _method(channel, "stream_stream", "Chat")(timeout=WAIT_SECONDS)
        for number in range(5):
            await chat.write(b"%d" % number)
            assert await chat.read() == b"%d" % number, "before the next one is sent"
        await chat.done_writing()
        assert await chat.code() is grpc.StatusCode.OK
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _method(channel, "unary_unary", "Nothing")(b"", timeout=WAIT_SECONDS)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_grpc_canary_that_says_unavailable_is_seen_by_nobody_and_counted(over_grpc: Gateway) -> None:
    with failing_canary(over_grpc, "grpc") as canary:
        async with grpc.aio.insecure_channel(f"{_address(over_grpc)}:80") as channel:
            calls = [_method(channel, "unary_unary", "Predict")(b"x", timeout=WAIT_SECONDS) for _ in range(60)]
            assert await asyncio.gather(*calls) == [b"x"] * 60
            assert {_told(await call.initial_metadata()) for call in calls} == {over_grpc.stable}
        settle()
        names = ("attempts", "attempt_failures", "failovers_impossible")
        counted = {name: _counted(over_grpc, name, canary) for name in names}
    assert counted["attempts"] > 0
    assert counted["attempt_failures"] == counted["attempts"]
    assert counted["failovers_impossible"] == 0
