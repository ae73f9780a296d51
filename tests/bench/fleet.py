"""Many ModelDeployments at once, and the Deployment controller's part of their life, over concurrent requests."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any

import httpx

from fairlead.api.kinds import BY_KIND, MODEL_DEPLOYMENT, ResourceType
from tests.cluster import ControlPlane

CONNECTIONS = 16
_DEPLOYMENT = BY_KIND["Deployment"]
_MERGE = {"Content-Type": "application/merge-patch+json"}

Send = Callable[[httpx.AsyncClient], Coroutine[Any, Any, httpx.Response]]


def serving(number: int, model: str) -> dict[str, Any]:
    """One of the fleet: of a container, or of the alias `champion` of a registered model."""
    spec: dict[str, Any] = {"container": {"image": "registry.example/web:1"}}
    if model:
        spec = {"model": {"name": model, "alias": "champion"}}
    meta = {"name": f"web-{number:04}"}
    return {"apiVersion": MODEL_DEPLOYMENT.api_version, "kind": MODEL_DEPLOYMENT.kind, "metadata": meta, "spec": spec}


class Fleet:
    """The objects of one namespace, written as cluster admin by as many connections as an eager pipeline would use."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self._url = plane.url
        self._namespace = namespace
        self._trust = ssl.create_default_context(cafile=str(plane.ca))
        self._trust.load_cert_chain(str(plane.admin_cert), str(plane.admin_key))

    def create(self, count: int, *, model: str = "") -> None:
        """All at once. HTTPStatusError when one is refused."""
        path = MODEL_DEPLOYMENT.path(self._namespace)
        self._all(_post(path, serving(number, model)) for number in range(count))

    def make_ready(self) -> None:
        """Every Deployment has all its pods ready: what the Deployment controller says when it is done."""
        patches = []
        for item in self._list(_DEPLOYMENT):
            path = f"{_DEPLOYMENT.path(self._namespace, item['metadata']['name'])}/status"
            patches.append(_merge(path, {"status": ready_status(item)}))
        self._all(patches)

    def count(self, resource: ResourceType) -> int:
        """How many there are, by a page of one: a whole LIST twice a second would be load of its own."""
        page = self._get(resource, limit=1)
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)

    def _list(self, resource: ResourceType) -> list[dict[str, Any]]:
        return list(self._get(resource)["items"])

    def _get(self, resource: ResourceType, **params: int) -> dict[str, Any]:
        with httpx.Client(base_url=self._url, verify=self._trust, timeout=30, trust_env=False) as http:
            body: dict[str, Any] = http.get(resource.path(self._namespace), params=params).raise_for_status().json()
        return body

    def _all(self, sends: Iterable[Send]) -> None:
        asyncio.run(self._send(list(sends)))

    async def _send(self, sends: list[Send]) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS)
        async with httpx.AsyncClient(
            base_url=self._url, verify=self._trust, timeout=60, limits=limits, trust_env=False
        ) as http:
            for answer in await asyncio.gather(*(send(http) for send in sends)):
                answer.raise_for_status()


def ready_status(deployment: dict[str, Any]) -> dict[str, Any]:
    """The status of a Deployment all of whose pods are ready."""
    count = int(deployment["spec"]["replicas"])
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": count,
        "updatedReplicas": count,
        "readyReplicas": count,
        "availableReplicas": count,
        "conditions": [
            {
                "type": "Available",
                "status": "True",
                "reason": "MinimumReplicasAvailable",
                "message": "",
                "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        ],
    }


def _post(path: str, body: dict[str, Any]) -> Send:
    return lambda http: http.post(path, json=body, params={"fieldValidation": "Strict"})


def _merge(path: str, body: dict[str, Any]) -> Send:
    return lambda http: http.patch(path, json=body, headers=_MERGE)
