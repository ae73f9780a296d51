"""A client that shows every byte: plain HTTP/1.1 over one socket."""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """Status, headers in lower case (the last of a name wins), and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(port: int, path: str = "/", *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET" if body is None else "POST", path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def connect(port: int) -> socket.socket:
    """A connection to talk over by hand."""
    return socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """All that comes up to and including `end`. ConnectionError when the connection ends before."""
    received = b""
    while not received.endswith(end):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError(f"expected {end!r}, got the end after {received!r}")
        received += byte
    return received
