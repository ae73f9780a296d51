"""What passes through as it is: bodies of any size, streams, websockets, slow clients, paths and headers."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.backend import Backend, Request
from tests.gateway.client import ask, connect, read_until
from tests.gateway.envoy import Envoy
from tests.gateway.traffic import canary, counted, serving, stable

pytestmark = pytest.mark.process

HUNDRED_MEGABYTES = 100 * 1000 * 1000
MEGABYTE = 1000 * 1000


@pytest.fixture
def pod() -> Iterator[Backend]:
    with Backend() as running:
        running.keep_requests = 1
        yield running


def serve(envoy: Envoy, pod: Backend, **fields: Any) -> int:
    """The port of a ModelDeployment with this one pod."""
    deployment = serving("plain", [stable("plain-a")], {"plain-a": [pod]}, **fields)
    envoy.apply([deployment], forget=True)
    return deployment.traffic.port


def test_the_answer_names_the_revision_whatever_the_pod_says_of_itself(envoy: Envoy, pod: Backend) -> None:
    pod.behaviour.headers = {"x-fairlead-revision": "liar", "server": "theirs"}
    answer = ask(serve(envoy, pod))
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers["x-fairlead-revision"] == "plain-a"
    assert answer.headers["server"] == "theirs"
    assert not [name for name in answer.headers if name.startswith("x-envoy")]


def test_a_path_arrives_as_it_was_sent(envoy: Envoy, pod: Backend) -> None:
    path = "/v2//models/%2E%2e/a%2Fb/../x;y=1/?q=%zz&r=a+b"
    assert ask(serve(envoy, pod), path).status == 200
    assert pod.requests[0].path == path


def test_users_cannot_steer_envoy_by_headers(envoy: Envoy, pod: Backend) -> None:
    pod.behaviour.after_seconds = 0.1
    pod.behaviour.fail_percent = 100
    steering = {
        "x-envoy-retry-on": "5xx",
        "x-envoy-max-retries": "5",
        "x-envoy-retriable-status-codes": "500",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-upstream-rq-per-try-timeout-ms": "1",
        "x-envoy-upstream-alt-stat-name": "mine",
        "x-envoy-original-path": "/other",
        "x-envoy-internal": "true",
        "x-envoy-decorator-operation": "mine",
        "x-fairlead-modeldeployment": "other",
        "x-fairlead-absent": "1",
        "x-request-id": "kept",
        "x-forwarded-proto": "https",
        "x-forwarded-for": "192.0.2.7",
    }
    answer = ask(serve(envoy, pod), headers=steering)
    assert (answer.status, pod.received) == (500, 1)
    arrived = {name: value for name, value in pod.requests[0].headers if name.startswith("x-")}
    assert arrived.pop("x-forwarded-for").startswith("192.0.2.7,")
    assert arrived == {"x-request-id": "kept", "x-forwarded-proto": "https"}


def test_a_hundred_megabytes_pass_both_ways_without_being_kept(envoy: Envoy, pod: Backend) -> None:
    port = serve(envoy, pod)
    before = envoy.private_bytes()
    pod.behaviour.body = b"x" * HUNDRED_MEGABYTES
    answer = ask(port, body=b"y" * HUNDRED_MEGABYTES)
    assert (answer.status, len(answer.body), pod.requests[0].body_bytes) == (200, HUNDRED_MEGABYTES, HUNDRED_MEGABYTES)
    assert envoy.private_bytes() - before < 10 * MEGABYTE


def test_events_arrive_one_by_one_for_longer_than_other_requests_may_take(envoy: Envoy, pod: Backend) -> None:
    pod.handler = _events
    port = serve(envoy, pod, requestTimeout="off", attemptTimeout="200ms")
    with connect(port) as client:
        client.sendall(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200" in read_until(client, b"\r\n\r\n").splitlines()[0]
        started = time.monotonic()
        came = []
        for _ in range(4):
            read_until(client, b"\n\n")
            came.append(time.monotonic() - started)
    assert came[3] - came[0] > 0.5
    assert all(later - earlier > 0.1 for earlier, later in itertools.pairwise(came))


async def _events(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for number in range(4):
        event = f"data: {number}\n\n".encode()
        writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def test_a_stream_longer_than_request_timeout_is_cut(envoy: Envoy, pod: Backend) -> None:
    pod.handler = _events
    with connect(serve(envoy, pod, requestTimeout="300ms")) as client:
        client.sendall(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        with pytest.raises(ConnectionError):
            read_until(client, b"data: 3\n\n")


def test_an_answer_that_does_not_begin_within_request_timeout_is_a_504_that_says_so(envoy: Envoy, pod: Backend) -> None:
    pod.behaviour.hang = True
    answer = ask(serve(envoy, pod, requestTimeout="200ms"))
    assert (answer.status, answer.headers["x-fairlead-reason"]) == (504, "RequestTimeout")
    assert json.loads(answer.body)["reason"] == "RequestTimeout"


def test_a_websocket_stays_open_for_longer_than_request_timeout(envoy: Envoy, pod: Backend) -> None:
    pod.handler = _echo
    with connect(serve(envoy, pod, requestTimeout="300ms")) as client:
        client.sendall(
            b"GET /socket HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        head = read_until(client, b"\r\n\r\n")
        assert b" 101 " in head.splitlines()[0]
        assert b"x-fairlead-revision: plain-a" in head
        for number in range(4):
            client.sendall(b"%d!" % number)
            assert read_until(client, b"!") == b"%d!" % number
            time.sleep(0.15)


async def _echo(_: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n")
    while data := await reader.read(1024):
        writer.write(data)
        await writer.drain()


def test_slow_clients_are_waited_for_and_keep_nobody_up(envoy: Envoy, pod: Backend) -> None:
    pod.behaviour.body = b"x" * 5 * MEGABYTE
    port = serve(envoy, pod, requestTimeout="10s")
    with connect(port) as slow:
        slow.sendall(b"POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n")
        for byte in (b"a", b"b", b"c", b"d", b"e"):
            assert ask(port).status == 200
            slow.sendall(byte)
            time.sleep(0.05)
        read_until(slow, b"\r\n\r\n")
        received = 0
        while received < 5 * MEGABYTE:
            received += len(slow.recv(1 << 18))
            time.sleep(0.005)
    assert received == 5 * MEGABYTE


def test_a_client_that_waits_for_continue_is_told_to_go_on(envoy: Envoy, pod: Backend) -> None:
    with connect(serve(envoy, pod)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n")
        assert b" 100 " in read_until(client, b"\r\n\r\n")
        client.sendall(b"abc")
        assert b" 200 " in read_until(client, b"\r\n\r\n").splitlines()[0]
    assert pod.requests[0].body_bytes == 3


def test_a_body_too_long_to_send_twice_is_answered_by_the_canary_and_counted(envoy: Envoy, pod: Backend) -> None:
    with Backend(fail_percent=100) as failing:
        arms = [stable("plain-a", 0), canary("plain-b", 100, failover="plain-a")]
        deployment = serving("long", arms, {"plain-a": [pod], "plain-b": [failing]})
        envoy.apply([deployment], forget=True)
        short, long = b"x" * 200_000, b"x" * MEGABYTE
        answers = [ask(deployment.traffic.port, body=body) for body in (short, long, short)]
    assert [(answer.status, answer.headers["x-fairlead-revision"]) for answer in answers] == [
        (200, "plain-a"),
        (500, "plain-b"),
        (200, "plain-a"),
    ]
    counts = counted(envoy, deployment)["plain-b", "canary"]
    assert (counts["failovers_impossible_total"], counts["failovers_total"]) == (1, 2)
    assert (counts["attempts_total"], counts["attempt_failures_total"]) == (3, 3)


def test_bodies_of_any_length_to_an_ejected_canary_are_answered_by_stable(envoy: Envoy, pod: Backend) -> None:
    with Backend(fail_percent=100) as failing:
        arms = [stable("plain-a", 0), canary("plain-b", 100, failover="plain-a")]
        deployment = serving("shed", arms, {"plain-a": [pod], "plain-b": [failing]})
        envoy.apply([deployment], forget=True)
        while not counted(envoy, deployment)["plain-b", "canary"]["ejected"]:
            assert ask(deployment.traffic.port).status == 200
        for size in (1, 200_000, 300_000, MEGABYTE, 20 * MEGABYTE) * 4:
            answer = ask(deployment.traffic.port, body=b"x" * size)
            assert (answer.status, answer.headers["x-fairlead-revision"]) == (200, "plain-a")
    counts = counted(envoy, deployment)["plain-b", "canary"]
    assert (counts["absent_total"], counts["attempts_total"]) == (20, failing.received)


def test_an_answer_that_breaks_off_after_it_began_reaches_the_user_broken_and_is_counted(
    envoy: Envoy, pod: Backend
) -> None:
    with Backend() as breaking:
        breaking.handler = _break_off
        arms = [stable("plain-a", 0), canary("plain-b", 100, failover="plain-a")]
        deployment = serving("broken", arms, {"plain-a": [pod], "plain-b": [breaking]})
        envoy.apply([deployment], forget=True)
        with connect(deployment.traffic.port) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            with pytest.raises(ConnectionError):
                read_until(client, b"end")
    counts = counted(envoy, deployment)["plain-b", "canary"]
    assert (counts["attempts_total"], counts["failovers_impossible_total"], counts["failovers_total"]) == (1, 1, 0)


async def _break_off(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    await writer.drain()
    await asyncio.sleep(0.1)
