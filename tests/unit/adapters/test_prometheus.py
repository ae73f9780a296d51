"""The check of Prometheus; that a real one answers as these do is tested on the whole cluster."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from fairlead.adapters import prometheus
from fairlead.adapters.prometheus import PrometheusMetrics
from fairlead.errors import MetricsError

SUCCESS = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1.5, "1"]}]}}


def asking(answer: httpx.Response | Exception, sent: list[httpx.Request] | None = None) -> PrometheusMetrics:
    def respond(request: httpx.Request) -> httpx.Response:
        if sent is not None:
            sent.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return PrometheusMetrics("http://p:9090/base/", httpx.AsyncClient(transport=httpx.MockTransport(respond)))


async def failure(answer: httpx.Response | Exception) -> str:
    with pytest.raises(MetricsError) as caught:
        await asking(answer).check()
    return str(caught.value)


async def test_a_query_that_is_answered_is_enough() -> None:
    sent: list[httpx.Request] = []
    await asking(httpx.Response(200, json=SUCCESS), sent).check()
    (request,) = sent
    assert request.method == "GET"
    assert str(request.url) == "http://p:9090/base/api/v1/query?query=vector%281%29"


@pytest.mark.parametrize("header", ["", "Bearer abc"])
async def test_credentials_are_sent_when_there_are_some(header: str) -> None:
    sent: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json=SUCCESS)

    http = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    await PrometheusMetrics("http://p", http, authorization=lambda: header).check()
    assert sent[0].headers.get("Authorization", "") == header


async def test_a_server_that_is_not_there_is_told_by_its_address() -> None:
    told = await failure(httpx.ConnectError("refused"))
    assert told == "no answer from Prometheus at http://p:9090/base: ConnectError"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503, text="Service Unavailable"),
        httpx.Response(401, text="Unauthorized"),
        httpx.Response(302, headers={"Location": "http://login"}),
        httpx.Response(200, text="<html>a proxy's page</html>"),
        httpx.Response(200, json={"status": "error", "error": "no"}),
        httpx.Response(200, json=["success"]),
        httpx.Response(200),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.text[:20]}",
)
async def test_any_other_answer_is_none_and_is_quoted(answer: httpx.Response) -> None:
    told = await failure(answer)
    assert told.startswith(f"Prometheus at http://p:9090/base answered {answer.status_code} to a query: ")
    assert told.endswith(answer.text)


async def test_a_body_that_cannot_be_decoded_is_no_answer() -> None:
    broken = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Parts(b"not gzip", 1))
    assert "DecodingError" in await failure(broken)


class Parts(httpx.AsyncByteStream):
    def __init__(self, part: bytes, count: int) -> None:
        self._parts = [part] * count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


async def test_a_body_without_end_is_cut_off() -> None:
    told = await failure(httpx.Response(200, stream=Parts(b"x" * 1024, 1000)))
    assert told == f"Prometheus answered with more than {64 * 1024} bytes"


async def test_a_long_body_is_not_quoted_in_full() -> None:
    assert len(await failure(httpx.Response(500, text="x" * 5000))) < 400


async def test_a_server_that_never_ends_its_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_TIMEOUT_SECONDS", 0.01)

    class Trickle(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.001)

    assert "TimeoutError" in await failure(httpx.Response(200, stream=Trickle()))


async def test_its_connections_are_closed() -> None:
    metrics = asking(httpx.Response(200, json=SUCCESS))
    await metrics.close()
    with pytest.raises(RuntimeError, match="closed"):
        await metrics.check()
