"""Performs one effect: exactly one write to the cluster or the registry, with its precondition.

What the API server answers goes into the cache at once, so that the next look already sees it.
"""

import logging
from collections.abc import Callable
from typing import assert_never

from fairlead.api.resource import Meta
from fairlead.core.effects import (
    Announcement,
    Apply,
    ClaimAlias,
    CloseRun,
    Delete,
    Effect,
    OpenRun,
    RegisterVersion,
    RegistryEffect,
    SetAlias,
    Suspend,
    TagRun,
    WriteStatus,
)
from fairlead.errors import FairleadError, ReadAgain
from fairlead.ports import Clock, Cluster, Registry
from fairlead.render.event import render_event
from fairlead.render.status_patch import render_status_patch
from fairlead.shell.cache import Cache
from fairlead.shell.gather import Seen, is_ours
from fairlead.shell.keys import Key
from fairlead.shell.rollout_series import Written, count_nothing

log = logging.getLogger("fairlead.apply")


class Applier:
    """Effects -> ports. `moved` is told the registered model whose alias we have moved, `written` each new status."""

    def __init__(
        self,
        cache: Cache,
        cluster: Cluster,
        registry: Registry,
        clock: Clock,
        moved: Callable[[str], None],
        *,
        written: Written = count_nothing,
    ) -> None:
        self._cache = cache
        self._cluster = cluster
        self._registry = registry
        self._clock = clock
        self._moved = moved
        self._written = written

    async def perform(self, key: Key, meta: Meta, effect: Effect, seen: Seen) -> None:
        """One effect. Errors as in errors.py; a foreign object under our name is noted in `seen`."""
        match effect:
            case Apply():
                await self._apply(key, meta, effect, seen)
            case Delete(ref, uid):
                await self._cluster.delete(ref.kind, key.namespace, ref.name, uid)
                self._cache.remove(
                    {"kind": ref.kind, "metadata": {"namespace": key.namespace, "name": ref.name, "uid": uid}}
                )
            case Suspend(ref, uid, on):
                self._cache.put(await self._cluster.suspend(ref.kind, key.namespace, ref.name, uid, on=on))
            case WriteStatus():
                await self._write_status(key, meta, effect)
            case _:
                await self._tell_registry(key, effect)

    async def _tell_registry(self, key: Key, effect: RegistryEffect) -> None:
        match effect:
            case OpenRun(name, tags):
                await self._registry.open_run(name, key.namespace, tags)
            case RegisterVersion(model, run_id, model_id, description, tags):
                await self._registry.register(
                    model, run_id=run_id, model_id=model_id, description=description, tags=tags
                )
            case ClaimAlias(model, alias, writer):
                await self._registry.claim_alias(model, alias, writer)
            case SetAlias(model, alias, version):
                await self._registry.set_alias(model, alias, version)
                self._moved(model)
            case CloseRun(run_id, end):
                await self._registry.close_run(run_id, end)
            case TagRun(run_id, tags):
                await self._registry.tag_run(run_id, tags)
            case _:
                assert_never(effect)

    async def _apply(self, key: Key, meta: Meta, effect: Apply, seen: Seen) -> None:
        """Server-side apply; before a first one, a look whether the name is taken (a label may hide it from us)."""
        if effect.absent:
            ref = effect.ref
            found = await self._cluster.get(ref.kind, key.namespace, ref.name)
            if found is not None and not is_ours(key, found, meta.uid):
                seen.foreign[ref] = found
                return
        self._cache.put(await self._cluster.apply(effect.manifest, force=not effect.absent))

    async def _write_status(self, key: Key, meta: Meta, effect: WriteStatus) -> None:
        operations = render_status_patch(meta, before=effect.before, after=effect.after)
        try:
            written = await self._cluster.patch_status(key.kind, key.namespace, key.name, operations)
        except ReadAgain:
            await self._refresh(key)
            raise
        self._cache.put(written)
        if effect.record:
            log.info("rollout decided", extra={"key": str(key), "record": effect.record})
        self._written(effect.before, effect.after)
        for item in effect.announcements:
            log.info("condition changed", extra={"key": str(key), "reason": item.reason.value, "detail": item.message})
            await self.announce(key, meta, item)

    async def announce(self, key: Key, meta: Meta, item: Announcement) -> None:
        """An event on the custom resource. One that cannot be written costs no more than itself."""
        event = render_event(
            key.kind, meta, type_=item.type, reason=item.reason, message=item.message, now=self._clock.now()
        )
        try:
            await self._cluster.record_event(event)
        except FairleadError as error:
            log.warning("event not written", extra={"key": str(key), "error": str(error)})

    async def _refresh(self, key: Key) -> None:
        """Our copy of the custom resource is old: read it again, or forget it."""
        known = self._cache.get(key.kind, key.namespace, key.name)
        found = await self._cluster.get(key.kind, key.namespace, key.name)
        if found is not None:
            self._cache.put(found)
        elif known is not None:
            self._cache.remove(known)
