"""The series that a gateway pod's evidence is made of, read strictly: what each is about, its number, and all together.

Foreign and newer series are passed over; everything of ours has to be whole, or the pod's whole answer counts for
nothing. They come from a pod in a user's namespace: whatever it says, it costs a bounded time and one kind of error.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from math import nan
from typing import NamedTuple

from fairlead.api.gateway_evidence import ArmCounts, DeploymentEvidence, InvalidEvidence, PodEvidence, Rejection

PREFIX = "fairlead_gateway_"
LARGEST_NUMBER = 2.0**53
"""From here on a float no longer tells two counts apart."""
_MESSAGE_LIMIT = 300
_QUOTE_LIMIT = 80


class Series(NamedTuple):
    """What a line is about. Labels that a series has not are empty."""

    name: str
    deployment: str = ""
    revision: str = ""
    use: str = ""
    generation: str = ""
    reason: str = ""
    message: str = ""


_COUNTS = {
    "attempts_total": "attempts",
    "attempt_failures_total": "attempt_failures",
    "latency_samples_total": "latency_samples",
    "attempts_slow_total": "attempts_slow",
    "attempts_timed_out_total": "attempts_timed_out",
    "throttled_total": "throttled",
    "failovers_total": "failovers",
    "failover_failures_total": "failover_failures",
    "failovers_impossible_total": "failovers_impossible",
    "overflows_total": "overflows",
    "absent_total": "absent",
    "ejected": "ejected",
    "weight_percent": "weight_percent",
}
_LABELS: Mapping[str, tuple[str, ...]] = {
    "time_seconds": (),
    "start_time_seconds": (),
    "traffic_generation": ("modeldeployment",),
    "traffic_epoch": ("modeldeployment",),
    "rejections_total": ("modeldeployment",),
    "latency_limit_seconds": ("modeldeployment",),
    "endpoints": ("modeldeployment", "revision"),
    "rejected": ("modeldeployment", "generation", "reason", "message"),
    **dict.fromkeys(_COUNTS, ("modeldeployment", "revision", "use")),
}
_NUMBER = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,17})?(?:e[+-]?[0-9]{1,2})?", re.ASCII)
_VALUES = {
    "modeldeployment": re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"),
    "revision": re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"),
    "use": re.compile(r"[a-z][-a-z]{0,29}"),
    "generation": re.compile(r"[0-9]{1,15}", re.ASCII),
    "reason": re.compile(r"[A-Za-z]{1,60}"),
    "message": re.compile(r".*", re.DOTALL),
}


def quote(text: str) -> str:
    """The first characters of what came, as one line of ASCII."""
    return ascii(text[:_QUOTE_LIMIT])


def own_labels(name: str) -> tuple[str, ...] | None:
    """The labels of a series by its name without PREFIX; None for one that we do not know."""
    return _LABELS.get(name)


def make_series(name: str, labels: Mapping[str, str], shown: str) -> Series:
    """A known series, from exactly its own labels. InvalidEvidence, which quotes `shown`."""
    wanted = _LABELS[name]
    if set(labels) != set(wanted):
        raise InvalidEvidence(f"expected the labels {', '.join(wanted) or 'none'} in {quote(shown)}")
    for label, value in labels.items():
        if not _VALUES[label].fullmatch(value):
            raise InvalidEvidence(f"expected the form of a {label}, got {quote(value)}")
    others = {label: value for label, value in labels.items() if label != "modeldeployment"}
    return Series(name, labels.get("modeldeployment", ""), **others)


def read_number(series: Series, text: str, shown: str) -> float:
    """The number of a series. A count below zero is a difference of counters that were not read in one instant: the pod
    did not say. InvalidEvidence, which quotes `shown`."""
    value = float(text) if _NUMBER.fullmatch(text) else nan
    if series.name in _COUNTS and (value < 0 or text == "NaN"):
        return nan
    if not 0 <= value < LARGEST_NUMBER:
        raise InvalidEvidence(f"expected a number from 0 to below 2^53 after {quote(shown)}, got {quote(text)}")
    return value


def assemble(found: Mapping[Series, float]) -> PodEvidence:
    """One pod's answer, from the numbers by series. InvalidEvidence when it does not tell the time."""
    by_deployment: defaultdict[str, list[tuple[Series, float]]] = defaultdict(list)
    for series, value in found.items():
        by_deployment[series.deployment].append((series, value))
    clock = {series.name: value for series, value in by_deployment.pop("", ())}
    if len(clock) != 2:
        raise InvalidEvidence(f"expected {PREFIX}time_seconds and {PREFIX}start_time_seconds, got {sorted(clock)}")
    return PodEvidence(
        at_seconds=clock["time_seconds"],
        started_seconds=clock["start_time_seconds"],
        deployments={name: _deployment(items) for name, items in by_deployment.items()},
    )


def _deployment(items: list[tuple[Series, float]]) -> DeploymentEvidence:
    """One ModelDeployment, from its numbers by series."""
    alone: dict[str, float] = {}
    arms: defaultdict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    endpoints: dict[str, int] = {}
    rejection: Rejection | None = None
    for series, value in items:
        if count := _COUNTS.get(series.name):
            arms[series.revision, series.use][count] = value
        elif series.name == "endpoints":
            endpoints[series.revision] = int(value)
        elif series.name != "rejected":
            alone[series.name] = value
        elif value:
            newest = Rejection(int(series.generation), series.reason, _clean(series.message))
            rejection = newest if rejection is None or newest.generation > rejection.generation else rejection
    return DeploymentEvidence(
        generation=int(alone.get("traffic_generation", 0)),
        epoch=int(alone.get("traffic_epoch", 0)),
        rejection=rejection,
        rejections=alone.get("rejections_total", nan),
        latency_limit_seconds=alone.get("latency_limit_seconds", nan),
        arms={arm: ArmCounts(**counts) for arm, counts in arms.items()},
        endpoints=endpoints,
    )


def _clean(message: str) -> str:
    """The first characters of one line, without control characters: it is shown in a condition."""
    line = " ".join(message.split())
    return "".join(char for char in line if char.isprintable())[:_MESSAGE_LIMIT]
