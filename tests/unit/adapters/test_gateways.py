"""The evidence endpoint, asked over real sockets."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from fairlead.adapters.gateways import BODY_LIMIT_BYTES, HttpGateways, TokenFile
from fairlead.errors import GatewayError

TEXT = "fairlead_gateway_time_seconds 12.5\nfairlead_gateway_start_time_seconds 1\n"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pod:
    """One gateway pod's endpoint, which answers what it is told to, and what it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[web.Request] = []
        self.peers: set[object] = set()
        self.answer: Answer = self.evidence

    async def evidence(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text=TEXT)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        assert request.transport
        self.peers.add(request.transport.get_extra_info("peername"))
        return await self.answer(request)


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    served = Pod()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    yield served
    await runner.cleanup()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first.token\n")
    return path


@pytest.fixture
async def gateways(token: Path) -> AsyncIterator[HttpGateways]:
    made = HttpGateways(TokenFile(token), timeout_seconds=0.5)
    yield made
    await made.close()


async def failure(gateways: HttpGateways, port: int, address: str = "127.0.0.1") -> tuple[str, str]:
    with pytest.raises(GatewayError) as caught:
        await gateways.read(address, port)
    return caught.value.outcome, str(caught.value)


async def test_the_evidence_of_a_pod_is_asked_for_with_the_token(gateways: HttpGateways, pod: Pod) -> None:
    assert (await gateways.read("127.0.0.1", pod.port)).at_seconds == 12.5
    (request,) = pod.asked
    assert (request.method, request.path) == ("GET", "/evidence")
    assert request.headers["Authorization"] == "Bearer first.token"
    assert request.headers["Accept-Encoding"] == "identity"


async def test_one_that_was_never_used_can_be_made_and_closed_anywhere(token: Path) -> None:
    made = await asyncio.to_thread(HttpGateways, TokenFile(token))
    await made.close()


async def test_a_connection_is_used_again(gateways: HttpGateways, pod: Pod) -> None:
    for _ in range(5):
        await gateways.read("127.0.0.1", pod.port)
    assert len(pod.peers) == 1


async def test_a_token_that_the_kubelet_has_renewed_counts_at_once(
    gateways: HttpGateways, pod: Pod, token: Path, tmp_path: Path
) -> None:
    await gateways.read("127.0.0.1", pod.port)
    renewed = tmp_path / "renewed"
    renewed.write_text("other.token")
    renewed.replace(token)
    await gateways.read("127.0.0.1", pod.port)
    assert [request.headers["Authorization"] for request in pod.asked] == ["Bearer first.token", "Bearer other.token"]


def test_a_token_that_has_not_changed_is_not_read_again(token: Path) -> None:
    file = TokenFile(token)
    before = token.stat()
    assert file.authorization() == "Bearer first.token"
    token.write_text("FIRST.TOKEN\n")
    os.utime(token, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.authorization() == "Bearer first.token"


@pytest.mark.parametrize("text", ["", " \n", "two words", "a\x00b"])
def test_a_token_file_that_holds_no_token_is_told_without_quoting_it(token: Path, text: str) -> None:
    token.write_text(text)
    with pytest.raises(GatewayError) as caught:
        TokenFile(token).authorization()
    assert caught.value.outcome == "no_token"
    assert str(caught.value) == f"expected one word of printable ASCII in {token}"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(Path.unlink, "FileNotFoundError"), (lambda path: path.write_bytes(b"\xff"), "UnicodeDecodeError")],
)
async def test_without_a_readable_token_nothing_is_sent(
    gateways: HttpGateways, pod: Pod, token: Path, spoil: Callable[[Path], object], why: str
) -> None:
    spoil(token)
    assert await failure(gateways, pod.port) == ("no_token", f"cannot read {token}: {why}")
    assert not pod.asked


async def test_a_pod_that_does_not_take_the_token_is_told(gateways: HttpGateways, pod: Pod) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=401, text="audience")

    pod.answer = refuse
    where = f"http://127.0.0.1:{pod.port}/evidence"
    assert await failure(gateways, pod.port) == (
        "unauthorized",
        f"{where} does not take the operator's token: 'audience'",
    )


async def test_a_redirect_is_not_followed(gateways: HttpGateways, pod: Pod) -> None:
    async def elsewhere(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, text="gone \x1b[31m\n", headers={"Location": "/other"})

    pod.answer = elsewhere
    outcome, told = await failure(gateways, pod.port)
    assert (outcome, told.endswith("answered 302: 'gone \\x1b[31m'")) == ("refused", True)
    assert [request.path for request in pod.asked] == ["/evidence"]


async def test_a_cookie_is_not_kept(gateways: HttpGateways, pod: Pod) -> None:
    async def sticky(_: web.Request) -> web.StreamResponse:
        return web.Response(text=TEXT, headers={"Set-Cookie": "a=b; Path=/"})

    pod.answer = sticky
    await gateways.read("127.0.0.1", pod.port)
    await gateways.read("127.0.0.1", pod.port)
    assert "Cookie" not in pod.asked[-1].headers


async def test_an_answer_that_is_no_evidence_is_quoted(gateways: HttpGateways, pod: Pod) -> None:
    async def other(_: web.Request) -> web.StreamResponse:
        return web.Response(text="fairlead_gateway_time_seconds x\n")

    pod.answer = other
    outcome, told = await failure(gateways, pod.port)
    assert outcome == "invalid"
    assert "gave no evidence: expected a number" in told


async def test_a_compressed_answer_is_not_unpacked(gateways: HttpGateways, pod: Pod) -> None:
    async def bomb(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.enable_compression(web.ContentCoding.gzip)
        await answer.prepare(request)
        await answer.write(b" " * (8 * BODY_LIMIT_BYTES))
        return answer

    pod.answer = bomb
    assert (await failure(gateways, pod.port))[0] == "invalid"


async def test_a_body_without_end_is_cut_off(gateways: HttpGateways, pod: Pod) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"#" * 65536)

    pod.answer = endless
    where = f"http://127.0.0.1:{pod.port}/evidence"
    assert await failure(gateways, pod.port) == ("too_large", f"{where} answered with more than 2097152 bytes")


@pytest.mark.parametrize("trickles", [False, True])
async def test_a_pod_that_hangs_is_given_up(gateways: HttpGateways, pod: Pod, trickles: bool) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        if trickles:
            await answer.prepare(request)
        for _ in range(100):
            await asyncio.sleep(0.05)
            if trickles:
                await answer.write(b"#")
        return answer

    pod.answer = hang
    started = asyncio.get_running_loop().time()
    assert (await failure(gateways, pod.port))[0] == "timeout"
    assert asyncio.get_running_loop().time() - started < 2


@pytest.mark.parametrize("junk", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
async def test_something_else_on_the_port_is_unreachable(gateways: HttpGateways, junk: bytes) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(junk)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        outcome, told = await failure(gateways, server.sockets[0].getsockname()[1])
    assert outcome == "unreachable"
    assert told.startswith("no answer from http://127.0.0.1:")


async def test_a_port_that_nobody_listens_on_is_unreachable(gateways: HttpGateways) -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    assert (await failure(gateways, port))[0] == "unreachable"


async def test_an_address_of_ipv6_gets_its_brackets(gateways: HttpGateways) -> None:
    outcome, told = await failure(gateways, 1, "::1")
    assert (outcome, told.startswith("no answer from http://[::1]:1/evidence")) == ("unreachable", True)


@pytest.mark.parametrize("address", ["", "evil.example", "10.0.0.1@evil", "10.0.0.1/x?", "x" * 5000])
async def test_only_an_ip_address_is_asked(gateways: HttpGateways, address: str) -> None:
    outcome, told = await failure(gateways, 8082, address)
    assert outcome == "unreachable"
    assert told.startswith("expected the pod's IP address, got ")
    assert len(told) < 200
