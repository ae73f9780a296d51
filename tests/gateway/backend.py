"""An HTTP/1.1 server that does as it is told and counts every request exactly."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


@dataclass
class Behaviour:
    """What the server does with a request; may be changed while it runs.

    fail_percent: every so many of a hundred, spread evenly, get `fail_status`; after_seconds: before each answer;
    hang: no answer at all; cut: the connection ends instead of an answer; body: of the answer.
    """

    body: bytes = b"ok"
    after_seconds: float = 0.0
    fail_percent: int = 0
    fail_status: int = 500
    hang: bool = False
    cut: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """What came in."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body_bytes: int

    def header(self, name: str) -> str | None:
        """The value of the first header of this name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class EventLoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def close(self) -> None:
        """Stop the loop and wait for the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Backend:
    """One server on a port of this machine's loopback.

    `received` counts requests whose head came in, `answered` the answers by status. The threads' lock is Python's own:
    each counter is changed by the server's loop only.
    """

    def __init__(self, address: str = "127.0.0.1", port: int = 0, **behaviour: Any) -> None:
        self.behaviour = Behaviour(**behaviour)
        self.received = 0
        self.answered: Counter[int] = Counter()
        self.requests: list[Request] = []
        self.keep_requests = 0
        self.connections = 0
        self.handler: Callable[[Request, asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]] | None
        self.handler = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = EventLoopThread()
        self._listener = socket.create_server((address, port), backlog=4096)
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address, self.port = self._listener.getsockname()[:2]
        self._server: asyncio.Server | None = self._loop.call(self._start())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def stop(self, wait: bool = False) -> None:
        """End the listener and every connection at once. wait: after the requests in flight, taking no new ones."""
        if self._server is not None:
            self._loop.call(self._stop(wait))
            self._server = None

    def close(self) -> None:
        """Stop, and free the thread."""
        self.stop()
        self._loop.close()

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, sock=self._listener, limit=1 << 20)

    async def _stop(self, wait: bool) -> None:
        assert self._server is not None
        self._server.close()
        if wait and self._tasks:
            await asyncio.wait(self._tasks, timeout=10)
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            while (request := await self._read(reader)) is not None:
                if self.handler is not None:
                    await self.handler(request, reader, writer)
                    break
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)
            self._writers.discard(writer)

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return None
        lines = head.decode("utf-8").split("\r\n")
        method, path, _ = lines[0].split(" ")
        pairs = [line.split(": ", 1) for line in lines[1:] if line]
        request = Request(method, path, [(name, value) for name, value in pairs], 0)
        self.received += 1
        if len(self.requests) < self.keep_requests:
            self.requests.append(request)
        if self.handler is None:
            request.body_bytes = await read_body(request, reader)
        return request

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        told = self.behaviour
        failing = (self.received * told.fail_percent) % 100 < told.fail_percent
        if told.hang:
            await asyncio.sleep(3600)
        if told.after_seconds:
            await asyncio.sleep(told.after_seconds)
        if told.cut or (failing and told.fail_status == 0):
            self.answered[0] += 1
            return False
        status = told.fail_status if failing else 200
        self.answered[status] += 1
        headers = "".join(f"{name}: {value}\r\n" for name, value in told.headers.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{headers}content-length: {len(told.body)}\r\n\r\n".encode() + told.body)
        await writer.drain()
        return True


async def read_body(request: Request, reader: asyncio.StreamReader) -> int:
    """Read the body to its end; its length in bytes."""
    if request.header("transfer-encoding") == "chunked":
        total = 0
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await _discard(reader, size + 2)
            total += size
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return total
    length = int(request.header("content-length") or 0)
    await _discard(reader, length)
    return length


async def _discard(reader: asyncio.StreamReader, size: int) -> None:
    while size:
        piece = await reader.read(min(size, 1 << 20))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        size -= len(piece)
