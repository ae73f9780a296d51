"""gRPC through the gateway: messages both ways as they come, trailers, and failures that HTTP does not see."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from fairlead_gateway.endpoints import Endpoint
from fairlead_gateway.render import Deployment
from tests.gateway.envoy import Envoy
from tests.gateway.h2c import PREFACE, Peer, Stream, decode, grpc_request, lookup, message
from tests.gateway.traffic import canary, counted, serving, stable

pytestmark = pytest.mark.process

WAIT_SECONDS = 10.0
Answer = Callable[[Stream], Coroutine[Any, Any, None]]


@dataclass
class Model:
    """A gRPC server. answer: what it does with a stream."""

    answer: Answer
    received: int = 0
    endpoint: Endpoint = field(default=Endpoint("", 0))
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.endpoint = Endpoint(*self._server.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        await reader.readexactly(len(PREFACE))
        peer = Peer(reader, writer)
        peer.on_stream = self._one
        peer.start()
        with contextlib.suppress(asyncio.CancelledError):
            await peer.serve()

    async def _one(self, stream: Stream) -> None:
        self.received += 1
        await self.answer(stream)


async def echo(stream: Stream) -> None:
    """Each piece back as it comes, then status 0 in the trailers."""
    stream.send_headers([(":status", "200"), ("content-type", "application/grpc")])
    while not (stream.ended.is_set() and stream.data.empty()):
        try:
            stream.send(await asyncio.wait_for(stream.data.get(), 0.05))
        except TimeoutError:
            continue
    stream.send_headers([("grpc-status", "0")], end=True)


async def unavailable(stream: Stream) -> None:
    """Status 14 at once: a gRPC answer of trailers only, 200 for HTTP."""
    await stream.ended.wait()
    stream.send_headers([(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "14")], end=True)


async def dial(port: int) -> tuple[Peer, asyncio.Task[None]]:
    """A client's connection to the gateway."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PREFACE)
    peer = Peer(reader, writer)
    peer.start()
    return peer, asyncio.create_task(peer.serve())


async def call(port: int, payload: bytes) -> Stream:
    """One unary call, to its end."""
    peer, reading = await dial(port)
    stream = peer.open(grpc_request("/model.Service/Predict"))
    stream.send(message(payload), end=True)
    async with asyncio.timeout(WAIT_SECONDS):
        await stream.ended.wait()
    reading.cancel()
    return stream


def grpc(name: str, weight: int, old: Endpoint, new: Endpoint, **fields: Any) -> Deployment:
    """Two gRPC models, the second one a canary."""
    arms = [stable(f"{name}-a", 100 - weight), canary(f"{name}-b", weight, failover=f"{name}-a")]
    return serving(name, arms, {f"{name}-a": [old], f"{name}-b": [new]}, protocol="grpc", **fields)


def test_the_reader_of_headers_knows_literals_indexes_and_huffman_codes() -> None:
    # RFC 7541, C.4.1 without indexing, and C.2.2.
    assert decode(bytes.fromhex("828684410f7777772e6578616d706c652e636f6d")) == [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
    ]
    assert decode(bytes.fromhex("418cf1e3c2e5f23a6ba0ab90f4ff")) == [(":authority", "www.example.com")]


async def test_messages_pass_both_ways_as_they_come_and_trailers_last(envoy: Envoy) -> None:
    async with Model(echo) as model:
        deployment = grpc("stream", 0, model.endpoint, model.endpoint, requestTimeout="off")
        await asyncio.to_thread(envoy.apply, [deployment], True)
        peer, reading = await dial(deployment.traffic.port)
        stream = peer.open(grpc_request("/model.Service/Stream"))
        async with asyncio.timeout(WAIT_SECONDS):
            for number in range(5):
                piece = message(b"%d" % number)
                stream.send(piece)
                assert await stream.data.get() == piece  # before the next one is sent
            stream.send(b"", end=True)
            await stream.ended.wait()
        reading.cancel()
    assert lookup(stream.headers)[":status"] == "200"
    assert lookup(stream.headers)["x-fairlead-revision"] == "stream-a"
    assert lookup(stream.trailers)["grpc-status"] == "0"


async def test_a_canary_that_says_unavailable_is_seen_by_nobody_and_counted(envoy: Envoy) -> None:
    async with Model(echo) as good, Model(unavailable) as bad:
        deployment = grpc("words", 100, good.endpoint, bad.endpoint)
        await asyncio.to_thread(envoy.apply, [deployment], True)
        streams = [await call(deployment.traffic.port, b"x") for _ in range(5)]
        assert [lookup(stream.trailers).get("grpc-status") for stream in streams] == ["0"] * 5
        assert {lookup(stream.headers)["x-fairlead-revision"] for stream in streams} == {"words-a"}
        counts = counted(envoy, deployment)["words-b", "canary"]
        assert (bad.received, good.received) == (5, 5)
        assert (counts["attempts_total"], counts["attempt_failures_total"], counts["failovers_total"]) == (5, 5, 5)


async def test_calls_to_an_ejected_canary_are_answered_by_stable_and_are_no_attempts(envoy: Envoy) -> None:
    async with Model(echo) as good, Model(unavailable) as bad:
        deployment = grpc("gone", 100, good.endpoint, bad.endpoint)
        await asyncio.to_thread(envoy.apply, [deployment], True)
        streams = [await call(deployment.traffic.port, b"x") for _ in range(15)]
        assert [lookup(stream.trailers).get("grpc-status") for stream in streams] == ["0"] * 15
        counts = counted(envoy, deployment)["gone-b", "canary"]
        assert counts["ejected"] == 1
        assert counts["attempts_total"] == counts["attempt_failures_total"] == bad.received < 15
        assert counts["absent_total"] == 15 - bad.received


async def test_without_an_endpoint_a_call_ends_with_unavailable(envoy: Envoy) -> None:
    deployment = serving("none", [stable("none-a")], {"none-a": []}, protocol="grpc")
    await asyncio.to_thread(envoy.apply, [deployment], True)
    stream = await call(deployment.traffic.port, b"x")
    assert lookup(stream.headers)["grpc-status"] == "14"
    assert lookup(stream.headers)["x-fairlead-reason"] == "NoReadyEndpoint"
