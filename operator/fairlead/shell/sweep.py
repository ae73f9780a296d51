"""Closes MLflow runs whose TrainingJob is gone: what stands in for a finalizer, so that deletion waits for nobody."""

import asyncio
import logging

from fairlead.api.kinds import TRAINING_JOB
from fairlead.errors import RegistryError
from fairlead.ports import Clock, Registry
from fairlead.shell.cache import Cache
from fairlead.shell.keys import Key

log = logging.getLogger("fairlead.sweep")

SETTLE_SECONDS = 5.0
"""After a deletion the trainer may still be writing; its pod has been told to stop."""


class Sweep:
    """Looks for open runs now and then, and soon after a TrainingJob was deleted."""

    def __init__(self, registry: Registry, cache: Cache, clock: Clock) -> None:
        self._registry = registry
        self._cache = cache
        self._clock = clock
        self._wanted = asyncio.Event()

    def nudge(self, key: Key) -> None:
        """A custom resource is gone."""
        if key.kind == TRAINING_JOB.kind:
            self._wanted.set()

    async def run(self, operator_id: str, interval_seconds: float) -> None:
        """Until cancelled. A registry that does not answer is asked again next time."""
        while True:
            try:
                await self.once(operator_id)
            except RegistryError as error:
                log.info("open runs not swept", extra={"reason": error.reason, "error": str(error)})
            try:
                async with asyncio.timeout(interval_seconds):
                    await self._wanted.wait()
                await self._clock.sleep(SETTLE_SECONDS)
            except TimeoutError:
                pass
            self._wanted.clear()

    async def once(self, operator_id: str) -> None:
        """Close every open run of ours whose TrainingJob does not exist."""
        known = {str(body["metadata"]["uid"]) for body in self._cache.of_kind(TRAINING_JOB.kind)}
        for run_id, uid in await self._registry.open_runs(operator_id):
            if uid not in known:
                await self._registry.close_run(run_id, "KILLED")
                log.info("run closed", extra={"run_id": run_id, "trainingjob_uid": uid})
