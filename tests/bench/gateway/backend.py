"""A model's pod of the benches and of the cluster's tests: uvicorn answers 200 bytes, as well or badly as it is told.

`python -m tests.bench.gateway.backend PORT`, or the file's text after `python -c` in an image that has uvicorn.
Told by GET `/-/behave?fail=0.3&after_ms=5`: this share of the answers is a 500, each takes this long; `hang=1`: none
comes; `crash=1`: the process ends with code 9; `hog=1`: it takes memory until it is killed. From the start it is told
by the variables FAIL, AFTER_MS, HANG, CRASH and HOG. A request for `/poison` fails whatever it is
told, as an input that no version can take. GET `/-/counts` answers JSON: `answers` and `failures` by the second since
1970 (UTC) they were given in, `answers_by_tenth` and `failures_by_tenth` by its tenths.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

import uvicorn

DRAIN_SECONDS = 2.0
HANG_SECONDS = 60.0
KEEP_ALIVE_SECONDS = 75
PAYLOAD = os.environ.get("VERSION", "x").encode().ljust(200, b".")
HEADERS = [(b"content-length", b"200"), (b"content-type", b"text/plain")]

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

behaviour = {name: float(os.environ.get(name.upper(), "0")) for name in ("fail", "after_ms", "hang", "crash", "hog")}
answers: Counter[int] = Counter()
failures: Counter[int] = Counter()
answers_by_tenth: Counter[int] = Counter()
failures_by_tenth: Counter[int] = Counter()


async def _reply(send: Send, status: int, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, HEADERS[1]]})
    await send({"type": "http.response.body", "body": body})


def _die_if_told() -> None:
    if behaviour["crash"]:
        os._exit(9)
    taken = []
    while behaviour["hog"]:
        taken.append(bytearray(10_000_000))


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] != "http":
        return
    if scope["path"].startswith("/-/"):
        behaviour.update({name: float(value) for name, value in parse_qsl(scope["query_string"].decode())})
        told = {
            "answers": answers,
            "failures": failures,
            "answers_by_tenth": answers_by_tenth,
            "failures_by_tenth": failures_by_tenth,
        }
        await _reply(send, 200, json.dumps(told).encode())
        return
    if scope["path"] == "/metrics":
        await _reply(send, 404, b"")  # Prometheus asks every pod; what it asks is no user's request
        return
    while (await receive()).get("more_body"):
        pass
    if behaviour["after_ms"]:
        await asyncio.sleep(behaviour["after_ms"] / 1000)
    if behaviour["hang"]:
        # Whoever asked has gone when this is over: no answer, and not to be counted as one of a later test.
        await asyncio.sleep(HANG_SECONDS)
        await _reply(send, 500, b"told to hang")
        return
    _die_if_told()
    now = time.time()
    second, tenth = int(now), int(now * 10)
    answers[second] += 1
    answers_by_tenth[tenth] += 1
    poison = scope["path"] == "/poison"
    if poison or (behaviour["fail"] and random.random() < behaviour["fail"]):  # noqa: S311 -- no secret
        failures[second] += 1
        failures_by_tenth[tenth] += 1
        await _reply(send, 500, b"told to fail")
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": PAYLOAD})


class Server(uvicorn.Server):
    """Serves on for a moment after SIGTERM, as the built-in server does, while others forget the pod."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's own handlers close the listener at once."""
        yield

    async def drain(self) -> None:
        """Called at SIGTERM."""
        await asyncio.sleep(DRAIN_SECONDS)
        self.should_exit = True


async def main(port: int) -> None:
    """Serve until SIGTERM."""
    config = uvicorn.Config(
        app, host="0.0.0.0", port=port, access_log=False, log_level="warning", timeout_keep_alive=KEEP_ALIVE_SECONDS
    )
    server = Server(config)
    draining = []
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, lambda: draining.append(asyncio.ensure_future(server.drain()))
    )
    await server.serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8080))
