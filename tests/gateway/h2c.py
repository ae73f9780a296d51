"""As much HTTP/2 without TLS as gRPC needs: a server and a client that show every frame.

Headers are written as literals (RFC 7541, 6.2.2). They are read with the dynamic table switched off, which the
settings ask for, and with those Huffman codes that names and short values in lower case are made of.
"""

import asyncio
import struct
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 4, 6, 7, 8, 9
ACK, END_STREAM, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 32
_WINDOW_BYTES = 2**30
# Header table size 0, initial window 2^30.
_SETTINGS = struct.pack(">HIHI", 1, 0, 4, _WINDOW_BYTES)
_STATIC_TEXT = (
    ":authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status :status "
    "accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow "
    "authorization cache-control content-disposition content-encoding content-language content-length "
    "content-location content-range content-type cookie date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards "
    "proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie "
    "strict-transport-security transfer-encoding user-agent vary via www-authenticate"
)
_STATIC = _STATIC_TEXT.split()
_STATIC_VALUES = {
    2: "GET",
    3: "POST",
    4: "/",
    5: "/index.html",
    6: "http",
    7: "https",
    8: "200",
    9: "204",
    10: "206",
} | {
    11: "304",
    12: "400",
    13: "404",
    14: "500",
    16: "gzip, deflate",
}
_HUFFMAN = {5: "012aceiost", 6: " %-./3456789=A_bdfghlmnpru", 7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", 8: "&*,;XZ"}


def _codes() -> dict[tuple[int, int], str]:
    """(length, code) -> character; the code is canonical, so the lengths are enough."""
    found: dict[tuple[int, int], str] = {}
    code = 0
    for length in sorted(_HUFFMAN):
        code <<= 1 if found else 0
        for character in _HUFFMAN[length]:
            found[length, code] = character
            code += 1
    return found


_CODES = _codes()


def encode(headers: Sequence[tuple[str, str]]) -> bytes:
    """A header block of literals."""
    block = b""
    for name, value in headers:
        block += b"\x00" + _text(name) + _text(value)
    return block


def _text(text: str) -> bytes:
    raw = text.encode()
    assert len(raw) < 127, "expected a short text"
    return bytes([len(raw)]) + raw


def decode(block: bytes) -> list[tuple[str, str]]:
    """The headers of a block that leans on no dynamic table."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            index, at = _integer(block, at, 7)
            found.append((_STATIC[index - 1], _STATIC_VALUES.get(index, "")))
        elif first & 0xE0 == 0x20:
            _, at = _integer(block, at, 5)
        else:
            index, at = _integer(block, at, 6 if first & 0x40 else 4)
            name, at = (_STATIC[index - 1], at) if index else _string(block, at)
            value, at = _string(block, at)
            found.append((name, value))
    return found


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    limit = (1 << bits) - 1
    value = block[at] & limit
    at += 1
    if value < limit:
        return value, at
    shift = 0
    while True:
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def _string(block: bytes, at: int) -> tuple[str, int]:
    coded = block[at] & 0x80
    length, at = _integer(block, at, 7)
    raw = block[at : at + length]
    return (_unpack(raw) if coded else raw.decode()), at + length


def _unpack(raw: bytes) -> str:
    text, code, length = "", 0, 0
    for byte in raw:
        for shift in range(7, -1, -1):
            code, length = code << 1 | (byte >> shift & 1), length + 1
            if (length, code) in _CODES:
                text += _CODES[length, code]
                code, length = 0, 0
    return text if length < 8 else text + "?"


@dataclass
class Stream:
    """What has come on one stream. ended: by END_STREAM; reset: by the other side."""

    connection: "Peer"
    number: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    data: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    reset: bool = False

    def send_headers(self, headers: Sequence[tuple[str, str]], end: bool = False) -> None:
        """The head, or the trailers."""
        self.connection.send(HEADERS, END_HEADERS | (END_STREAM if end else 0), self.number, encode(headers))

    def send(self, data: bytes, end: bool = False) -> None:
        """A piece of the body."""
        self.connection.send(DATA, END_STREAM if end else 0, self.number, data)


class Peer:
    """One side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.streams: dict[int, Stream] = {}
        self.on_stream: Callable[[Stream], Coroutine[Any, Any, None]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Say what we take."""
        self.send(SETTINGS, 0, 0, _SETTINGS)
        self.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", _WINDOW_BYTES))

    def open(self, headers: Sequence[tuple[str, str]]) -> Stream:
        """A request; streams of a client have odd numbers."""
        stream = Stream(self, 2 * len(self.streams) + 1)
        self.streams[stream.number] = stream
        stream.send_headers(headers)
        return stream

    def send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """One frame."""
        self._writer.write(struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload)

    async def serve(self) -> None:
        """Read frames until the connection ends."""
        try:
            while True:
                head = await self._reader.readexactly(9)
                kind, flags, number = struct.unpack(">BBI", head[3:])
                payload = await self._reader.readexactly(int.from_bytes(head[:3]))
                self._take(kind, flags, number & 0x7FFFFFFF, payload)
                await self._writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            for stream in self.streams.values():
                stream.reset = stream.reset or not stream.ended.is_set()
                stream.ended.set()
        finally:
            for task in self._tasks:
                task.cancel()
            self._writer.close()

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            self.send(SETTINGS, ACK, 0, b"")
        elif kind == PING and not flags & ACK:
            self.send(PING, ACK, 0, payload)
        elif kind == HEADERS:
            self._take_headers(flags, number, payload)
        elif kind == DATA and number in self.streams:
            self.streams[number].data.put_nowait(payload)
        elif kind == 3 and number in self.streams:
            self.streams[number].reset = True
            self.streams[number].ended.set()
        if kind in (DATA, HEADERS) and flags & END_STREAM and number in self.streams:
            self.streams[number].ended.set()

    def _take_headers(self, flags: int, number: int, payload: bytes) -> None:
        assert flags & END_HEADERS and not flags & PADDED, "expected a head in one frame"
        headers = decode(payload[5:] if flags & PRIORITY else payload)
        stream = self.streams.get(number)
        if stream is None:
            stream = self.streams[number] = Stream(self, number, headers)
            if self.on_stream is not None:
                task = asyncio.get_running_loop().create_task(self.on_stream(stream))
                self._tasks.add(task)
        elif stream.headers:
            stream.trailers = headers
        else:
            stream.headers = headers


def grpc_request(path: str) -> list[tuple[str, str]]:
    """The head of a gRPC request."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "model"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]


def message(payload: bytes) -> bytes:
    """A gRPC message, uncompressed."""
    return b"\x00" + struct.pack(">I", len(payload)) + payload


def lookup(headers: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """By name, the last one of a name."""
    return dict(headers)
