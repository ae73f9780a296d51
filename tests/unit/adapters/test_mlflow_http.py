"""One request: how long it may take, what it carries, and how a search in pages becomes one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from tests.unit.shell.in_memory import FakeClock

from fairlead.adapters.mlflow_answers import Missing
from fairlead.adapters.mlflow_http import KEPT_SECONDS, TIMEOUT_SECONDS, MlflowHttp
from fairlead.errors import RegistryError

URL = "http://mlflow:5000"


def opened(
    answer: Callable[[httpx.Request], httpx.Response],
    *,
    url: str = URL,
    authorization: Callable[[], str] = lambda: "",
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> MlflowHttp:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return MlflowHttp(url, client, authorization, timeout_seconds, clock=FakeClock(), observe=lambda *_: None)


async def failure(http: MlflowHttp) -> tuple[str, str]:
    with pytest.raises(RegistryError) as caught:
        await http.call("GET", "/runs/get", run_id="r")
    return caught.value.reason, str(caught.value)


async def test_without_a_url_every_call_says_so() -> None:
    http = opened(lambda _: httpx.Response(200), url="")
    assert await failure(http) == ("RegistryNotConfigured", "the setting registry.url is empty")


async def test_fields_go_into_the_query_of_a_get_and_into_the_body_of_a_post() -> None:
    sent: list[tuple[str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append((str(request.url), request.content))
        return httpx.Response(200, json={})

    http = opened(answer, url=f"{URL}/")
    await http.call("GET", "/runs/get", run_id="r")
    await http.call("POST", "/runs/update", run_id="r")
    root = f"{URL}/api/2.0/mlflow"
    assert sent == [(f"{root}/runs/get?run_id=r", b""), (f"{root}/runs/update", b'{"run_id":"r"}')]


async def test_an_answer_that_never_ends_is_given_up() -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0)

    http = opened(lambda _: httpx.Response(200, content=trickle()), timeout_seconds=0.01)
    assert await failure(http) == ("RegistryUnavailable", f"no answer from MLflow at {URL}: TimeoutError")


async def test_a_body_that_is_not_in_the_encoding_it_claims_is_no_answer() -> None:
    http = opened(lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=_Raw(b"no gzip")))
    assert await failure(http) == ("RegistryUnavailable", f"no answer from MLflow at {URL}: DecodingError")


class _Raw(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


async def test_the_host_that_was_asked_is_named_when_it_is_not_let_in() -> None:
    _, text = await failure(opened(lambda _: httpx.Response(403, text="Invalid Host header")))
    assert text.endswith("does its --allowed-hosts cover mlflow:5000?")


async def test_each_request_carries_the_credentials_as_they_are_now() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        return httpx.Response(200, json={})

    headers = iter(["Bearer old", "Bearer new", ""])
    http = opened(answer, authorization=lambda: next(headers))
    for _ in range(3):
        await http.call("GET", "/runs/get")
    assert seen == ["Bearer old", "Bearer new", None]


def paged(*pages: dict[str, Any]) -> tuple[MlflowHttp, list[dict[str, str]]]:
    """A search with these pages (the last one again and again), and the fields of each request."""
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return httpx.Response(200, json=pages[min(len(asked), len(pages)) - 1])

    return opened(answer), asked


async def test_a_search_is_read_to_its_last_page() -> None:
    http, asked = paged({"runs": [{"a": 1}], "next_page_token": "t"}, {"runs": [{"a": 2}], "next_page_token": ""})
    assert await http.search("GET", "/runs/search", "runs", filter="f") == [{"a": 1}, {"a": 2}]
    assert asked == [{"filter": "f"}, {"filter": "f", "page_token": "t"}]


async def test_a_search_without_end_is_read_so_far() -> None:
    http, asked = paged({"runs": [{"a": 1}], "next_page_token": "t"})
    assert len(await http.search("GET", "/runs/search", "runs")) == len(asked) == 20


async def test_a_request_has_a_time_out_and_is_never_redirected() -> None:
    http = MlflowHttp(URL, None, lambda: "", 5.0, clock=FakeClock(), observe=lambda *_: None)
    assert http._http.timeout.read == 5.0
    assert not http._http.follow_redirects
    await http.close()
    assert http._http.is_closed


async def test_each_request_is_observed_with_its_outcome() -> None:
    seen: list[tuple[str, float]] = []
    missing = httpx.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST"})
    answers = iter([httpx.Response(200, json={}), missing, httpx.Response(403), httpx.Response(500)])
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: next(answers)))
    for url in (*[URL] * 4, ""):
        http = MlflowHttp(
            url, client, lambda: "", 5.0, clock=FakeClock(), observe=lambda outcome, took: seen.append((outcome, took))
        )
        with contextlib.suppress(RegistryError, Missing):
            await http.call("GET", "/x")
    words = ["ok", "not_found", "forbidden", "unavailable", "not_configured"]
    assert seen == [(word, 0.0) for word in words]


async def test_a_request_that_is_given_up_has_had_no_answer() -> None:
    seen: list[str] = []

    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    client = httpx.AsyncClient(transport=httpx.MockTransport(never))
    http = MlflowHttp(URL, client, lambda: "", 5.0, clock=FakeClock(), observe=lambda outcome, _: seen.append(outcome))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await http.call("GET", "/x")
    assert seen == ["unavailable"]


async def test_a_connection_is_used_again_at_once_but_not_after_it_was_idle() -> None:
    connections: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(closed := asyncio.Event())
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        http = MlflowHttp(url, None, lambda: "", TIMEOUT_SECONDS, clock=FakeClock(), observe=lambda *_: None)
        for _ in range(2):
            await http.call("GET", "/runs/get")
        assert len(connections) == 1
        await asyncio.sleep(KEPT_SECONDS + 0.1)
        await http.call("GET", "/runs/get")
        assert len(connections) == 2
        await http.close()
        await asyncio.gather(*(closed.wait() for closed in connections))
