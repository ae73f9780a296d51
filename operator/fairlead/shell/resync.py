"""LISTs: the first one fills the cache before anything is decided; the later ones find what the watch missed.

A watch that stays behind a LIST twice in a row is deaf: liveness fails and the kubelet starts the process anew.
"""

import logging
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from fairlead.api.kinds import OWNED, WATCHED, ResourceType
from fairlead.api.names import LABEL_MANAGED_BY, MANAGED_BY, MANAGED_SELECTOR
from fairlead.errors import Refused, RetryLater
from fairlead.ports import Clock, Cluster
from fairlead.shell.cache import Cache, ref_of
from fairlead.shell.keys import key_of
from fairlead.shell.queue import WorkQueue
from fairlead.shell.telemetry import Telemetry

log = logging.getLogger("fairlead.resync")

GRACE_SECONDS = 5.0
"""How long the watch may lag behind a LIST before it counts as having missed something."""
DEAF_AFTER = 2
SOON_SECONDS = (2.0, 20.0)
"""The first comparisons come soon. What was deleted between our first LIST and the watch's was seen by neither; and a
watch that is opened in the second in which its CRD was installed may belong to a storage that the API server is about
to replace, and hear nothing. The second one is for watches that were opened late."""


class Resync:
    """Lists every watched kind and compares it with the cache."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        cache: Cache,
        queue: WorkQueue,
        clock: Clock,
        telemetry: Telemetry,
        namespaces: Sequence[str],
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._queue = queue
        self._clock = clock
        self._telemetry = telemetry
        self._namespaces = tuple(namespaces) or ("",)
        self._misses: dict[str, int] = {}
        self.synced = False

    def deaf_kinds(self) -> list[str]:
        """Kinds whose watch has missed something in each of the last LISTs."""
        return [kind for kind, count in self._misses.items() if count >= DEAF_AFTER]

    async def first(self) -> None:
        """Fill the cache; wait as long as it takes, and say what is missing."""
        while True:
            try:
                for resource in WATCHED:
                    for body in await self._list(resource):
                        self._cache.put(body)
                break
            except Refused as error:
                what = "the CRDs are missing: kubectl apply -f crds/" if error.code == 404 else str(error)
                log.error("cannot list", extra={"error": what})
            except RetryLater as error:
                log.warning("cannot list yet", extra={"error": str(error)})
            await self._clock.sleep(2.0)
        for key in self._cache.keys():  # noqa: SIM118 -- not a mapping
            self._queue.add(key)
        self.synced = True
        log.info("cache filled", extra={"keys": len(self._cache.keys())})

    async def renew(self, resource: ResourceType) -> None:
        """A LIST of one kind, for as long as it takes: a new leader has to see its predecessor's last write.

        What is news here is none any more when the watch tells of it, so its key goes into the queue now.
        """
        while True:
            try:
                for body in await self._list(resource):
                    if self._cache.put(body) and (key := key_of(body)):
                        self._queue.add(key)
                return
            except (RetryLater, Refused) as error:
                log.warning("cannot list yet", extra={"error": str(error)})
            await self._clock.sleep(2.0)

    async def run(self, interval_seconds: float) -> None:
        """The periodic LIST, and a look at every custom resource."""
        for wait in chain(SOON_SECONDS, repeat(interval_seconds)):
            await self._clock.sleep(min(wait, interval_seconds))
            for resource in WATCHED:
                try:
                    await self._compare(resource)
                except (RetryLater, Refused) as error:
                    log.warning("resync failed", extra={"kind": resource.kind, "error": str(error)})
            for key in self._cache.keys():  # noqa: SIM118 -- not a mapping
                self._queue.add(key)

    async def _list(self, resource: ResourceType) -> list[dict[str, object]]:
        selector = "" if resource in OWNED else MANAGED_SELECTOR
        found: list[dict[str, object]] = []
        for namespace in self._namespaces:
            found += [dict(item) for item in await self._cluster.list(resource, namespace, selector)]
        return found

    async def _compare(self, resource: ResourceType) -> None:
        """Objects newer in the LIST than in the cache, and objects gone, both after a grace for the watch."""
        before = {ref_of(body): body for body in self._cache.of_kind(resource.kind)}
        listed = await self._list(resource)
        await self._clock.sleep(GRACE_SECONDS)
        names = {ref_of(body) for body in listed}
        fresh = [body for body in listed if await self._still_there(resource, body) and self._cache.put(body)]
        gone = [body for ref, body in before.items() if ref not in names and self._forgotten(body)]
        for body in (*fresh, *gone):
            if key := key_of(body):
                self._queue.add(key)
        missed = len(fresh) + len(gone)
        self._misses[resource.kind] = self._misses.get(resource.kind, 0) + 1 if missed else 0
        if missed:
            self._telemetry.missed(resource.kind, missed)
            log.warning("watch had missed objects", extra={"kind": resource.kind, "count": missed})

    async def _still_there(self, resource: ResourceType, body: dict[str, object]) -> bool:
        """Whether a listed object that the cache lacks is still ours to see.

        It may have been deleted during the grace, or have lost the label that the watch selects by: whoever takes the
        label off and puts it on again all the time must not make the watch look deaf.
        """
        kind, namespace, name = ref_of(body)
        if self._cache.get(kind, namespace, name) is not None:
            return True
        found = await self._cluster.get(kind, namespace, name)
        return found is not None and (resource in OWNED or _is_managed(found))

    def _forgotten(self, body: Mapping[str, object]) -> bool:
        """Drop an object that the LIST lacks, unless the watch has told of it since."""
        return self._cache.get(*ref_of(body)) is body and self._cache.remove(body)


def _is_managed(body: Mapping[str, Any]) -> bool:
    return (body["metadata"].get("labels") or {}).get(LABEL_MANAGED_BY) == MANAGED_BY
