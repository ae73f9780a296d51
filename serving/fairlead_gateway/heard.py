"""What the watches have heard, as small as it may be kept."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fairlead_gateway.endpoints import SERVICE_LABEL


class Heard:
    """A watch's objects by name; `changed` is set, and `changes` counted, whenever they change."""

    def __init__(self, changed: asyncio.Event) -> None:
        self.objects: dict[str, Any] = {}
        self.listed = False
        self.changes = 0
        self._changed = changed

    def replace(self, objects: dict[str, Any]) -> None:
        """These are all."""
        if not self.listed or objects != self.objects:
            self.objects, self.listed = objects, True
            self._tell()

    def put(self, name: str, value: Any) -> None:
        """One was made or changed."""
        if self.objects.get(name) != value:
            self.objects[name] = value
            self._tell()

    def drop(self, name: str) -> None:
        """One is gone."""
        if self.objects.pop(name, None) is not None:
            self._tell()

    def _tell(self) -> None:
        self.changes += 1
        self._changed.set()


def slim_slice(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `ready_endpoints` reads of an EndpointSlice."""
    labels = item["metadata"].get("labels") or {}
    return {
        "metadata": {"labels": {key: labels[key] for key in labels if key == SERVICE_LABEL}},
        "addressType": item.get("addressType"),
        "ports": [{"port": port.get("port")} for port in item.get("ports") or ()],
        "endpoints": [
            {"addresses": endpoint["addresses"][:1], "conditions": endpoint.get("conditions") or {}}
            for endpoint in item.get("endpoints") or ()
        ],
    }
