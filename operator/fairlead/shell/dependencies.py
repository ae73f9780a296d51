"""Asks now and then whether the systems beside us answer: a gauge, and a log line whenever that changes."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from fairlead.errors import MetricsError, RegistryError
from fairlead.ports import Clock
from fairlead.shell.telemetry import Telemetry

log = logging.getLogger("fairlead.dependencies")

INTERVAL_SECONDS = 30.0

Check = Callable[[], Awaitable[None]]


class Dependencies:
    """`checks` by name, of those that are configured. Nothing is decided from what they find."""

    def __init__(self, checks: Mapping[str, Check], clock: Clock, telemetry: Telemetry) -> None:
        self._checks = checks
        self._clock = clock
        self._telemetry = telemetry
        self._up: dict[str, bool] = {}

    async def run(self, pause_seconds: float) -> None:
        """Until cancelled."""
        while True:
            for name, check in self._checks.items():
                await self._ask(name, check)
            await self._clock.sleep(pause_seconds)

    async def _ask(self, name: str, check: Check) -> None:
        why = ""
        try:
            await check()
        except (RegistryError, MetricsError) as error:
            why = str(error)
        self._telemetry.answered(name, up=not why)
        if self._up.get(name) is not (not why):
            if why:
                log.warning("dependency does not answer", extra={"dependency": name, "error": why})
            else:
                log.info("dependency answers", extra={"dependency": name})
        self._up[name] = not why
