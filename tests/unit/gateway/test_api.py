from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import certifi
import pytest
from tests.unit.gateway.scripted import Scripted, scripted, until_closed, whole

from fairlead_gateway import api
from fairlead_gateway.api import ApiError, KubeApi, parse_status
from fairlead_gateway.settings import ApiAccess


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as made:
        yield made


@pytest.fixture
async def kube(server: Scripted, tmp_path: Path) -> AsyncIterator[KubeApi]:
    token = tmp_path / "token"
    token.write_text("first\n")
    access = ApiAccess(f"http://127.0.0.1:{server.port}", token, Path(certifi.where()))
    async with aiohttp.ClientSession() as session:
        yield KubeApi(session, access)


async def test_the_token_is_read_anew_each_time(server: Scripted, kube: KubeApi, tmp_path: Path) -> None:
    server.answers = {"/a": [whole('{"a": 1}'), whole('{"a": 2}')]}
    assert await kube.get("/a", {"limit": "1"}) == {"a": 1}
    (tmp_path / "token").write_text("second\n")
    assert await kube.get("/a") == {"a": 2}
    assert server.targets() == ["/a?limit=1", "/a"]
    assert ["Bearer first" in server.heads[0], "Bearer second" in server.heads[1]] == [True, True]


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (whole("gone", 410), 410, "/a: gone"),
        (whole("moved", 302), 302, "/a: moved"),
        (whole("not json"), 0, "/a: expected JSON, got b'not json'"),
        (whole("[1]"), 0, r"/a: expected a JSON object, got b'\[1\]'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", 0, "/a: ClientPayloadError"),
        (b"", 0, "/a: ServerDisconnectedError"),
        (b"\x00\x01", 0, "/a: "),
        (whole(" " * 3000), 0, "/a: expected at most 2000 bytes, got more"),
    ],
)
async def test_an_answer_of_no_use_is_an_api_error(
    server: Scripted, kube: KubeApi, monkeypatch: pytest.MonkeyPatch, *, answer: bytes, status: int, text: str
) -> None:
    monkeypatch.setattr(api, "MAX_ANSWER_BYTES", 2000)
    server.answers = {"/a": [answer, answer]}
    with pytest.raises(ApiError, match=f"^{text}") as error:
        await kube.get("/a")
    assert error.value.status == status


async def test_an_answer_that_does_not_come_is_an_api_error(
    server: Scripted, kube: KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "ANSWER_SECONDS", 0.05)
    server.answers = {"/a": [None]}
    with pytest.raises(ApiError, match="TimeoutError"):
        await kube.get("/a")


async def test_a_token_that_is_not_there_is_an_api_error(kube: KubeApi, tmp_path: Path) -> None:
    (tmp_path / "token").unlink()
    with pytest.raises(ApiError, match="FileNotFoundError"):
        await kube.get("/a")


async def test_the_lines_of_a_watch_come_one_by_one_until_it_ends(server: Scripted, kube: KubeApi) -> None:
    server.answers = {"/w": [until_closed('{"n": 1}\n{"n": 2}\n')]}
    assert [line["n"] async for line in kube.lines("/w", {"watch": "true"}, 5)] == [1, 2]
    assert server.targets() == ["/w?watch=true"]


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (whole("too old", 410), 410, "/w: too old"),
        (until_closed('{"n": 1}\nnot json\n'), 0, "/w: expected JSON"),
        (until_closed("x" * 3000), 0, "/w: expected lines of at most 2000 bytes"),
    ],
)
async def test_a_watch_that_goes_wrong_is_an_api_error(
    server: Scripted, kube: KubeApi, monkeypatch: pytest.MonkeyPatch, *, answer: bytes, status: int, text: str
) -> None:
    monkeypatch.setattr(api, "MAX_LINE_BYTES", 2000)
    server.answers = {"/w": [answer]}
    with pytest.raises(ApiError, match=f"^{text}") as error:
        async for _ in kube.lines("/w", {}, 5):
            pass
    assert error.value.status == status


async def test_a_watch_that_stays_silent_is_an_api_error(server: Scripted, kube: KubeApi) -> None:
    server.answers = {"/w": [None]}
    with pytest.raises(ApiError, match="Timeout"):
        async for _ in kube.lines("/w", {}, 0.05):
            pass


async def test_an_api_server_that_is_not_there_is_an_api_error(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    async with aiohttp.ClientSession() as session:
        kube = KubeApi(session, ApiAccess("http://127.0.0.1:1", tmp_path / "token", Path(certifi.where())))
        with pytest.raises(ApiError, match="/a: ClientConnectorError"):
            await kube.get("/a")


def test_a_status_object_says_what_went_wrong() -> None:
    error = parse_status({"kind": "Status", "code": 410, "message": "too old"})
    assert (error.status, str(error)) == (410, "too old")
    assert (parse_status({"code": "410"}).status, str(parse_status({}))) == (0, "no message")
