"""The operator's metrics, by Prometheus' naming rules. Series that can be known beforehand exist from the start."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from fairlead.api.kinds import WATCHED
from fairlead.api.model_deployment import DeploymentPhase
from fairlead.api.training_job import TrainingPhase
from fairlead.shell.rollout_series import RolloutCounts, RolloutGauges

OUTCOMES = ("ok", "not_found", "forbidden", "not_configured", "unavailable")
READS = ("ok", "timeout", "unreachable", "unauthorized", "refused", "too_large", "invalid", "no_token")
QUERIES = ("ok", "failed")
RESULTS = ("settled", "retry", "invalid", "error")
_PHASES: dict[str, list[str]] = {
    "ModelDeployment": [phase.value for phase in DeploymentPhase],
    "TrainingJob": [phase.value for phase in TrainingPhase],
}


class Depth(Protocol):
    """What the queue tells."""

    @property
    def depth(self) -> int: ...

    def oldest_seconds(self) -> float: ...


class _Asked:
    """Requests to one system beside us: how they ended, and how long they took."""

    def __init__(self, ended: Counter, took: Histogram, outcomes: Iterable[str]) -> None:
        self._ended = {outcome: ended.labels(outcome) for outcome in outcomes}
        self._took = took

    def count(self, outcome: str, seconds: float) -> None:
        """One has ended."""
        self._ended[outcome].inc()
        self._took.observe(seconds)


def _registry_requests(registry: CollectorRegistry) -> _Asked:
    return _Asked(
        Counter(
            "fairlead_registry_requests_total",
            f"Requests to MLflow by outcome: {', '.join(OUTCOMES)}.",
            ["outcome"],
            registry=registry,
        ),
        Histogram("fairlead_registry_request_duration_seconds", "Duration of a request to MLflow.", registry=registry),
        OUTCOMES,
    )


def _evidence_reads(registry: CollectorRegistry) -> _Asked:
    return _Asked(
        Counter(
            "fairlead_evidence_reads_total",
            f"Reads of a gateway pod's evidence by outcome: {', '.join(READS)}.",
            ["outcome"],
            registry=registry,
        ),
        Histogram(
            "fairlead_evidence_read_duration_seconds",
            "Duration of a read of a gateway pod's evidence.",
            registry=registry,
        ),
        READS,
    )


def _prometheus_queries(registry: CollectorRegistry) -> _Asked:
    return _Asked(
        Counter(
            "fairlead_prometheus_queries_total",
            f"Queries for the evidence of gateway pods that are silent, by outcome: {', '.join(QUERIES)}.",
            ["outcome"],
            registry=registry,
        ),
        Histogram("fairlead_prometheus_query_duration_seconds", "Duration of such a query.", registry=registry),
        QUERIES,
    )


class Telemetry:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._reconciles = Counter(
            "fairlead_reconcile_total", "Reconciles by kind and result.", ["kind", "result"], registry=self.registry
        )
        self._duration = Histogram(
            "fairlead_reconcile_duration_seconds", "Duration of a reconcile.", ["kind"], registry=self.registry
        )
        self._requests = Counter(
            "fairlead_api_requests_total",
            "Requests to the Kubernetes API by verb and status code; code 0: no answer.",
            ["verb", "code"],
            registry=self.registry,
        )
        self._phases = Gauge(
            "fairlead_resources", "Custom resources by kind and phase.", ["kind", "phase"], registry=self.registry
        )
        self._missed = Counter(
            "fairlead_watch_missed_total",
            "Objects that a LIST showed and the watch had not.",
            ["kind"],
            registry=self.registry,
        )
        self._mlflow = _registry_requests(self.registry)
        self._gateways = _evidence_reads(self.registry)
        self._prometheus = _prometheus_queries(self.registry)
        self._dependencies = Gauge(
            "fairlead_dependency_up",
            "1 while a configured system beside the operator answers.",
            ["dependency"],
            registry=self.registry,
        )
        self._leader = Gauge("fairlead_leader", "1 while this process holds the lease.", registry=self.registry)
        self._depth = Gauge("fairlead_queue_depth", "Keys waiting in the work queue.", registry=self.registry)
        self._oldest = Gauge(
            "fairlead_queue_oldest_seconds", "Age of the oldest key in line or in work.", registry=self.registry
        )
        self._rollouts = RolloutGauges(self.registry)
        self.rollout_counts = RolloutCounts(self.registry)
        for kind in _PHASES:
            for result in RESULTS:
                self._reconciles.labels(kind, result)
        for watched in WATCHED:
            self._missed.labels(watched.kind)

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """A reconcile has ended."""
        self._reconciles.labels(kind, result).inc()
        self._duration.labels(kind).observe(seconds)

    def requested(self, verb: str, code: int) -> None:
        """A request to the API server was answered (or not: 0)."""
        self._requests.labels(verb, str(code)).inc()

    def asked_registry(self, outcome: str, seconds: float) -> None:
        """A request to MLflow was answered, or not."""
        self._mlflow.count(outcome, seconds)

    def read_evidence(self, outcome: str, seconds: float) -> None:
        """A gateway pod was asked for its evidence; `outcome` is one of READS."""
        self._gateways.count(outcome, seconds)

    def asked_prometheus(self, outcome: str, seconds: float) -> None:
        """Prometheus was asked for the evidence of a namespace; `outcome` is one of QUERIES."""
        self._prometheus.count(outcome, seconds)

    def missed(self, kind: str, count: int) -> None:
        """The watch had not told us of so many objects."""
        self._missed.labels(kind).inc(count)

    def answered(self, dependency: str, *, up: bool) -> None:
        """A system beside us was asked whether it answers."""
        self._dependencies.labels(dependency).set(int(up))

    def render(
        self,
        queue: Depth,
        phases: Callable[[], Iterable[tuple[str, str]]],
        *,
        deployments: Callable[[], Iterable[Mapping[str, Any]]],
        leader: bool,
    ) -> bytes:
        """The exposition text; gauges are read at this moment. deployments: the ModelDeployments as they are known."""
        self._rollouts.show(deployments())
        self._leader.set(int(leader))
        self._depth.set(queue.depth)
        self._oldest.set(queue.oldest_seconds())
        tally = Tally(phases())
        for kind, names in _PHASES.items():
            for phase in names:
                self._phases.labels(kind, phase).set(tally[(kind, phase)])
        return generate_latest(self.registry)
