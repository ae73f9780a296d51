"""Gives each ModelDeployment its port of the namespace's gateway, once per leadership.

The one place that allocates, and it never waits: what it has just given away is known to the next who asks, before any
status says so.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.api.observed import owner_uid
from fairlead.core.port_allocation import Claim, allocate
from fairlead.shell.cache import Cache
from fairlead.shell.keys import Key


class PortBook:
    """Ports by ModelDeployment. The cache has to be filled."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._given: dict[Key, tuple[str, int]] = {}

    def port_of(self, key: Key, body: Mapping[str, Any]) -> int | None:
        """The port of a ModelDeployment; None when none is free."""
        mine = self._claim(body)
        known = self._given.get(key)
        if known and known[0] == mine.uid:
            return known[1]
        others = [self._claim(other) for other in self._cache.inside(key.kind, key.namespace)]
        port = allocate(mine, [other for other in others if other.uid != mine.uid])
        if port is not None:
            self._given[key] = (mine.uid, port)
        return port

    def forget(self, key: Key) -> None:
        """The ModelDeployment is gone."""
        self._given.pop(key, None)

    def _claim(self, body: Mapping[str, Any]) -> Claim:
        """What it was given, else what its status says, else its Service: a status may be lost."""
        meta = body["metadata"]
        uid, namespace, name = str(meta["uid"]), str(meta["namespace"]), str(meta["name"])
        known = self._given.get(Key(str(body["kind"]), namespace, name))
        written = ((body.get("status") or {}).get("traffic") or {}).get("port")
        if known and known[0] == uid:
            written = known[1]
        ports = (written,) if isinstance(written, int) else self._of_service(namespace, name, uid)
        return Claim(name, uid, str(meta.get("creationTimestamp", "")), ports)

    def _of_service(self, namespace: str, name: str, uid: str) -> tuple[int, ...]:
        service = self._cache.get("Service", namespace, name)
        if service is None or owner_uid(service) != uid:
            return ()
        targets = (item.get("targetPort") for item in (service.get("spec") or {}).get("ports") or ())
        return tuple(port for port in targets if isinstance(port, int))
