"""What is measured of ModelDeployments and their rollouts.

Gauges say what each status says at the moment of a scrape, so a series is gone as soon as its rollout, or its
ModelDeployment, is. A standby has them, too: add up nothing, take the maximum. Counters follow the status writes of
this process.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from pydantic import ValidationError

from fairlead.api.model_deployment import ModelDeploymentStatus
from fairlead.api.rollout_status import Decision, Evidence, HistoryEntry, Outcome

Labels: TypeAlias = tuple[str, ...]
Sample: TypeAlias = tuple[str, Labels, float]
"""Name of the series, the values of its labels, its value."""
Written: TypeAlias = Callable[[Mapping[str, Any] | None, Mapping[str, Any]], None]
"""Is told of a status that was written: what it was before, and what it is now."""

_OWNER = ("namespace", "modeldeployment")
SERIES: Mapping[str, tuple[str, Labels]] = {
    "fairlead_modeldeployment_phase": ("1 for the phase that each ModelDeployment is in.", ("phase",)),
    "fairlead_modeldeployment_condition": (
        "1 for each condition that a ModelDeployment has, with its status (True, False, Unknown) and its reason.",
        ("condition", "status", "reason"),
    ),
    "fairlead_rollout_info": (
        "1 for each rollout that is on: who is judged against whom, its stage, the verdict and the reason.",
        ("candidate", "incumbent", "stage", "verdict", "reason"),
    ),
    "fairlead_rollout_weight_percent": ("The candidate's share of the traffic.", ()),
    "fairlead_rollout_step": ("The step, counted from 1; 0: the shadow; one more than there are: the guard.", ()),
    "fairlead_rollout_evidence": (
        "Evidence against the candidate: fast brakes, sure rolls back, each at its limit.",
        ("process",),
    ),
    "fairlead_rollout_evidence_limit": ("The evidence that brakes, or rolls back.", ("process",)),
    "fairlead_rollout_requests": ("First attempts of the candidate that this step has seen.", ()),
    "fairlead_rollout_requests_needed": ("How many this step needs.", ()),
    "fairlead_rollout_failures": ("Of the step's attempts, those that failed, and not on stable too.", ()),
    "fairlead_rollout_decision_timestamp_seconds": (
        "When the rollout that is on last did this for this reason.",
        ("action", "reason"),
    ),
    "fairlead_rollout_ended_timestamp_seconds": (
        "When the last rollout of each ModelDeployment ended, and how.",
        ("revision", "outcome", "reason"),
    ),
}
"""Gauges by name: what they say, and the labels after namespace and modeldeployment."""


class RolloutGauges(Collector):
    """Shows, at each scrape, the statuses that it was given last."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._bodies: Sequence[Mapping[str, Any]] = ()
        registry.register(self)

    def show(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        """ModelDeployments as the cluster has them."""
        self._bodies = tuple(bodies)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families that have a series."""
        families: dict[str, GaugeMetricFamily] = {}
        for body in self._bodies:
            meta = body["metadata"]
            owner = (str(meta.get("namespace", "")), str(meta["name"]))
            for name, labels, value in _samples(body):
                if name not in families:
                    told, more = SERIES[name]
                    families[name] = GaugeMetricFamily(name, told, labels=(*_OWNER, *more))
                families[name].add_metric((*owner, *labels), value)
        yield from families.values()


def _samples(body: Mapping[str, Any]) -> Iterator[Sample]:
    try:
        status = ModelDeploymentStatus.model_validate(body.get("status") or {})
    except ValidationError:
        return  # another version of the operator wrote it; the reconcile says so
    if status.phase:
        yield "fairlead_modeldeployment_phase", (status.phase.value,), 1
    for item in status.conditions:
        yield "fairlead_modeldeployment_condition", (item.type, item.status.value, item.reason), 1
    if status.evidence:
        yield from _of_rollout(status.evidence)
    if ended := _ends(status.history)[-1:]:
        (last,) = ended
        labels = (last.revision, last.outcome.value, last.reason)
        yield "fairlead_rollout_ended_timestamp_seconds", labels, last.ended.timestamp()


def _of_rollout(seen: Evidence) -> Iterator[Sample]:
    yield "fairlead_rollout_info", (seen.candidate, seen.incumbent, seen.stage, seen.verdict, seen.reason), 1
    yield "fairlead_rollout_weight_percent", (), seen.weight
    yield "fairlead_rollout_step", (), seen.step
    for process, value, limit in (("fast", seen.fast, seen.brake_at), ("sure", seen.sure, seen.roll_back_at)):
        yield "fairlead_rollout_evidence", (process,), value
        yield "fairlead_rollout_evidence_limit", (process,), limit
    yield "fairlead_rollout_requests", (), seen.requests
    yield "fairlead_rollout_requests_needed", (), seen.needed_requests
    yield "fairlead_rollout_failures", (), seen.failures
    latest = {(item.action, item.reason): item.at.timestamp() for item in seen.decisions}
    for labels, at_seconds in latest.items():
        yield "fairlead_rollout_decision_timestamp_seconds", labels, at_seconds


def _ends(history: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """Without the words that a rollout is to be forgotten: those are no ends."""
    return [item for item in history if item.outcome is not Outcome.RETRIED]


class RolloutCounts:
    """Counts what rollouts did, and how they ended, as it is written down."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Counter(
            "fairlead_rollout_decisions_total",
            "What rollouts did, by action and reason.",
            ["action", "reason"],
            registry=registry,
        )
        self._ended = Counter(
            "fairlead_rollouts_total",
            "Rollouts that have ended, by outcome and reason.",
            ["outcome", "reason"],
            registry=registry,
        )

    def count(self, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
        """Two statuses of one resource, of either kind: what the second has and the first had not is counted."""
        known = _decisions(before)
        for decision in _decisions(after):
            if decision not in known:
                self._decisions.labels(decision.action, decision.reason).inc()
        # An entry changes once more, when the registry has been told: its end is what makes it the same.
        over = {(item.revision, item.ended) for item in _history(before)}
        for item in _history(after):
            if (item.revision, item.ended) not in over:
                self._ended.labels(item.outcome.value, item.reason).inc()


def count_nothing(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
    """For who writes statuses and measures nothing."""


def _decisions(status: Mapping[str, Any] | None) -> list[Decision]:
    """Of the rollout that is on and of those that have ended: the last thing that a rollout does ends it."""
    evidence = (status or {}).get("evidence") or {}
    on = [Decision.model_validate(item) for item in evidence.get("decisions", ())]
    return [*on, *(decision for entry in _history(status) for decision in entry.decisions)]


def _history(status: Mapping[str, Any] | None) -> list[HistoryEntry]:
    return _ends([HistoryEntry.model_validate(item) for item in (status or {}).get("history", ())])
