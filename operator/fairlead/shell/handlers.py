"""The only Kopf handlers. Each keeps the object in the cache and adds a key to the queue; none of them decides."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, cast

import kopf

from fairlead.api.kinds import CHILDREN, WATCHED
from fairlead.api.names import MANAGED_SELECTOR
from fairlead.shell.cache import Cache
from fairlead.shell.keys import key_of
from fairlead.shell.queue import WorkQueue

_REQUEST_TIMEOUT_SECONDS = 30
NO_FINALIZER = "none: Fairlead uses no finalizers"
"""Kopf takes its finalizer off every object that carries it, and any user may put it there. The API server refuses a
finalizer with spaces, so no object carries this one."""


class NoMemory(kopf.DiffBaseStorage):
    """Kopf's memory of an object's last state: none.

    Kopf keeps it in an annotation, and reads it even for handlers that have no use for it. What a user writes there
    would otherwise hide the object from the handlers: an annotation that is not JSON raises before they are called.
    """

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        """An empty state."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """No state, whatever the annotations say."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is kept."""


def kopf_settings() -> kopf.OperatorSettings:
    """Kopf for process life and watch streams alone: no events, no peering, no scanning, no annotations."""
    settings = kopf.OperatorSettings()
    settings.persistence.diffbase_storage = NoMemory()
    settings.persistence.finalizer = NO_FINALIZER
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.networking.request_timeout = _REQUEST_TIMEOUT_SECONDS
    for resource in CHILDREN:
        where = (
            (resource.group, resource.version, resource.plural)
            if resource.group
            else (resource.version, resource.plural)
        )
        settings.watching.label_selectors[where] = MANAGED_SELECTOR
    return settings


def register(registry: kopf.OperatorRegistry, cache: Cache, queue: WorkQueue) -> None:
    """Watch every kind."""

    async def seen(event: kopf.RawEvent, **_: Any) -> None:
        body: Any = event["object"]
        known = cache.remove(body) if event["type"] == "DELETED" else cache.put(body)
        if known and (key := key_of(body)):
            queue.add(key)

    for resource in WATCHED:
        kopf.on.event(resource.group, resource.version, resource.plural, registry=registry, id="seen")(seen)


async def watch(registry: kopf.OperatorRegistry, namespaces: Sequence[str], ready: asyncio.Event) -> None:
    """Runs the watch streams until cancelled, or until one dies for good. `ready`: Kopf's start-up is over."""
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    await kopf.operator(
        registry=registry,
        settings=kopf_settings(),
        standalone=True,
        ready_flag=ready,
        # Kopf would ask for the user's name, and a numeric user of an image has none.
        identity=cast(Any, "fairlead"),
        clusterwide=not namespaces,
        namespaces=list(namespaces),
    )
