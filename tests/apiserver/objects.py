"""Any object of one namespace over raw JSON, and how to wait for what it should become."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx
from tests.cluster.progress import patience, pause

from fairlead.api.kinds import BY_KIND
from fairlead.api.names import GATEWAY

T = TypeVar("T")
POLL_SECONDS = 0.05


class Objects:
    """One namespace, by kind and name. Every call raises HTTPStatusError, with the API server's words, on refusal."""

    def __init__(self, api: httpx.Client, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    def _path(self, kind: str, name: str = "", subresource: str = "") -> str:
        return BY_KIND[kind].path(self.namespace, name) + (f"/{subresource}" if subresource else "")

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """The object, or None."""
        response = self.api.get(self._path(kind, name))
        return None if response.status_code == 404 else _body(response)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """The object."""
        return _body(self.api.get(self._path(kind, name)))

    def every(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind."""
        items = _body(self.api.get(self._path(kind)))["items"]
        return [{"kind": kind, **item} for item in items]

    def names(self, kind: str) -> list[str]:
        """The names of all objects of a kind, sorted."""
        return sorted(str(item["metadata"]["name"]) for item in self.every(kind))

    def workloads(self) -> list[dict[str, Any]]:
        """The Deployments of models: all but the gateway's."""
        return [item for item in self.every("Deployment") if item["metadata"]["name"] != GATEWAY]

    def workload_names(self) -> list[str]:
        """Their names, sorted."""
        return sorted(str(item["metadata"]["name"]) for item in self.workloads())

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """A new object; unknown fields are refused."""
        kind = str(manifest["kind"])
        body = {"apiVersion": BY_KIND[kind].api_version, **manifest}
        return _body(self.api.post(self._path(kind), json=body, params={"fieldValidation": "Strict"}))

    def merge(self, kind: str, name: str, change: Mapping[str, Any], subresource: str = "") -> dict[str, Any]:
        """JSON Merge Patch of the object, or of its `status`."""
        headers = {"Content-Type": "application/merge-patch+json"}
        path = self._path(kind, name, subresource)
        return _body(self.api.patch(path, content=json.dumps(change), headers=headers))

    def delete(self, kind: str, name: str) -> None:
        """Delete at once."""
        body = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        _body(self.api.request("DELETE", self._path(kind, name), json=body))


def _body(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise httpx.HTTPStatusError(response.text[:1000], request=response.request, response=response)
    body: dict[str, Any] = response.json()
    return body


def conditions(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The conditions of a custom resource by their type."""
    return {item["type"]: item for item in (body.get("status") or {}).get("conditions") or ()}


def eventually(what: str, look: Callable[[], T], *, seconds: float, shows: Callable[[], object] = str) -> T:
    """The first truthy answer of `look`, and fails with `what` and `shows()` when there is none within `seconds`.

    A busy machine gets longer: what takes how long is measured by the benches, on an idle one.
    """
    started = time.monotonic()
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() - started > seconds * patience():
            raise AssertionError(f"{what}: not within {seconds:g} s; last seen: {shows() or found!r}")
        pause(POLL_SECONDS)
