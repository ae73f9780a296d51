"""Tells the registry how rollouts ended, beside everything else: a registry that hangs delays no decision.

What was told is remembered until the status says so. An operator that dies in between tells it once more; each call
says what is to be, so that changes nothing.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.api.kinds import MODEL_DEPLOYMENT
from fairlead.api.reasons import Reason
from fairlead.api.resource import InvalidResource, ModelDeployment, parse_model_deployment
from fairlead.core.effects import Announcement
from fairlead.core.serving.telling import TAG_OUTCOME, Telling, alias_conflict, what_to_tell
from fairlead.core.world import Alias, Allowed
from fairlead.errors import RegistryError
from fairlead.ports import Clock, Registry
from fairlead.shell.apply import Applier
from fairlead.shell.cache import Cache
from fairlead.shell.keys import Key
from fairlead.shell.queue import WorkQueue
from fairlead.shell.rollouts import Rollouts

log = logging.getLogger("fairlead.telling")

LOOK_SECONDS = 2.0
"""Between two looks for news; all of it is in the cache."""
LAST_DELAY_SECONDS = 60.0
"""After the registry has not answered: each time twice as late, up to this."""

_GONE = frozenset({Reason.MODEL_NOT_FOUND, Reason.MODEL_VERSION_NOT_FOUND})
"""Somebody has deleted what the news is about: nobody is left to be told."""


@dataclass(frozen=True, slots=True)
class _Later:
    """When a ModelDeployment's news are tried again, by the monotonic clock, and how long that was put off."""

    due_seconds: float
    delay_seconds: float


def _has_news(body: Mapping[str, Any]) -> bool:
    return any(not entry.get("told") for entry in (body.get("status") or {}).get("history") or ())


class Teller:
    """One task of the leader. `moved` is told the name of a registered model whose alias it has moved."""

    def __init__(
        self,
        *,
        cache: Cache,
        queue: WorkQueue,
        rollouts: Rollouts,
        registry: Registry,
        applier: Applier,
        clock: Clock,
        allowed: Allowed,
        moved: Callable[[str], None],
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._rollouts = rollouts
        self._registry = registry
        self._applier = applier
        self._clock = clock
        self._allowed = allowed
        self._moved = moved
        self._later: dict[Key, _Later] = {}

    async def run(self, operator_id: str) -> None:
        """Until cancelled. `operator_id` names the writer of aliases, as trainings have it."""
        while True:
            await self.once(operator_id)
            await self._clock.sleep(LOOK_SECONDS)

    async def once(self, operator_id: str) -> None:
        """One look at all that there is to be told now; what the registry does not take is put off."""
        metas = [body["metadata"] for body in self._cache.of_kind(MODEL_DEPLOYMENT.kind) if _has_news(body)]
        keys = [Key(MODEL_DEPLOYMENT.kind, str(meta["namespace"]), str(meta["name"])) for meta in metas]
        self._later = {key: later for key, later in self._later.items() if key in keys}
        for key in keys:
            if key not in self._later or self._later[key].due_seconds <= self._clock.monotonic():
                await self._attempt(key, operator_id)

    async def _attempt(self, key: Key, operator_id: str) -> None:
        try:
            while news := self._next(key):
                await self._tell(key, *news, f"{operator_id}/{key.namespace}")
                self._rollouts.heard(key, news[1].entry)
                self._queue.add(key)
        except InvalidResource:
            return  # the loop tells it
        except RegistryError as error:
            known = self._later.get(key)
            delay = min(LAST_DELAY_SECONDS, 2 * known.delay_seconds if known else LOOK_SECONDS)
            self._later[key] = _Later(self._clock.monotonic() + delay, delay)
            said = {"key": str(key), "reason": error.reason, "error": str(error), "delay_seconds": delay}
            log.warning("registry not told yet", extra=said)
        else:
            self._later.pop(key, None)

    def _next(self, key: Key) -> tuple[ModelDeployment, Telling] | None:
        """The oldest news as things stand now: what was told before may have taken long. InvalidResource."""
        body = self._cache.get(key.kind, key.namespace, key.name)
        if body is None:
            return None
        resource, known = parse_model_deployment(body), self._rollouts.told(key)
        return next(((resource, it) for it in what_to_tell(resource, self._allowed) if it.entry not in known), None)

    async def _tell(self, key: Key, resource: ModelDeployment, telling: Telling, us: str) -> None:
        said = {"key": str(key), "model": telling.model, "version": telling.version}
        try:
            await self._registry.tag_version(telling.model, telling.version, telling.tags)
            if telling.alias:
                await self._move_alias(key, resource, telling, us)
            log.info("registry told", extra={**said, "outcome": telling.tags[TAG_OUTCOME]})
        except RegistryError as error:
            if error.reason not in _GONE:
                raise
            log.info("nobody left to be told", extra={**said, "error": str(error)})

    async def _move_alias(self, key: Key, resource: ModelDeployment, telling: Telling, us: str) -> None:
        """Claimed first, then moved; one of somebody else's is left alone, which an event says."""
        found = await self._registry.find_alias(telling.model, telling.alias)
        if why := alias_conflict(telling, Alias(found.version, found.writer, found.trained), us):
            log.warning("alias not moved", extra={"key": str(key), "error": why})
            await self._applier.announce(key, resource.meta, Announcement("Warning", Reason.ALIAS_CONFLICT, why))
            return
        if found.writer != us:
            await self._registry.claim_alias(telling.model, telling.alias, us)
        if found.version != telling.version:
            await self._registry.set_alias(telling.model, telling.alias, telling.version)
            self._moved(telling.model)
