"""Prometheus' HTTP API: whether it answers queries, and what it last read of gateways. Its own, or that of anything
that speaks it.

Source: Prometheus' HTTP API reference, and what a 3.16 server answered.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from fairlead.adapters.prometheus_answers import InvalidAnswer, parse_gateways, parse_vector, succeeded
from fairlead.api.gateway_evidence import PodEvidence
from fairlead.errors import MetricsError

_TIMEOUT_SECONDS = 5.0
_CHECK_LIMIT_BYTES = 64 * 1024
_GATEWAYS_LIMIT_BYTES = 8 * 1024 * 1024
"""Some 20,000 series: two gateway pods with 300 ModelDeployments each."""
_TEXT_LIMIT = 300
_CHECK_QUERY = "vector(1)"
"""Asks for nothing that is stored. Health pages differ between those who speak this API; the query does not."""
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class GatewayQuery:
    """How the evidence of a namespace's gateways is asked for. Both come from the settings, never from a resource."""

    text: str
    """PromQL; `{namespace}` stands for the namespace."""
    pod_label: str
    """The label that names the pod."""

    def of(self, namespace: str) -> str:
        """The query for one namespace. A name that Kubernetes would not have let be is refused, so that none can end
        the string it stands in."""
        if not _NAMESPACE.fullmatch(namespace):
            raise MetricsError(f"expected the name of a namespace, got {namespace[:80]!a}")
        return self.text.replace("{namespace}", namespace)


class PrometheusMetrics:
    """Implements ports.Metrics. `url` is what comes before `/api/v1`.

    `authorization` gives the header of each request; empty: none is sent. `tls` gives what connections are secured
    with, another object when that has changed; None: the public authorities, and no certificate of our own.
    """

    def __init__(
        self,
        url: str,
        http: httpx.AsyncClient | None = None,
        *,
        query: GatewayQuery,
        authorization: Callable[[], str] = lambda: "",
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    ) -> None:
        self._authorization = authorization
        self._url = url.rstrip("/")
        self._query = query
        self._tls = tls
        self._secured: ssl.SSLContext | None = None
        self._http = http or _connect(None)
        self._former: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        if self._former is not None:
            await self._former.aclose()

    async def check(self) -> None:
        """Returns when a query is answered. Raises MetricsError with what came instead."""
        body = await self._ask({"query": _CHECK_QUERY}, _CHECK_LIMIT_BYTES)
        if not succeeded(body):
            raise self._refused(200, body)

    async def gateways(self, namespace: str) -> Mapping[str, PodEvidence]:
        """What each gateway pod of a namespace said when it was last scraped, by pod. Raises MetricsError."""
        question = {"query": self._query.of(namespace), "timeout": f"{_TIMEOUT_SECONDS:g}s"}
        body = await self._ask(question, _GATEWAYS_LIMIT_BYTES)
        try:
            # In a thread: megabytes take longer than a reconcile may wait.
            return await asyncio.to_thread(lambda: parse_gateways(parse_vector(body), self._query.pod_label))
        except InvalidAnswer as error:
            raise MetricsError(f"Prometheus at {self._url} gave no evidence of gateways: {error}") from error

    async def _ask(self, question: Mapping[str, str], limit_bytes: int) -> bytes:
        """The body of a 200. No redirect is followed: credentials go to this address alone."""
        header = self._authorization()
        headers = {"Accept-Encoding": "identity", **({"Authorization": header} if header else {})}
        http = await self._client()
        try:
            # The client's own time-outs start anew with each byte: one that trickles would never end.
            async with (
                asyncio.timeout(_TIMEOUT_SECONDS),
                http.stream("GET", f"{self._url}/api/v1/query", params=question, headers=headers) as response,
            ):
                body = await _read(response, limit_bytes)
        except (httpx.RequestError, OSError) as error:
            # An OSError is a time-out, or what a server that speaks TLS 1.3 says of our certificate, once it is asked.
            raise MetricsError(f"no answer from Prometheus at {self._url}: {type(error).__name__}") from error
        if response.status_code != 200:
            raise self._refused(response.status_code, body)
        return body

    def _refused(self, status: int, body: bytes) -> MetricsError:
        text = body[:_TEXT_LIMIT].decode(errors="replace")
        return MetricsError(f"Prometheus at {self._url} answered {status} to a query: {text}")

    async def _client(self) -> httpx.AsyncClient:
        """A client that has the certificates of now. Requests may still be under way in the one before, so that it is
        closed when the next one comes."""
        secured = self._tls()
        if secured is not self._secured:
            past, self._former, self._http = self._former, self._http, _connect(secured)
            self._secured = secured
            if past is not None:
                await past.aclose()
        return self._http


def _connect(secured: ssl.SSLContext | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=_TIMEOUT_SECONDS,
        follow_redirects=False,
        trust_env=False,
        verify=True if secured is None else secured,
    )


async def _read(response: httpx.Response, limit_bytes: int) -> bytes:
    """The body, up to a limit. One that is compressed, unasked, could be a thousand times larger than it looks."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise MetricsError(f"Prometheus answered in the encoding {encoding[:_TEXT_LIMIT]!a}, which nobody asked for")
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > limit_bytes:
            raise MetricsError(f"Prometheus answered with more than {limit_bytes} bytes")
    return bytes(body)
