"""HTTP/1.1 over one TCP connection, with nothing done behind the caller's back: no retry, no redirect, no pool.

General clients retry on a connection that the server closed, or give one error for a reset and a time-out; a count of
failed requests needs to see each by itself.
"""

import asyncio
import select
from collections.abc import Mapping
from dataclasses import dataclass

from tests.load.plan import Connections, LoadPlan
from tests.load.target import Target

MAX_LINE_BYTES = 64 * 1024


class ClosedEarlyError(ConnectionError):
    """The connection ended before the answer was whole."""


class MalformedAnswerError(ValueError):
    """The bytes that came are not an HTTP/1.1 answer."""


@dataclass(frozen=True)
class Answer:
    """One whole answer. reusable: the server keeps the connection open for another request; names in lower case."""

    status: int
    body: bytes
    reusable: bool
    headers: Mapping[str, str]


class Connection:
    """One open TCP connection that carries one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened_at: float) -> None:
        self._reader = reader
        self._writer = writer
        self.used_at = opened_at

    @classmethod
    async def open(cls, target: Target) -> "Connection":
        """Connect; OSError as the system gives it."""
        reader, writer = await asyncio.open_connection(target.host, target.port, limit=MAX_LINE_BYTES)
        return cls(reader, writer, asyncio.get_running_loop().time())

    def is_stale(self) -> bool:
        """Whether the server has closed, reset or written to the idle connection, as far as the kernel knows."""
        if self._writer.is_closing() or self._reader.at_eof():
            return True
        poll = select.poll()
        poll.register(self._writer.get_extra_info("socket").fileno(), select.POLLIN | select.POLLRDHUP)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Drop the connection at once."""
        self._writer.transport.abort()

    async def exchange(self, request: bytes) -> Answer:
        """Send one request and read its whole answer.

        Raises ConnectionError when the connection ends before that, MalformedAnswerError when it is not HTTP.
        """
        self._writer.write(request)
        await self._writer.drain()
        version, status, headers = await self._read_head()
        while status < 200:
            version, status, headers = await self._read_head()
        body, delimited = await self._read_body(status, headers)
        keep = version != b"HTTP/1.0" and headers.get("connection", "").lower() != "close"
        return Answer(status, body, keep and delimited, headers)

    async def _line(self) -> bytes:
        try:
            return await self._reader.readuntil(b"\r\n")
        except asyncio.IncompleteReadError as error:
            raise ClosedEarlyError(
                f"the server closed the connection after {len(error.partial)} bytes of a line"
            ) from error
        except asyncio.LimitOverrunError as error:
            raise MalformedAnswerError(f"a line longer than {MAX_LINE_BYTES} bytes") from error

    async def _exactly(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise ClosedEarlyError(f"the server closed after {len(error.partial)} of {size} body bytes") from error

    async def _read_head(self) -> tuple[bytes, int, dict[str, str]]:
        line = await self._line()
        parts = line.split(None, 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            raise MalformedAnswerError(f"expected a status line, got {line[:80]!r}")
        headers: dict[str, str] = {}
        while (line := await self._line()) != b"\r\n":
            name, colon, value = line.partition(b":")
            if not colon:
                raise MalformedAnswerError(f"expected a header, got {line[:80]!r}")
            headers[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
        return parts[0], int(parts[1]), headers

    async def _read_body(self, status: int, headers: dict[str, str]) -> tuple[bytes, bool]:
        """The body, and whether its end was told by length rather than by closing."""
        if status in (204, 304):
            return b"", True
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._read_chunks(), True
        length = headers.get("content-length")
        if length is None:
            return await self._reader.read(-1), False
        if not length.isdigit():
            raise MalformedAnswerError(f"expected a number in Content-Length, got {length[:80]!r}")
        return await self._exactly(int(length)), True

    async def _read_chunks(self) -> bytes:
        chunks: list[bytes] = []
        while True:
            line = await self._line()
            try:
                size = int(line.split(b";")[0], 16)
            except ValueError:
                raise MalformedAnswerError(f"expected a chunk size, got {line[:80]!r}") from None
            if size == 0:
                while await self._line() != b"\r\n":
                    pass
                return b"".join(chunks)
            chunks.append(await self._exactly(size))
            await self._exactly(2)


def render_requests(plan: LoadPlan, target: Target) -> list[bytes]:
    """The bytes of the requests, to be sent in turn: one for each body, or the one that is always the same."""
    return [_render_request(plan, target, body) for body in plan.bodies or (plan.body,)]


def _render_request(plan: LoadPlan, target: Target, text: str | None) -> bytes:
    body = None if text is None else text.encode()
    headers = {"Host": target.authority, "Accept": "*/*", "User-Agent": "fairlead-load"}
    if body is not None:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    if plan.connections is Connections.FRESH:
        headers["Connection"] = "close"
    headers |= plan.headers
    lines = [f"{'GET' if body is None else 'POST'} {target.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
