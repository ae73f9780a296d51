"""The two small ports of the gateway: GET requests without bodies, answered from memory, within strict bounds."""

import asyncio
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

MAX_HEAD_BYTES = 16 * 1024
MAX_CONNECTIONS = 64
MAX_REQUESTS = 32
HEAD_SECONDS = 30.0
"""From the first byte, or the answer before, to the end of a request's head: a kept connection lives as long idle."""
ANSWER_SECONDS = 10.0
TEXT = "text/plain; charset=utf-8"

_REQUEST = re.compile(r"([A-Z]{1,16}) (/[!-~]{0,1023}) HTTP/1\.([01])")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A request's path, without its query, and its headers by lower-case name."""

    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: HTTPStatus
    body: str
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Answer]]


@dataclass
class Bounds:
    """How many requests are being answered, all ports together."""

    answering: int = 0
    limit: int = MAX_REQUESTS


class Port:
    """One listening port. Requests above the bound are answered 503 at once; connections above theirs are closed."""

    def __init__(self, handler: Handler, bounds: Bounds) -> None:
        self._handler = handler
        self._bounds = bounds
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self, port: int) -> int:
        """Listen on all addresses; the port's number. Raises OSError when it is not free."""
        listener = _listen(port)
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=MAX_HEAD_BYTES)
        return int(listener.getsockname()[1])

    async def close(self) -> None:
        """Stop listening, and end the connections that are left."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            keep = True
            while keep:
                async with asyncio.timeout(HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                async with asyncio.timeout(ANSWER_SECONDS):
                    keep = await self._answer(head, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or took too long, or said too much
        finally:
            writer.close()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection may bring another."""
        request, keep = parse_head(head)
        if isinstance(request, Answer):
            answer = request
        elif self._bounds.answering >= self._bounds.limit:
            answer = Answer(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once\n", headers={"Retry-After": "1"})
        else:
            self._bounds.answering += 1
            try:
                answer = await self._handler(request)
            finally:
                self._bounds.answering -= 1
        writer.write(render_answer(answer, keep))
        await writer.drain()
        return keep


def parse_head(head: bytes) -> tuple[Request | Answer, bool]:
    """A request, or the answer to what is none; and whether the connection may be kept. Bodies are never read."""
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    match = _REQUEST.fullmatch(first)
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            match = None
        headers[name.lower()] = value.strip()
    if match is None:
        return Answer(HTTPStatus.BAD_REQUEST, "expected a request of HTTP/1\n"), False
    keep = match[3] == "1" and headers.get("connection", "").lower() != "close"
    keep = keep and "content-length" not in headers and "transfer-encoding" not in headers
    if match[1] != "GET":
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET\n", headers={"Allow": "GET"}), False
    return Request(match[2].partition("?")[0], headers), keep


def render_answer(answer: Answer, keep: bool) -> bytes:
    """The answer as bytes of HTTP/1.1."""
    body = answer.body.encode()
    headers = {
        "Content-Type": answer.content_type,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Connection": "keep-alive" if keep else "close",
        **answer.headers,
    }
    lines = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        *(f"{key}: {value}" for key, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _listen(port: int) -> socket.socket:
    """A listening socket on all addresses, of both families where the machine has both."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
    return socket.create_server(("0.0.0.0", port), backlog=128)
