import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from fairlead_gateway import answering
from fairlead_gateway.answering import Answer, Bounds, Port, Request


class Server:
    """A port whose handler says the path, or waits for `release`."""

    def __init__(self) -> None:
        self.bounds = Bounds()
        self.release = asyncio.Event()
        self.waiting = asyncio.Semaphore(0)
        self.port = Port(self.handle, self.bounds)
        self.number = 0

    async def handle(self, request: Request) -> Answer:
        if request.path == "/wait":
            self.waiting.release()
            await self.release.wait()
        return Answer(HTTPStatus.OK, f"{request.path} {request.headers.get('x-a', '')}")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.number)

    async def ask(self, text: str) -> str:
        """Everything that comes back until the server closes."""
        reader, writer = await self.connect()
        try:
            writer.write(text.encode())
            return (await asyncio.wait_for(reader.read(), 5)).decode()
        except ConnectionError:
            return ""  # whether it ends by FIN or by RST depends on what was still unread
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    made.number = await made.port.open(0)
    yield made
    made.release.set()
    await made.port.close()


async def test_a_get_is_answered(server: Server) -> None:
    answer = await server.ask("GET /a?b=c HTTP/1.0\r\nX-A: v\r\n\r\n")
    assert answer.startswith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n")
    assert answer.endswith("\r\n\r\n/a v")


async def test_a_connection_is_kept_until_the_client_says_otherwise(server: Server) -> None:
    asked = "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\nConnection: close\r\n\r\nGET /3 HTTP/1.1\r\n\r\n"
    answer = await server.ask(asked)
    assert ("/1" in answer, "/2" in answer, "/3" in answer) == (True, True, False)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "405"),
        ("GET / HTTP/2.0\r\n\r\n", "400"),
        ("GET nothing HTTP/1.1\r\n\r\n", "400"),
        ("GET /a b HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nA : b\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\n folded: b\r\n\r\n", "400"),
        (f"GET /{'a' * 2000} HTTP/1.1\r\n\r\n", "400"),
        ("\x16\x03\x01\r\n\r\n", "400"),
    ],
)
async def test_anything_else_is_refused_and_the_connection_ends(server: Server, request_: str, status: str) -> None:
    assert (await server.ask(request_)).startswith(f"HTTP/1.1 {status} ")


async def test_a_body_is_never_read(server: Server) -> None:
    smuggled = "GET /a HTTP/1.1\r\nContent-Length: 28\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
    answer = await server.ask(smuggled)
    assert "/a" in answer and "smuggled" not in answer


async def test_a_head_that_is_too_long_ends_the_connection(server: Server) -> None:
    assert await server.ask("GET / HTTP/1.1\r\nA: " + "a" * 20_000) == ""


async def test_a_client_that_says_nothing_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "HEAD_SECONDS", 0.05)
    assert await server.ask("GET / HT") == ""


async def test_requests_above_the_bound_are_turned_away_at_once(server: Server) -> None:
    server.bounds.limit = 2
    waiting = [asyncio.create_task(server.ask("GET /wait HTTP/1.0\r\n\r\n")) for _ in range(2)]
    await server.waiting.acquire()
    await server.waiting.acquire()
    assert (await server.ask("GET /a HTTP/1.0\r\n\r\n")).startswith("HTTP/1.1 503 ")
    server.release.set()
    assert all(answer.startswith("HTTP/1.1 200 ") for answer in await asyncio.gather(*waiting))
    assert server.bounds.answering == 0


async def test_connections_above_theirs_are_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "MAX_CONNECTIONS", 1)
    _, writer = await server.connect()
    writer.write(b"GET /wait HTTP/1.1\r\n\r\n")
    await server.waiting.acquire()
    assert await server.ask("GET / HTTP/1.0\r\n\r\n") == ""
    writer.close()


async def test_an_answer_that_takes_too_long_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "ANSWER_SECONDS", 0.05)
    assert await server.ask("GET /wait HTTP/1.0\r\n\r\n") == ""
    assert server.bounds.answering == 0


async def test_closing_ends_connections_that_are_open(server: Server) -> None:
    reader, writer = await server.connect()
    writer.write(b"GET /wait HTTP/1.1\r\n\r\n")
    await server.waiting.acquire()
    await server.port.close()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_a_port_that_is_taken_is_told(server: Server) -> None:
    with pytest.raises(OSError, match="in use"):
        await Port(server.handle, Bounds()).open(server.number)


async def test_a_machine_without_the_sixth_version_listens_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.has_dualstack_ipv6", lambda: False)
    server = Server()
    server.number = await server.port.open(0)
    assert (await server.ask("GET /a HTTP/1.0\r\n\r\n")).endswith("/a ")
    await server.port.close()
