"""What Prometheus is asked, and what becomes of its answers; a real one is asked on the apiserver tier and beyond."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from fairlead.adapters import prometheus
from fairlead.adapters.prometheus import GatewayQuery, PrometheusMetrics
from fairlead.api.gateway_evidence import PodEvidence
from fairlead.errors import MetricsError

QUERY = GatewayQuery('{__name__=~"fairlead_gateway_.+",namespace="{namespace}"}', "pod")
SUCCESS = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1.5, "1"]}]}}


def asking(answer: httpx.Response | Exception, sent: list[httpx.Request] | None = None) -> PrometheusMetrics:
    def respond(request: httpx.Request) -> httpx.Response:
        if sent is not None:
            sent.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    http = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    return PrometheusMetrics("http://p:9090/base/", http, query=QUERY)


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
    await PrometheusMetrics("http://p", http, query=QUERY, authorization=lambda: header).check()
    assert sent[0].headers.get("Authorization", "") == header


async def test_a_server_that_refuses_our_certificate_only_when_it_is_asked_is_told_alike() -> None:
    assert "no answer from Prometheus at http://p:9090/base: SSLError" in await failure(ssl.SSLError(1, "alert"))


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
        httpx.Response(200, text="[" * 60000),
        httpx.Response(200),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.text[:20]}",
)
async def test_any_other_answer_is_none_and_is_quoted(answer: httpx.Response) -> None:
    told = await failure(answer)
    assert told.startswith(f"Prometheus at http://p:9090/base answered {answer.status_code} to a query: ")
    assert told.endswith(answer.text[:300])


async def test_a_compressed_body_is_not_asked_for_and_not_unpacked() -> None:
    sent: list[httpx.Request] = []
    packed = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Parts(b"\x1f\x8b", 1))
    with pytest.raises(MetricsError, match="in the encoding 'gzip'"):
        await asking(packed, sent).check()
    assert sent[0].headers["Accept-Encoding"] == "identity"


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


def series(name: str, number: object, **labels: str) -> dict[str, Any]:
    metric = {"__name__": f"fairlead_gateway_{name}", "namespace": "team", "pod": "gw-1", "job": "g", **labels}
    return {"metric": metric, "value": [1764000000.5, number]}


def vector(*items: object) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": list(items)}}


CLOCK = (series("time_seconds", "12.5"), series("start_time_seconds", "1764000000.125"))


async def test_a_namespace_is_one_query_and_its_pods_are_told_by_name() -> None:
    sent: list[httpx.Request] = []
    found = await asking(httpx.Response(200, json=vector(*CLOCK)), sent).gateways("team")
    assert found == {"gw-1": PodEvidence(12.5, 1764000000.125, {})}
    (request,) = sent
    assert dict(request.url.params) == {
        "query": '{__name__=~"fairlead_gateway_.+",namespace="team"}',
        "timeout": "5s",
    }


@pytest.mark.parametrize("name", ["", 'a"} or vector(1) #', "a b", "A", "é", "a" * 64, "a\n", "{namespace}"])
async def test_what_is_no_name_of_a_namespace_reaches_no_query(name: str) -> None:
    sent: list[httpx.Request] = []
    with pytest.raises(MetricsError, match="expected the name of a namespace"):
        await asking(httpx.Response(200, json=vector()), sent).gateways(name)
    assert sent == []


async def test_a_namespace_of_which_nothing_is_known_has_no_pods() -> None:
    assert await asking(httpx.Response(200, json=vector())).gateways("team") == {}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.ConnectError("refused"), "no answer from Prometheus at http://p:9090/base: ConnectError"),
        (httpx.Response(302, headers={"Location": "http://elsewhere"}), "answered 302 to a query"),
        (httpx.Response(400, json={"status": "error", "error": "parse error"}), "answered 400 .*parse error"),
        (httpx.Response(503, text="timed out"), "answered 503 to a query: timed out"),
        (httpx.Response(200, json={"status": "error", "error": "no\x1b[2J"}), r"gave no evidence .*'no\\x1b"),
        (httpx.Response(200, text="<html>"), "expected JSON, got '<html>'"),
        (httpx.Response(200, text="[" * 100_000), "expected JSON"),
        (httpx.Response(200, text="9" * 100_000), "expected JSON"),
        (httpx.Response(200, content=b"\xff\xfe"), "expected JSON"),
        (httpx.Response(200, json=[]), "expected an object, got list"),
        (httpx.Response(200, json={"status": "success"}), "expected an instant vector, got NoneType"),
        (httpx.Response(200, json={"status": "success", "data": []}), "expected an instant vector"),
        (
            httpx.Response(200, json={"status": "success", "data": {"resultType": "matrix", "result": []}}),
            "expected an instant vector",
        ),
        (
            httpx.Response(200, json={"status": "success", "data": {"resultType": "vector", "result": {}}}),
            "expected an instant vector",
        ),
        (httpx.Response(200, json=vector(1)), "expected a series with one value, got int"),
        (httpx.Response(200, json=vector({"metric": {}})), "expected a series with one value"),
        (httpx.Response(200, json=vector(series("time_seconds", 12.5))), "expected a series with one value"),
        (httpx.Response(200, json=vector({"metric": {"a": 1}, "value": [1, "1"]})), "expected a series with one"),
        (httpx.Response(200, json=vector({"metric": [], "value": [1, "1"]})), "expected a series with one value"),
        (httpx.Response(200, json=vector({"metric": {}, "value": [1, "1", "2"]})), "expected a series with one"),
        (httpx.Response(200, json=vector({"metric": {}, "values": [[1, "1"]]})), "expected a series with one value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_answer_that_is_none_costs_one_error(answer: httpx.Response | Exception, why: str) -> None:
    with pytest.raises(MetricsError, match=why) as caught:
        await asking(answer).gateways("team")
    assert len(str(caught.value)) < 500


async def test_a_huge_answer_is_cut_off() -> None:
    endless = httpx.Response(200, stream=Parts(b"x" * 1024 * 1024, 1000))
    with pytest.raises(MetricsError, match=f"more than {8 * 1024 * 1024} bytes"):
        await asking(endless).gateways("team")


async def test_an_answer_that_trickles_is_given_up_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_TIMEOUT_SECONDS", 0.05)

    class Trickle(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for byte in json.dumps(vector(*CLOCK)).encode():
                yield bytes([byte])
                await asyncio.sleep(0.002)

    with pytest.raises(MetricsError, match="TimeoutError"):
        await asking(httpx.Response(200, stream=Trickle())).gateways("team")


def test_other_certificates_are_another_client_and_the_last_two_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[httpx.AsyncClient] = []

    def connect(_: ssl.SSLContext | None) -> httpx.AsyncClient:
        def respond(_: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json=SUCCESS)

        made.append(httpx.AsyncClient(transport=httpx.MockTransport(respond)))
        return made[-1]

    monkeypatch.setattr(prometheus, "_connect", connect)
    contexts = [ssl.create_default_context() for _ in range(3)]

    async def ask(now: Callable[[], ssl.SSLContext]) -> None:
        metrics = PrometheusMetrics("https://p", query=QUERY, tls=now)
        await metrics.check()
        await metrics.check()
        assert [client.is_closed for client in made] == [False, False]
        contexts.pop()
        await metrics.check()
        assert [client.is_closed for client in made] == [True, False, False]
        await metrics.close()
        assert [client.is_closed for client in made] == [True, True, True]

    asyncio.run(ask(lambda: contexts[-1]))
