"""What the gateways' pods say they serve: read every second while something depends on it, every ten seconds else.

A reconcile gets the last answers and never waits for a request: a gateway pod that hangs delays nobody. A key is put
into the queue when an answer differs in what its condition would say, not at each read. While traffic is split, and a
pod does not answer, a second source is asked what that pod has counted; what it serves, it has to say itself.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.gateway_evidence import DeploymentEvidence, PodEvidence
from fairlead.api.gateway_pod import GatewayPod, parse_gateway_pod
from fairlead.core.evidence.sample import STALE_SECONDS
from fairlead.core.world import Report
from fairlead.errors import GatewayError
from fairlead.ports import Clock, Gateways
from fairlead.shell.keys import Key
from fairlead.shell.queue import WorkQueue
from fairlead.shell.second_source import SecondSource
from fairlead.shell.telemetry import Telemetry

BUSY_SECONDS = 1.0
"""Between two reads while a rollout is on, or while a pod does not serve the newest generation."""
QUIET_SECONDS = 10.0
EAGER_SECONDS = 0.2
"""Between two reads right after a traffic write."""
EAGER_FOR_SECONDS = 2.0
FIRST_SECONDS = 0.05
"""From a traffic write to the first read: a gateway takes as long to apply it, and many writes at once are one read."""
SILENT_AFTER = 3
"""Reads in a row without an answer: from then on the pod counts as unreachable."""
SILENT_SECONDS = 5.0
"""How often a pod that does not answer is tried: many that hang must not use up what the others need."""
TOGETHER_SECONDS = 0.1
"""How long an answer waits for those of the other pods asked with it: a look that has one of them alone closes a window
of the evidence without the rest, and a brake comes a second later."""
MOST_READS = 256
"""Pods that are asked at the same moment."""
MOST_PODS = 100
"""Pods per namespace that are asked at all: anyone who may create pods there can give them the gateway's label."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a namespace's gateway pods said of one ModelDeployment, by pod; generation 0: it does not know it.

    A pod that is in neither was not asked yet.
    """

    reports: Mapping[str, Report]
    silent: frozenset[str]
    """Pods that gave no answer several times in a row."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a ModelDeployment's gateways should serve; generation 0: nothing was written yet."""

    generation: int
    watched: bool


@dataclass(slots=True)
class _Seen:
    """One pod, and what it last said."""

    pod: GatewayPod
    evidence: PodEvidence | None = None
    misses: int = 0
    due_seconds: float = 0.0
    reading: bool = False

    @property
    def silent(self) -> bool:
        return self.misses >= SILENT_AFTER

    def last(self, scraped: PodEvidence | None) -> PodEvidence | None:
        """Its last word: its own; while it is silent, what was scraped of it since."""
        if not self.silent:
            return self.evidence
        later = scraped and (self.evidence is None or scraped.is_after(self.evidence))
        return scraped if later else None


@dataclass(slots=True)
class _Book:
    """One namespace."""

    wanted: dict[Key, _Wanted] = field(default_factory=dict)
    seen: dict[str, _Seen] = field(default_factory=dict)
    eager_until_seconds: float = 0.0
    nudged: asyncio.Event = field(default_factory=asyncio.Event)


class Reports:
    """Answers from memory, kept fresh by one task per namespace. Only the leader runs it.

    `pods` gives the objects of a namespace's gateway, pods among them, as the cache has them. `second` is asked for the
    counters of pods that do not answer; None: nobody is.
    """

    def __init__(
        self,
        gateways: Gateways,
        queue: WorkQueue,
        clock: Clock,
        telemetry: Telemetry,
        *,
        pods: Callable[[str], Iterable[Mapping[str, Any]]],
        jitter: Callable[[float], float],
        second: SecondSource | None = None,
    ) -> None:
        self._gateways = gateways
        self._queue = queue
        self._clock = clock
        self._telemetry = telemetry
        self._pods = pods
        self._jitter = jitter
        self._second = second
        self._books: dict[str, _Book] = {}
        self._fresh: asyncio.Queue[str] = asyncio.Queue()
        self._slots = asyncio.Semaphore(MOST_READS)

    def follow(self, key: Key, *, generation: int, watched: bool) -> Answers:
        """The last answers about a ModelDeployment, whose gateways should serve `generation`; `watched`: a rollout is
        on, and each answer counts. From now on its namespace's pods are asked."""
        book = self._books.get(key.namespace)
        if book is None:
            book = self._books[key.namespace] = _Book()
            self._fresh.put_nowait(key.namespace)
        wanted = _Wanted(generation, watched)
        if book.wanted.get(key) != wanted or self._ready(key.namespace) != {
            name: seen.pod for name, seen in book.seen.items()
        }:
            book.wanted[key] = wanted
            book.eager_until_seconds = self._clock.monotonic() + EAGER_FOR_SECONDS
            book.nudged.set()
        return Answers(
            reports={
                name: _report(seen.evidence, key.name, generation)
                for name, seen in book.seen.items()
                if seen.evidence and not seen.silent
            },
            silent=frozenset(name for name, seen in book.seen.items() if seen.silent),
        )

    def forget(self, key: Key) -> None:
        """The ModelDeployment is gone."""
        if (book := self._books.get(key.namespace)) and book.wanted.pop(key, None) and not book.wanted:
            book.nudged.set()

    def evidence(self, namespace: str) -> Mapping[str, PodEvidence]:
        """The last whole answers by pod: the pod's own, or while it is silent the second source's.

        Both are the counters of the same process with the same clock, so that they may follow each other at will.
        """
        book = self._books.get(namespace) or _Book()
        scraped = self._scraped(namespace)
        return {name: last for name, seen in book.seen.items() if (last := seen.last(scraped.get(name)))}

    def stale_seconds(self, namespace: str) -> float:
        """For how long `evidence` may have nothing new: longer as long as the second source has a part in it."""
        return self._second.stale_seconds if self._second and self._scraped(namespace) else STALE_SECONDS

    def _scraped(self, namespace: str) -> Mapping[str, PodEvidence]:
        return self._second.evidence(namespace) if self._second else {}

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                namespace = await self._fresh.get()
                group.create_task(self._follow(namespace, self._books[namespace]), name=f"gateway-{namespace}")

    async def _follow(self, namespace: str, book: _Book) -> None:
        """Ask the pods of one namespace until it has no ModelDeployment."""
        async with asyncio.TaskGroup() as reads:
            while book.wanted:
                book.nudged.clear()
                for seen in self._due(namespace, book):
                    seen.reading = True
                    reads.create_task(self._read(book, seen))
                if self._second and _needs_second(book) and self._second.due(namespace):
                    reads.create_task(self._second.ask(namespace))
                try:
                    async with asyncio.timeout(self._jitter(self._pause(book))):
                        await book.nudged.wait()
                    await self._clock.sleep(FIRST_SECONDS)
                except TimeoutError:
                    continue
            del self._books[namespace]
            if self._second:
                self._second.forget(namespace)

    def _due(self, namespace: str, book: _Book) -> list[_Seen]:
        """The pods to ask now; those that are gone are forgotten."""
        known = book.seen
        book.seen = {
            name: known[name] if name in known and known[name].pod == pod else _Seen(pod)
            for name, pod in self._ready(namespace).items()
        }
        now = self._clock.monotonic()
        return [seen for seen in book.seen.values() if not seen.reading and seen.due_seconds <= now]

    def _ready(self, namespace: str) -> dict[str, GatewayPod]:
        found = [pod for body in self._pods(namespace) if body["kind"] == "Pod" and (pod := parse_gateway_pod(body))]
        return {pod.name: pod for pod in sorted(found, key=lambda pod: pod.name)[:MOST_PODS]}

    def _pause(self, book: _Book) -> float:
        """Seconds until the next look. A pod that was not asked yet serves nothing that we know of."""
        behind = any(
            not _serves(seen.evidence, key.name, wanted.generation)
            for key, wanted in book.wanted.items()
            for seen in book.seen.values()
        )
        if behind and self._clock.monotonic() < book.eager_until_seconds:
            return EAGER_SECONDS
        busy = behind or any(wanted.watched for wanted in book.wanted.values())
        return BUSY_SECONDS if busy else QUIET_SECONDS

    async def _read(self, book: _Book, seen: _Seen) -> None:
        async with self._slots:
            started, outcome = self._clock.monotonic(), "ok"
            before, was_silent = seen.evidence, seen.silent
            try:
                seen.evidence = await self._gateways.read(seen.pod.address, seen.pod.port)
                seen.misses = 0
            except GatewayError as error:
                outcome = error.outcome
                seen.misses += 1
            finally:
                seen.reading = False
        ended = self._clock.monotonic()
        self._telemetry.read_evidence(outcome, ended - started)
        # However eager: a gateway that starts anew must not look unreachable for that.
        seen.due_seconds = ended + (SILENT_SECONDS if seen.silent else BUSY_SECONDS if seen.misses else 0.0)
        for key, wanted in book.wanted.items():
            if wanted.watched or seen.silent != was_silent or _said(seen.evidence, key.name) != _said(before, key.name):
                self._bring(book, key)

    def _bring(self, book: _Book, key: Key) -> None:
        """With the last answer of a round at once; one that is missing delays the others for a moment only."""
        if any(seen.reading for seen in book.seen.values()):
            self._queue.add_after(key, TOGETHER_SECONDS)
        else:
            self._queue.add(key)


def _needs_second(book: _Book) -> bool:
    """Whether evidence is wanted, and a pod that should give it is silent."""
    return any(wanted.watched for wanted in book.wanted.values()) and any(seen.silent for seen in book.seen.values())


_UNKNOWN = DeploymentEvidence()


def _of(evidence: PodEvidence | None, name: str) -> DeploymentEvidence | None:
    """What a pod's answer says of one ModelDeployment; None without an answer."""
    return evidence.deployments.get(name, _UNKNOWN) if evidence else None


def _report(evidence: PodEvidence, name: str, generation: int) -> Report:
    """The same for a decision. That it refused an older generation is no news; 0 is one that it could not read."""
    found = evidence.deployments.get(name, _UNKNOWN)
    rejection = found.rejection
    if rejection is None or 0 < rejection.generation < generation:
        return Report(found.generation, found.epoch)
    return Report(found.generation, found.epoch, rejection.reason, rejection.message)


def _said(evidence: PodEvidence | None, name: str) -> object:
    """The part of an answer that a condition speaks of."""
    found = _of(evidence, name)
    return found and (found.generation, found.rejection)


def _serves(evidence: PodEvidence | None, name: str, generation: int) -> bool:
    found = _of(evidence, name)
    return generation == 0 or (found is not None and found.generation >= generation)
