"""Every series that Fairlead's own code exposes, found by letting it expose one of each."""

import re
from datetime import UTC, datetime

from fairlead.api.conditions import ConditionType, condition
from fairlead.api.model_deployment import DeploymentPhase, ModelDeploymentStatus
from fairlead.api.reasons import Reason
from fairlead.api.rollout_status import Decision, Evidence, HistoryEntry, Outcome
from fairlead.shell.telemetry import Telemetry
from fairlead_gateway.claims import Accepted, Claim, Rejection, RejectionReason
from fairlead_gateway.counters import read_counters
from fairlead_gateway.evidence import render_text, standing_series
from fairlead_gateway.gateway import Standing
from fairlead_gateway.render import Deployment
from fairlead_gateway.traffic import parse_traffic
from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.metrics import Metrics
from fairlead_serving.settings import parse_settings
from tests.unit.builders import Body, serving_body

STABLE, CANDIDATE = "churn-a", "churn-b"
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? \S+$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="')


class EmptyQueue:
    """A queue in which nothing waits."""

    depth = 0

    def oldest_seconds(self) -> float:
        """Nothing is old."""
        return 0.0


def rollout(now: datetime) -> Body:
    """A ModelDeployment in the middle of a rollout that was braked and goes on, after one that was taken back."""
    decisions = [
        Decision(at=now, action="begin", reason=Reason.STARTING, weight=5),
        Decision(at=now, action="brake", reason=Reason.ERRORS_ABOVE_STABLE, weight=5, fast=161),
        Decision(at=now, action="resume", reason=Reason.CLEAN_AGAIN, weight=25),
    ]
    evidence = Evidence(
        candidate=CANDIDATE, incumbent=STABLE, since=now, updated=now, stage="Canary", step=2, steps=3, weight=25,
        reason=Reason.TOO_FEW_REQUESTS, requests=40, failures=1, needed_requests=150, fast=0.4, brake_at=200, sure=1.2,
        roll_back_at=200, policy="{}", state="{}", decisions=tuple(decisions),
    )  # fmt: skip
    ended = HistoryEntry(revision="churn-0", outcome=Outcome.ROLLED_BACK, reason=Reason.EVERY_REQUEST_FAILED, ended=now)
    conditions = (
        condition(ConditionType.READY, True, Reason.SERVING),
        condition(ConditionType.ROLLED_OUT, False, Reason.TOO_FEW_REQUESTS),
        condition(ConditionType.PROGRAMMED, True, Reason.PROGRAMMED),
    )
    status = ModelDeploymentStatus(
        phase=DeploymentPhase.CANARY, conditions=conditions, evidence=evidence, history=(ended,)
    )
    return serving_body(status=status.wire())


def operator_telemetry(body: Body) -> Telemetry:
    """An operator that has done one of each."""
    telemetry = Telemetry()
    for kind in ("ModelDeployment", "TrainingJob"):
        telemetry.reconciled(kind, "settled", 0.02)
    telemetry.requested("patch", 200)
    telemetry.asked_registry("ok", 0.03)
    telemetry.read_evidence("ok", 0.004)
    for dependency in ("mlflow", "prometheus"):
        telemetry.answered(dependency, up=True)
    telemetry.rollout_counts.count(None, body["status"])
    return telemetry


def operator_text(telemetry: Telemetry, body: Body) -> bytes:
    """What the leader would answer to a scrape."""
    phases = [("ModelDeployment", "Canary")]
    return telemetry.render(EmptyQueue(), lambda: phases, deployments=lambda: [body], leader=True)


def standing(deployment: Deployment) -> Standing:
    """A gateway that serves one ModelDeployment and refuses what came after."""
    claim = Claim(deployment.name, "u", "", {})
    rejection = Rejection("u", 2, RejectionReason.INVALID, "arms: expected weights that add up to 100")
    applied = {deployment.name: Accepted(claim, deployment.traffic)}
    return Standing(applied, (deployment,), {deployment.name: rejection}, {deployment.name: 1}, True)


def serving_metrics() -> Metrics:
    """The built-in server's metrics."""
    return Metrics(parse_settings({"MODEL_NAME": "churn", "MODEL_VERSION": "2"}), Lifecycle(), lambda: 0)


def names_exposed() -> dict[str, set[str]]:
    """Name of every series of operator, gateway and built-in server -> its labels, those of scraping aside."""
    body = rollout(datetime(2026, 5, 4, 12, 0, tzinfo=UTC))
    arms = [
        {"revision": STABLE, "role": "stable", "weight": 75},
        {"revision": CANDIDATE, "role": "canary", "weight": 25, "failover": STABLE},
    ]
    status = {"schema": 1, "epoch": 1, "generation": 1, "port": 10000, "arms": arms, "latencyLimit": "1s"}
    deployment = Deployment("churn", parse_traffic({"status": {"traffic": status}}), {})
    told = [*standing_series(standing(deployment), messages=False), *read_counters({"stats": []}, [deployment])]
    texts = [
        operator_text(operator_telemetry(body), body).decode(),
        render_text(told),
        serving_metrics().render().decode(),
    ]
    found: dict[str, set[str]] = {}
    for name, labels in SAMPLE.findall("\n".join(texts)):
        found.setdefault(name, set()).update(LABEL.findall(labels))
    return found
