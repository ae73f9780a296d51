"""One request to MLflow's REST API: a time-out for the whole of it, a size cap, credentials, and a readable error."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from fairlead.adapters.mlflow_answers import Missing, items_of, parse_answer, read_body
from fairlead.api.reasons import Reason
from fairlead.errors import RegistryError
from fairlead.ports import Clock

TIMEOUT_SECONDS = 5.0
KEPT_SECONDS = 1.0
"""How long an idle connection may be used again. MLflow's uvicorn closes them after 5 s: whoever waits as long sends
a request into the closing door now and then, and calls MLflow unavailable."""
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=KEPT_SECONDS)
_API = "/api/2.0/mlflow"
_MOST_PAGES = 20
"""A search that has more than this is answered as far as it was read."""


_OUTCOMES = {Reason.REGISTRY_FORBIDDEN.value: "forbidden", Reason.REGISTRY_NOT_CONFIGURED.value: "not_configured"}

Observe = Callable[[str, float], None]
"""Called with the outcome (ok, not_found, forbidden, not_configured, unavailable) and the seconds of each request."""


class MlflowHttp:
    """Calls by path. Without a URL every call says RegistryNotConfigured.

    `authorization` gives the header of each request; empty: none is sent.
    """

    def __init__(
        self,
        url: str,
        http: httpx.AsyncClient | None,
        authorization: Callable[[], str],
        timeout_seconds: float,
        *,
        clock: Clock,
        observe: Observe,
    ) -> None:
        self._clock = clock
        self._observe = observe
        self.url = url.rstrip("/")
        self._authorization = authorization
        self._timeout_seconds = timeout_seconds
        self._http = http or httpx.AsyncClient(
            timeout=timeout_seconds, follow_redirects=False, trust_env=False, limits=_LIMITS
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """One call; Missing for what does not exist, RegistryError for everything else that went wrong."""
        started, outcome = self._clock.monotonic(), "ok"
        try:
            return await self._send(method, path, fields)
        except Missing:
            outcome = "not_found"
            raise
        except RegistryError as error:
            outcome = _OUTCOMES.get(error.reason, "unavailable")
            raise
        except asyncio.CancelledError:
            outcome = "unavailable"  # who asked has given up
            raise
        finally:
            self._observe(outcome, self._clock.monotonic() - started)

    async def _send(self, method: str, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        if not self.url:
            raise RegistryError(Reason.REGISTRY_NOT_CONFIGURED, "the setting registry.url is empty")
        arguments: dict[str, Any] = {"params": fields} if method == "GET" else {"json": fields}
        if header := self._authorization():
            arguments["headers"] = {"Authorization": header}
        try:
            # The client's own time-outs start anew with each byte: one that trickles would never end.
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._http.stream(method, self.url + _API + path, **arguments) as response,
            ):
                body = await read_body(response)
        except (httpx.RequestError, TimeoutError) as error:
            text = f"no answer from MLflow at {self.url}: {type(error).__name__}"
            raise RegistryError(Reason.REGISTRY_UNAVAILABLE, text) from error
        return parse_answer(response.status_code, body, path, response.url.netloc.decode())

    async def search(self, method: str, path: str, key: str, **fields: Any) -> list[dict[str, Any]]:
        """All items of a search that may be cut into pages."""
        items: list[dict[str, Any]] = []
        for _ in range(_MOST_PAGES):
            found = await self.call(method, path, **fields)
            items += items_of(found, path, key)
            if not (token := found.get("next_page_token")):
                break
            fields["page_token"] = token
        return items
