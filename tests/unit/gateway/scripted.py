"""A server that sends what a test tells it to, byte by byte, on a TCP port or a unix socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Scripted:
    """`answers`: bytes for each request by the beginning of its target; None: no answer at all. `heads` are kept."""

    answers: dict[str, list[bytes | None]] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    port: int = 0

    def targets(self) -> list[str]:
        """What was asked for, in order."""
        return [head.split(" ")[1] for head in self.heads]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            answer = self._next(head.split(" ")[1])
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _next(self, target: str) -> bytes | None:
        for beginning, queue in self.answers.items():
            if target.startswith(beginning) and queue:
                return queue.pop(0)
        return whole(b"none", 404)


def whole(body: bytes | str, status: int = 200) -> bytes:
    """An answer with its length."""
    data = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data


def until_closed(body: bytes | str) -> bytes:
    """An answer that ends with its connection, as a watch may."""
    data = body.encode() if isinstance(body, str) else body
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + data


@asynccontextmanager
async def scripted(socket: Path | None = None) -> AsyncIterator[Scripted]:
    """A scripted server on a free port, or on a unix socket."""
    made = Scripted()
    if socket is None:
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
    else:
        server = await asyncio.start_unix_server(made.serve, str(socket))
    try:
        yield made
    finally:
        server.close()
