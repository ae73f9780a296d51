"""What Prometheus says of gateway pods that do not answer the operator themselves.

Asked every five seconds while somebody has need of it, in a task of its own: who wants to know gets the last answer
from memory. Only what is newer than what was known is kept, so that two Prometheus that take turns go back nowhere.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from fairlead.api.gateway_evidence import PodEvidence
from fairlead.errors import MetricsError
from fairlead.ports import Clock, Metrics
from fairlead.shell.telemetry import Telemetry

log = logging.getLogger("fairlead.second_source")

ASK_SECONDS = 5.0
"""Between two questions about a namespace. Prometheus has something new at each scrape, some 5 to 60 s apart."""
MOST_QUERIES = 8
"""Queries under way at the same moment: an answer may have megabytes."""


@dataclass(frozen=True, slots=True)
class _Told:
    """The last word about a pod, and when, by the operator's clock, it was new."""

    evidence: PodEvidence
    news_seconds: float


@dataclass(slots=True)
class _Page:
    """One namespace."""

    told: dict[str, _Told] = field(default_factory=dict)
    due_seconds: float = 0.0
    asking: bool = False
    failing: bool = False


class SecondSource:
    """Answers from memory. `stale_seconds`: for how long Prometheus may have nothing new of a pod; after that, what it
    said last is forgotten."""

    def __init__(self, metrics: Metrics, clock: Clock, telemetry: Telemetry, *, stale_seconds: float) -> None:
        self.stale_seconds = stale_seconds
        self._metrics = metrics
        self._clock = clock
        self._telemetry = telemetry
        self._pages: dict[str, _Page] = {}
        self._slots = asyncio.Semaphore(MOST_QUERIES)

    def evidence(self, namespace: str) -> Mapping[str, PodEvidence]:
        """By pod, the last word of those that have had a new one of late."""
        page = self._pages.get(namespace) or _Page()
        since = self._clock.monotonic() - self.stale_seconds
        return {name: told.evidence for name, told in page.told.items() if told.news_seconds >= since}

    def due(self, namespace: str) -> bool:
        """Whether it is time to ask about a namespace."""
        page = self._pages.get(namespace)
        return page is None or not (page.asking or self._clock.monotonic() < page.due_seconds)

    async def ask(self, namespace: str) -> None:
        """Ask once; nobody is told of a failure but the log and the metrics."""
        page = self._pages.setdefault(namespace, _Page())
        if page.asking:
            return
        page.asking = True
        page.due_seconds = self._clock.monotonic() + ASK_SECONDS
        try:
            async with self._slots:
                await self._query(namespace, page)
        finally:
            page.asking = False

    def forget(self, namespace: str) -> None:
        """Nobody asks about this namespace any more."""
        self._pages.pop(namespace, None)

    async def _query(self, namespace: str, page: _Page) -> None:
        started, why = self._clock.monotonic(), ""
        try:
            found = await self._metrics.gateways(namespace)
        except MetricsError as error:
            why = str(error)
        else:
            _learn(page, found, self._clock.monotonic(), self.stale_seconds)
        self._telemetry.asked_prometheus("failed" if why else "ok", self._clock.monotonic() - started)
        if why and not page.failing:
            log.warning("no evidence from Prometheus", extra={"namespace": namespace, "error": why})
        elif page.failing and not why:
            log.info("evidence from Prometheus again", extra={"namespace": namespace})
        page.failing = bool(why)


def _learn(page: _Page, found: Mapping[str, PodEvidence], now: float, stale_seconds: float) -> None:
    """Keep what is new, and drop what has not been for long: pods come and go."""
    page.told = {name: told for name, told in page.told.items() if told.news_seconds >= now - stale_seconds}
    for name, evidence in found.items():
        known = page.told.get(name)
        if known is None or evidence.is_after(known.evidence):
            page.told[name] = _Told(evidence, now)
