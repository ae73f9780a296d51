"""What Envoy counted, as the series that evidence is made of. Pure.

Envoy charges a failed attempt that is sent again to `retry.upstream_rq_*` of the cluster that failed, or, when it broke
without a status (reset, refused, cut by attemptTimeout), to no status at all; but each second attempt is in
`upstream_rq_retry` of the cluster that the first one went over to, which is that arm's alone. So, for an arm's cluster
A and its cluster F of second attempts (none for a stable without failover: F is 0 there):

    absent            = A.retry.upstream_rq_421 + A.upstream_rq_421 + A.upstream_cx_none_healthy
                        (421 is the absent listener's status; a pod that answers it by itself is not counted at all)
    overflows         = A.upstream_rq_pending_overflow + A.upstream_rq_retry_overflow
    attempts          = A.upstream_rq_completed + F.upstream_rq_retry - absent - A.upstream_rq_pending_overflow
    failures          = A.upstream_rq_5xx + F.upstream_rq_retry - A.retry.upstream_rq_429 - A.retry.upstream_rq_421
                        - A.upstream_cx_none_healthy - A.upstream_rq_pending_overflow
    throttled         = A.upstream_rq_429 + A.retry.upstream_rq_429
    timed out         = A.upstream_rq_max_duration_reached
    latency samples   = those of A.upstream_rq_time; a retried attempt leaves none
    slow              = those of them above the limit's bound
    failovers         = F.upstream_rq_retry, those of absent pods among them
    failover failures = F.upstream_rq_5xx, whatever became of the first attempt
    impossible        = A.retry_or_shadow_abandoned + A.upstream_cx_protocol_error: bodies too long to keep, whether or
                        not they failed, and answers that broke off after they began. HTTP/1.1 alone: over HTTP/2 Envoy
                        counts a protocol error when it closes a connection that it is reading, as an ejection does

A copy that attemptTimeout cuts goes on nowhere, and Envoy counts it nowhere else: where there is no F,
A.upstream_rq_max_duration_reached is added to attempts and to failures.

A user who gets a 5xx from an arm without failover, or after its body was too long to keep, is in `failures` by way of
A.upstream_rq_5xx. An answer that breaks off after it began is not: its status was good, and Envoy only counts a
connection that ended too soon. Tried with Envoy 1.40: tests/gateway/failover.py holds all sums against the pods' own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead_gateway.bootstrap import bucket_bounds
from fairlead_gateway.envoy.clusters import Use, cluster_name
from fairlead_gateway.envoy.routes import has_failover
from fairlead_gateway.render import Deployment
from fairlead_gateway.traffic import Protocol

STATS_PATH = "/stats?format=json&histogram_buckets=cumulative&usedonly"
"""What to ask of Envoy's admin interface; what was never counted is left out, and is 0."""
PREFIX = "fairlead_gateway_"


@dataclass(frozen=True)
class Series:
    """One sample: the metric's full name, its labels, its value."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


@dataclass(frozen=True)
class Stats:
    """Envoy's answer to STATS_PATH. histograms: by name, the count up to each bound in milliseconds."""

    values: Mapping[str, float]
    texts: Mapping[str, str]
    histograms: Mapping[str, Mapping[float, int]]


def parse_stats(answer: Mapping[str, Any]) -> Stats:
    """Sort the JSON of STATS_PATH. KeyError or TypeError when it is none."""
    values: dict[str, float] = {}
    texts: dict[str, str] = {}
    histograms: dict[str, Mapping[float, int]] = {}
    for item in answer["stats"]:
        if "histograms" in item:
            for histogram in item["histograms"]:
                buckets = histogram["buckets"]
                histograms[histogram["name"]] = {bucket["upper_bound"]: bucket["cumulative"] for bucket in buckets}
        elif isinstance(item["value"], str):
            texts[item["name"]] = item["value"]
        else:
            values[item["name"]] = item["value"]
    return Stats(values, texts, histograms)


def latency_bound_milliseconds(limit_seconds: float) -> float:
    """The first bound of the histogram's grid that is not below the limit; the last one for what lies beyond."""
    limit = limit_seconds * 1000
    bounds = bucket_bounds()
    return next((bound for bound in bounds if bound >= limit), bounds[-1])


def read_counters(answer: Mapping[str, Any], deployments: Sequence[Deployment]) -> tuple[Series, ...]:
    """The series of these ModelDeployments; each is there from the first moment, at 0."""
    stats = parse_stats(answer)
    return tuple(series for deployment in deployments for series in _of_deployment(stats, deployment))


def _of_deployment(stats: Stats, deployment: Deployment) -> Iterable[Series]:
    traffic = deployment.traffic
    owner = ("modeldeployment", deployment.name)
    revisions = [arm.revision for arm in traffic.arms]
    bound = None if traffic.latency_limit is None else latency_bound_milliseconds(traffic.latency_limit)
    broken = "" if traffic.protocol is Protocol.GRPC else "upstream_cx_protocol_error"
    for arm in traffic.arms:
        uses = [(Use(arm.role), Use.FAILOVER)]
        if any(match.revision == arm.revision for match in traffic.match):
            uses.append((Use.MATCHED, Use.MATCHED_FAILOVER))
        for use, failover in uses:
            first = _Cluster(stats, cluster_name(deployment.name, arm.revision, use))
            second = (
                _Cluster(stats, cluster_name(deployment.name, arm.revision, failover)) if has_failover(arm) else None
            )
            labels = (owner, ("revision", arm.revision), ("use", str(use)))
            for name, value in _of_arm(first, second, bound, broken).items():
                yield Series(PREFIX + name, labels, value)
        yield Series(f"{PREFIX}weight_percent", (owner, ("revision", arm.revision), ("use", str(arm.role))), arm.weight)
    if traffic.mirror:
        revisions.append(traffic.mirror.revision)
        first = _Cluster(stats, cluster_name(deployment.name, traffic.mirror.revision, Use.MIRROR))
        labels = (owner, ("revision", traffic.mirror.revision), ("use", str(Use.MIRROR)))
        for name, value in _of_arm(first, None, bound, broken).items():
            yield Series(PREFIX + name, labels, value)
    for revision in dict.fromkeys(revisions):
        count = len(deployment.endpoints.get(revision, ()))
        yield Series(f"{PREFIX}endpoints", (owner, ("revision", revision)), count)
    if bound is not None:
        yield Series(f"{PREFIX}latency_limit_seconds", (owner,), bound / 1000)


@dataclass(frozen=True)
class _Cluster:
    stats: Stats
    name: str

    def count(self, stat: str) -> float:
        return self.stats.values.get(f"cluster.{self.name}.{stat}", 0)

    @property
    def latencies(self) -> Mapping[float, int]:
        return self.stats.histograms.get(f"cluster.{self.name}.upstream_rq_time", {})

    def samples(self) -> float:
        # Samples beyond the last bound are in none, but each answer has one.
        return max(self.latencies.values(), default=0)

    def above(self, bound_milliseconds: float) -> float:
        return self.samples() - self.latencies.get(bound_milliseconds, self.samples())


def _of_arm(
    first: _Cluster, second: _Cluster | None, bound_milliseconds: float | None, broken: str
) -> dict[str, float]:
    """The module's formulas. second: None for an arm with nobody behind it; broken: what counts answers that broke
    off."""
    nobody, unsent = first.count("upstream_cx_none_healthy"), first.count("upstream_rq_pending_overflow")
    sent_on = first.count("retry.upstream_rq_421")
    absent = sent_on + first.count("upstream_rq_421") + nobody
    retried = second.count("upstream_rq_retry") if second else 0
    timed_out = first.count("upstream_rq_max_duration_reached")
    cut = 0 if second else timed_out
    failed_on = retried - first.count("retry.upstream_rq_429") - sent_on
    pods = first.count("membership_total") - (1 if second else 0)
    impossible = first.count("retry_or_shadow_abandoned") + (first.count(broken) if broken else 0)
    return {
        "attempts_total": first.count("upstream_rq_completed") + retried + cut - absent - unsent,
        "attempt_failures_total": first.count("upstream_rq_5xx") + failed_on + cut - nobody - unsent,
        "latency_samples_total": first.samples(),
        "attempts_slow_total": 0 if bound_milliseconds is None else first.above(bound_milliseconds),
        "attempts_timed_out_total": timed_out,
        "throttled_total": first.count("upstream_rq_429") + first.count("retry.upstream_rq_429"),
        "failovers_total": retried,
        "failover_failures_total": second.count("upstream_rq_5xx") if second else 0,
        "failovers_impossible_total": impossible if second else 0,
        "overflows_total": unsent + first.count("upstream_rq_retry_overflow"),
        "absent_total": absent,
        "ejected": 1 if 0 < pods <= first.count("outlier_detection.ejections_active") else 0,
    }
