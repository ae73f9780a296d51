"""Prometheus' HTTP API: whether it answers queries. Its own, or that of anything that speaks it.

Source: Prometheus' HTTP API reference, and what a 3.16 server answered.
"""

import asyncio
import json
from collections.abc import Callable

import httpx

from fairlead.errors import MetricsError

_TIMEOUT_SECONDS = 5.0
_BODY_LIMIT_BYTES = 64 * 1024
_TEXT_LIMIT = 300
_QUERY = "vector(1)"
"""Asks for nothing that is stored. Health pages differ between those who speak this API; the query does not."""


class PrometheusMetrics:
    """Implements ports.Metrics. `url` is what comes before `/api/v1`.

    `authorization` gives the header of each request; empty: none is sent.
    """

    def __init__(
        self, url: str, http: httpx.AsyncClient | None = None, *, authorization: Callable[[], str] = lambda: ""
    ) -> None:
        self._authorization = authorization
        self._url = url.rstrip("/")
        self._http = http or httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def check(self) -> None:
        """Returns when a query is answered. Raises MetricsError with what came instead."""
        header = self._authorization()
        headers = {"Authorization": header} if header else {}
        question = {"query": _QUERY}
        try:
            # The client's own time-outs start anew with each byte: one that trickles would never end.
            async with (
                asyncio.timeout(_TIMEOUT_SECONDS),
                self._http.stream("GET", f"{self._url}/api/v1/query", params=question, headers=headers) as response,
            ):
                body = await _read(response)
        except (httpx.RequestError, TimeoutError) as error:
            raise MetricsError(f"no answer from Prometheus at {self._url}: {type(error).__name__}") from error
        if response.status_code != 200 or not _succeeded(body):
            text = body[:_TEXT_LIMIT].decode(errors="replace")
            raise MetricsError(f"Prometheus at {self._url} answered {response.status_code} to a query: {text}")


async def _read(response: httpx.Response) -> bytes:
    """The body, up to a limit."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > _BODY_LIMIT_BYTES:
            raise MetricsError(f"Prometheus answered with more than {_BODY_LIMIT_BYTES} bytes")
    return bytes(body)


def _succeeded(body: bytes) -> bool:
    """Whether this is the API's own envelope, and not the page of something else that answers 200."""
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("status") == "success"
