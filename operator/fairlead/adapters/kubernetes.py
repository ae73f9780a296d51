"""The Kubernetes API over plain JSON: the only module of the operator that talks to it.

Raw objects instead of generated client classes: the hot path is server-side apply and JSON Patch, and both want the
JSON that we have in hand.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from fairlead.adapters.connection import Connection
from fairlead.api.kinds import BY_KIND, EVENT, ResourceType
from fairlead.api.manifests import Manifest
from fairlead.api.names import FIELD_MANAGER
from fairlead.errors import ReadAgain, Refused, RetryLater

_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"
_PAGE = 500
_MESSAGE_LIMIT = 1024
OPERATOR_AGENT = "fairlead-operator"

Observe = Callable[[str, int], None]
"""Called with verb and status code of each request; 0 when there was no answer."""


def _explain(response: httpx.Response) -> str:
    """The API server's own words, cut to 1 KiB."""
    try:
        return str(response.json().get("message", response.text))[:_MESSAGE_LIMIT]
    except ValueError:
        return response.text[:_MESSAGE_LIMIT]


_THE_OBJECT_S_FAULT = ("request is too large", "failed to create typed patch object")
"""Answered with a 500, which elsewhere means "not now": an object that etcd cannot hold, and one with two list items
of the same key, such as a user's volume under a name of ours. Source: what a 1.36 API server answered."""


def raise_for(response: httpx.Response) -> None:
    """Sorts an error answer into the tree of errors.py."""
    code = response.status_code
    if code < 400:
        return
    text = _explain(response)
    if code == 409:
        raise ReadAgain(text)
    if code >= 500 and any(words in text for words in _THE_OBJECT_S_FAULT):
        raise Refused(text, code=code)
    if code in (401, 429) or code >= 500:
        raise RetryLater(f"HTTP {code}: {text}")
    raise Refused(text, code=code)


class KubernetesCluster:
    """Implements ports.Cluster. `may_write` is asked before every write: a deposed leader must not."""

    def __init__(
        self, connection: Connection, *, may_write: Callable[[], bool], observe: Observe, agent: str = OPERATOR_AGENT
    ) -> None:
        self._connection = connection
        self._agent = agent
        self._may_write = may_write
        self._observe = observe

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        params: Mapping[str, str | int] | None = None,
        verb: str = "",
    ) -> httpx.Response:
        """One request; RetryLater when there is no answer. The answer may be an error: see raise_for."""
        if method != "GET" and not self._may_write():
            raise RetryLater("this process does not hold the lease")
        headers = {"Content-Type": content_type, "User-Agent": self._agent}
        if token := self._connection.authorization():
            headers["Authorization"] = token
        content = None if body is None else json.dumps(body)
        try:
            response = await self._connection.http.request(
                method, path, content=content, headers=headers, params=dict(params or {})
            )
        except httpx.TransportError as error:
            self._observe(verb or method.lower(), 0)
            raise RetryLater(f"no answer from the API server: {type(error).__name__}") from error
        self._observe(verb or method.lower(), response.status_code)
        return response

    async def get(self, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        """One object, or None."""
        response = await self.request("GET", BY_KIND[kind].path(namespace, name))
        if response.status_code == 404:
            return None
        raise_for(response)
        return _object(response)

    async def list(self, resource: ResourceType, namespace: str, selector: str) -> Sequence[Mapping[str, Any]]:
        """All objects of a kind, page by page."""
        items: list[Mapping[str, Any]] = []
        params: dict[str, str | int] = {"limit": _PAGE, **({"labelSelector": selector} if selector else {})}
        while True:
            response = await self.request("GET", resource.path(namespace), params=params, verb="list")
            raise_for(response)
            page = response.json()
            items += [{"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in page["items"]]
            token = page["metadata"].get("continue")
            if not token:
                return items
            params["continue"] = token

    async def apply(self, manifest: Manifest, *, force: bool) -> Mapping[str, Any]:
        """Server-side apply."""
        meta = manifest["metadata"]
        assert isinstance(meta, Mapping)  # noqa: S101 -- every manifest has metadata
        path = BY_KIND[str(manifest["kind"])].path(str(meta["namespace"]), str(meta["name"]))
        params = {"fieldManager": FIELD_MANAGER, "force": str(force).lower()}
        response = await self.request("PATCH", path, body=manifest, content_type=_APPLY, params=params, verb="apply")
        raise_for(response)
        return _object(response)

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Delete with a UID precondition, dependents in the background."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        response = await self.request("DELETE", BY_KIND[kind].path(namespace, name), body=body)
        if response.status_code != 404:
            raise_for(response)

    async def suspend(self, kind: str, namespace: str, name: str, uid: str, *, on: bool) -> Mapping[str, Any]:
        """Merge patch with a UID precondition: the rest of the object stays as whoever made it wrote it."""
        change = {"metadata": {"uid": uid}, "spec": {"suspend": on}}
        params = {"fieldManager": FIELD_MANAGER}
        path = BY_KIND[kind].path(namespace, name)
        response = await self.request(
            "PATCH", path, body=change, content_type=_MERGE_PATCH, params=params, verb="patch"
        )
        if response.status_code == 404:
            raise ReadAgain(_explain(response))
        raise_for(response)
        return _object(response)

    async def patch_status(
        self, kind: str, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """JSON Patch on the status subresource."""
        path = BY_KIND[kind].path(namespace, name) + "/status"
        response = await self.request(
            "PATCH",
            path,
            body=list(operations),
            content_type=_JSON_PATCH,
            params={"fieldManager": FIELD_MANAGER},
            verb="patch",
        )
        if response.status_code in (404, 422):
            raise ReadAgain(_explain(response))
        raise_for(response)
        return _object(response)

    async def record_event(self, event: Manifest) -> None:
        """Create, or count up."""
        meta = event["metadata"]
        assert isinstance(meta, Mapping)  # noqa: S101 -- every manifest has metadata
        namespace, name = str(meta["namespace"]), str(meta["name"])
        response = await self.request("POST", EVENT.path(namespace), body=event, verb="create")
        if response.status_code != 409:
            raise_for(response)
            return
        known = await self.get("Event", namespace, name)
        count = int((known or {}).get("count") or 1) + 1
        change = {"count": count, "lastTimestamp": event["lastTimestamp"]}
        path = EVENT.path(namespace, name)
        raise_for(await self.request("PATCH", path, body=change, content_type=_MERGE_PATCH, verb="patch"))

    async def warnings(self, namespace: str, uid: str) -> Sequence[str]:
        """Messages of the warning events about an object."""
        params: dict[str, str | int] = {"fieldSelector": f"involvedObject.uid={uid},type=Warning", "limit": 20}
        response = await self.request("GET", EVENT.path(namespace), params=params, verb="list")
        raise_for(response)
        items = sorted(response.json()["items"], key=lambda item: str(item.get("lastTimestamp")))
        return [str(item.get("message", "")) for item in items]


def _object(response: httpx.Response) -> Mapping[str, Any]:
    body = response.json()
    assert isinstance(body, dict)  # noqa: S101 -- the API server answers with objects
    return body
