"""The loop: take a key, gather, decide, apply one effect, and again until nothing is left to do."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from fairlead.api.reasons import Reason
from fairlead.api.resource import InvalidResource, Meta, parse_meta
from fairlead.core.effects import Announcement, Plan
from fairlead.core.gateway import decide_gateway
from fairlead.core.serving.decide import decide_serving
from fairlead.core.training.decide import decide_training
from fairlead.errors import ReadAgain, Refused, RegistryError, RetryLater
from fairlead.ports import Clock
from fairlead.shell.apply import Applier
from fairlead.shell.cache import Cache
from fairlead.shell.facts import problem_of
from fairlead.shell.gateways import Gateways
from fairlead.shell.gather import Frame, Gatherer, Seen
from fairlead.shell.keys import GATEWAY_KIND, Key
from fairlead.shell.queue import WorkQueue
from fairlead.shell.rollouts import Rollouts
from fairlead.shell.telemetry import Telemetry

log = logging.getLogger("fairlead.loop")

MOST_EFFECTS = 40
"""A reconcile that has not settled after this many writes fights with someone over a field: it is stopped and shown."""
RECONCILE_TIMEOUT_SECONDS = 60.0

Result: TypeAlias = Literal["settled", "retry", "invalid", "error"]


class Unsettled(RetryLater):
    """Too many effects in one reconcile."""


class Loop:
    """Workers over the queue. Only the leader runs one."""

    def __init__(
        self,
        *,
        queue: WorkQueue,
        cache: Cache,
        gatherer: Gatherer,
        applier: Applier,
        clock: Clock,
        telemetry: Telemetry,
        frame: Callable[[], Frame],
        gone: Callable[[Key], None],
        gateways: Gateways,
        rollouts: Rollouts,
    ) -> None:
        self._queue = queue
        self._cache = cache
        self._gatherer = gatherer
        self._applier = applier
        self._clock = clock
        self._telemetry = telemetry
        self._frame = frame
        self._gone = gone
        self._gateways = gateways
        self._rollouts = rollouts
        self._told_invalid: dict[Key, str] = {}

    async def run(self, concurrency: int) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(concurrency):
                group.create_task(self._work(), name=f"worker-{number}")

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            started = self._clock.monotonic()
            try:
                result = await self._attempt(key)
            finally:
                self._queue.done(key)
            self._telemetry.reconciled(key.kind, result, self._clock.monotonic() - started)

    async def _attempt(self, key: Key) -> Result:
        """One reconcile and what becomes of the key; the one place that catches everything."""
        try:
            async with asyncio.timeout(RECONCILE_TIMEOUT_SECONDS):
                wait = await self.reconcile(key)
        except ReadAgain as error:
            log.info("world moved while deciding", extra={"key": str(key), "error": str(error)})
            self._queue.fail(key)
            return "retry"
        except (RetryLater, RegistryError, TimeoutError) as error:
            delay = self._queue.fail(key)
            log.warning("will retry", extra={"key": str(key), "error": str(error), "delay_seconds": round(delay, 1)})
            return "retry"
        except InvalidResource as error:
            log.error("stored object does not fit the schema", extra={"key": str(key), "error": str(error)})
            await self._tell_invalid(key, str(error))
            return "invalid"
        except Exception:  # a bug in one resource must not stop the others
            delay = self._queue.fail(key)
            log.exception("reconcile failed", extra={"key": str(key), "delay_seconds": round(delay, 1)})
            return "error"
        self._queue.succeed(key)
        if wait is not None:
            self._queue.add_after(key, wait)
        return "settled"

    async def _tell_invalid(self, key: Key, message: str) -> None:
        """An event, once for each thing that is wrong: there is no status to put a condition into."""
        body = self._cache.get(key.kind, key.namespace, key.name)
        if body is None or self._told_invalid.get(key) == message:
            return
        self._told_invalid[key] = message
        await self._applier.announce(key, parse_meta(body), Announcement("Warning", Reason.INVALID_SPEC, message))

    async def reconcile(self, key: Key) -> float | None:
        """Gather, decide, apply the first effect, and again. The seconds until the next look, if one is due."""
        if key.kind == GATEWAY_KIND:
            return await self._reconcile_gateway(key)
        seen = Seen(foreign={})
        for _ in range(MOST_EFFECTS):
            body = self._cache.get(key.kind, key.namespace, key.name)
            if body is None:
                self._told_invalid.pop(key, None)
                self._gone(key)
                return None  # deleted: owner references take the children
            plan = await self._decide(key, body, seen)
            if not plan.effects:
                self._rollouts.remember(key, plan.remember)
                return plan.requeue_after_seconds
            await self._perform(key, parse_meta(body), plan, seen)
        raise Unsettled(f"{key} has not settled after {MOST_EFFECTS} writes: another writer changes the same fields")

    async def _decide(self, key: Key, body: Mapping[str, Any], seen: Seen) -> Plan:
        if key.kind == "ModelDeployment":
            world = await self._gatherer.gather_serving(key, body, self._frame(), seen)
            if not world.resource.meta.deleting:
                self._gateways.require(key, world.resource.meta.uid)
            return decide_serving(world)
        return decide_training(await self._gatherer.gather_training(key, body, self._frame(), seen))

    async def _reconcile_gateway(self, key: Key) -> float | None:
        """The same for a namespace's gateway; whoever needs it hears how it stands, also when the look has failed."""
        seen = Seen(foreign={})
        try:
            for _ in range(MOST_EFFECTS):
                plan = decide_gateway(self._gatherer.gather_gateway(key, self._frame(), seen))
                if not plan.effects:
                    return plan.requeue_after_seconds
                await self._perform(key, Meta(key.name, key.namespace, "", 0, deleting=False), plan, seen)
            raise Unsettled(f"{key} has not settled after {MOST_EFFECTS} writes: another writer changes its objects")
        finally:
            world = self._gatherer.gather_gateway(key, self._frame(), seen)
            self._gateways.noted(world, self._gatherer.gateway_facts(key, world))

    async def _perform(self, key: Key, meta: Meta, plan: Plan, seen: Seen) -> None:
        """The first effect. A refusal becomes part of the world, so that the next decision can say it."""
        try:
            await self._applier.perform(key, meta, plan.effects[0], seen)
        except Refused as error:
            if seen.refused:
                raise RetryLater(str(error)) from error
            seen.refused = str(error)
        except RegistryError as error:
            if seen.problem:
                raise
            seen.problem = problem_of(error)
