"""The plugin's way to the API server: as the user, with the operator's own client of the API below."""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx

from fairlead.adapters.connection import Connection
from fairlead.adapters.kubernetes import KubernetesCluster, raise_for
from fairlead.api.kinds import MODEL_DEPLOYMENT, ResourceType
from fairlead.api.names import ANNOTATION_REQUEST
from fairlead.api.request import REQUEST_MANAGER, Request
from fairlead.errors import Refused, RetryLater
from fairlead.ports import Clock

Body = Mapping[str, Any]

_APPLY = "application/apply-patch+yaml"
_AGENT = "kubectl-fairlead"
_WATCH_SECONDS = 120
_PAUSE_SECONDS = 1.0
_POLL_SECONDS = 2.0
"""Where the user may get but not watch."""


class NotThere(ValueError):
    """No resource of this name. The message says where it was looked for."""


class UserCluster:
    """One namespace of a cluster, as the user sees it. Errors are those of `errors.py`."""

    def __init__(self, connection: Connection, clock: Clock, namespace: str) -> None:
        self.namespace = namespace
        self._connection = connection
        self._clock = clock
        self._api = KubernetesCluster(
            connection, may_write=lambda: True, observe=lambda _verb, _code: None, agent=_AGENT
        )

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self._connection.http.base_url).rstrip("/")

    async def close(self) -> None:
        """Let the connections go."""
        await self._connection.http.aclose()

    async def request(self, method: str, path: str, *, body: Any = None, selector: str = "") -> httpx.Response:
        """One request; the answer may be an error. `selector`: of labels, for a list."""
        params = {"labelSelector": selector} if selector else None
        return await self._api.request(method, path, body=body, params=params)

    async def find(self, kinds: tuple[ResourceType, ...], name: str) -> tuple[ResourceType, Body]:
        """The first of these kinds that has the name. NotThere when none has."""
        for resource in kinds:
            body = await self._api.get(resource.kind, self.namespace, name)
            if body is not None:
                return resource, body
        sought = " or ".join(resource.kind for resource in kinds)
        raise NotThere(f"expected a {sought} {name!r} in namespace {self.namespace!r}, got none; `status` lists them")

    async def list(self, resource: ResourceType, *, everywhere: bool = False) -> list[Body]:
        """All of a kind."""
        return list(await self._api.list(resource, "" if everywhere else self.namespace, ""))

    async def ask(self, body: Body, request: Request) -> Body:
        """Server-side apply of nothing but the annotation; the UID keeps it from an object of the same name."""
        meta = body["metadata"]
        change = {
            "apiVersion": MODEL_DEPLOYMENT.api_version,
            "kind": MODEL_DEPLOYMENT.kind,
            "metadata": {
                "name": meta["name"],
                "namespace": self.namespace,
                "uid": meta["uid"],
                "annotations": {ANNOTATION_REQUEST: str(request)},
            },
        }
        response = await self._api.request(
            "PATCH",
            MODEL_DEPLOYMENT.path(self.namespace, meta["name"]),
            body=change,
            content_type=_APPLY,
            params={"fieldManager": REQUEST_MANAGER, "force": "true"},
        )
        raise_for(response)
        found: Body = response.json()
        return found

    async def follow(self, resource: ResourceType, name: str) -> AsyncGenerator[Body | None, None]:
        """The object now and after each change, for ever; None when it is gone. Outages are waited for."""
        seen, may_watch = False, True
        while True:
            try:
                body = await self._api.get(resource.kind, self.namespace, name)
                seen = True
                yield body
                if body is not None and may_watch:
                    async for item in self._watch(resource, name, str(body["metadata"]["resourceVersion"])):
                        yield item
            except RetryLater:
                if not seen:
                    raise
            except Refused as error:
                if not seen or not may_watch or error.code not in (403, 410):
                    raise
                may_watch = error.code == 410  # too old a version: begin anew; not allowed: ask again and again
            await self._clock.sleep(_PAUSE_SECONDS if may_watch else _POLL_SECONDS)

    async def _watch(self, resource: ResourceType, name: str, version: str) -> AsyncGenerator[Body | None, None]:
        """Changes since `version`, until the server ends the stream."""
        params: dict[str, str | int] = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": version,
            "timeoutSeconds": _WATCH_SECONDS,
        }
        headers = {"User-Agent": _AGENT}
        if token := self._connection.authorization():
            headers["Authorization"] = token
        patience = httpx.Timeout(10.0, read=_WATCH_SECONDS + 10.0)
        try:
            async with self._connection.http.stream(
                "GET", resource.path(self.namespace), params=params, headers=headers, timeout=patience
            ) as response:
                if response.is_error:
                    await response.aread()
                    raise_for(response)
                async for line in response.aiter_lines():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise RetryLater(str(event["object"].get("message", "")))
                    if event["type"] != "BOOKMARK":
                        yield None if event["type"] == "DELETED" else event["object"]
        except httpx.TransportError as error:
            raise RetryLater(f"no answer from the API server: {type(error).__name__}") from error
