"""One ModelDeployment from write to write: the product's decisions, a cluster that obeys them, a gateway that counts.

Pods of a new revision are ready at once unless the story says otherwise. Every second the gateway sends requests by the
arms of `status.traffic`; how many fail is said by revision. Nothing here decides.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import nan
from typing import Any

from tests.unit.builders import (
    GRACE_SECONDS,
    NOW,
    Body,
    child_of,
    gateway_facts,
    revision_of,
    serving_body,
    serving_world,
)

from fairlead.api.gateway_evidence import ArmCounts, DeploymentEvidence, PodEvidence
from fairlead.api.model_deployment import ModelDeploymentStatus
from fairlead.core.effects import Apply, Delete, Plan, Remembered, WriteStatus
from fairlead.core.serving.decide import decide_serving
from fairlead.core.world import Report, RolloutRules, ServingWorld

MOST_WRITES = 40
POD = "gateway-0"
OLD, NEW, NEWER = "example/churn:1", "example/churn:2", "example/churn:3"
FAST_STEPS = [
    {"weight": 10, "minRequests": 20, "minDuration": "5s"},
    {"weight": 50, "minRequests": 50, "minDuration": "5s"},
]


def canary_body(image: str = OLD, *, replicas: int = 4, **rollout: Any) -> Body:
    """A ModelDeployment whose new revisions earn their traffic in two short steps."""
    full = {"canary": {"steps": FAST_STEPS, "failover": True}, "guard": {"duration": "20s"}, **rollout}
    return serving_body(container={"image": image}, replicas=replicas, rollout=full)


@dataclass
class Story:
    """Everything that there is. `failing`: share of first attempts that fail, by revision; `slow`: of answers that are
    slow; `dropped`: of copies that the gateway does not send because too many are under way."""

    body: Body = field(default_factory=canary_body)
    now: datetime = NOW
    epoch: int = 1
    rules: RolloutRules = field(default_factory=RolloutRules)
    request: str = ""
    objects: dict[tuple[str, str], Body] = field(default_factory=dict)
    pods: list[Body] = field(default_factory=list)
    unready: set[str] = field(default_factory=set)
    failing: dict[str, float] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    dropped: float = 0.0
    remembered: Remembered | None = None
    blind: bool = False
    rate: int = 100
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    served: dict[tuple[str, str], int] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    begun: datetime = NOW

    @property
    def status(self) -> ModelDeploymentStatus:
        """As it is stored."""
        return ModelDeploymentStatus.model_validate(self.body.get("status") or {})

    @property
    def weights(self) -> dict[str, int]:
        """What each revision gets; those that get nothing are left out."""
        traffic = self.status.traffic
        return {arm.revision: arm.weight for arm in (traffic.arms if traffic else ()) if arm.weight}

    @property
    def replicas(self) -> dict[str, int]:
        """Of each Deployment."""
        return {name: item["spec"]["replicas"] for (kind, name), item in self.objects.items() if kind == "Deployment"}

    def edit(self, **spec: Any) -> str:
        """Somebody changes the spec; the revision that it asks for now."""
        self.body["spec"] = {**self.body["spec"], **spec}
        self.body["metadata"]["generation"] += 1
        return revision_of(self.body)

    def ship(self, image: str) -> str:
        """A new version; its revision."""
        return self.edit(container={"image": image})

    def world(self) -> ServingWorld:
        """The picture of this moment."""
        traffic = (self.body.get("status") or {}).get("traffic") or {}
        report = Report(traffic.get("generation", 0), traffic.get("epoch", 0))
        return serving_world(
            self.body,
            [*self.objects.values(), *self.pods],
            now=self.now.replace(microsecond=0),
            now_seconds=self.now.timestamp(),
            epoch=self.epoch,
            gateway=gateway_facts(report, ready=1, of=1),
            evidence={} if self.blind else {POD: self._said()},
            remembered=self.remembered,
            rollouts=self.rules,
            request=self.request,
        )

    def _said(self) -> PodEvidence:
        arms: dict[tuple[str, str], ArmCounts] = {}
        traffic = self.status.traffic
        for arm in traffic.arms if traffic else ():
            arms[arm.revision, arm.role.value] = self._counted(arm.revision, arm.role.value, float(arm.weight))
        if traffic and traffic.mirror:
            arms[traffic.mirror.revision, "mirror"] = self._counted(traffic.mirror.revision, "mirror", nan)
        seconds = (self.now - self.begun).total_seconds()
        return PodEvidence(1.0 + seconds, 1.0, {"churn": DeploymentEvidence(1, 1, arms=arms)})

    def _counted(self, revision: str, use: str, weight_percent: float) -> ArmCounts:
        names = (
            "attempts", "attempt_failures", "latency_samples", "attempts_slow", "failover_failures", "throttled",
            "overflows",
        )  # fmt: skip
        seen = {name: float(self.counts[revision, use, name]) for name in names}
        return ArmCounts(**seen, ejected=0.0, weight_percent=weight_percent)

    def settle(self) -> Plan:
        """Reconciles until nothing is left to write."""
        for _ in range(MOST_WRITES):
            plan = decide_serving(self.world())
            if not plan.effects:
                self.remembered = plan.remember
                return plan
            self._perform(plan)
        raise AssertionError(f"not settled after {MOST_WRITES} writes: {self.writes[-4:]}")

    def _perform(self, plan: Plan) -> None:
        match plan.effects[0]:
            case WriteStatus(_, after, told, record):
                self.body["status"] = dict(after)
                self.writes.append(f"status {after.get('phase')}")
                self.events += [item.reason.value for item in told]
                self.told += [item.message for item in told]
                self.records += [record] if record else []
            case Apply(manifest):
                child = child_of(self.body, manifest)
                if manifest["kind"] == "Deployment":
                    name, wanted = manifest["metadata"]["name"], manifest["spec"]["replicas"]
                    ready = 0 if name in self.unready else wanted
                    child["status"] = {"observedGeneration": 1, "replicas": wanted, "readyReplicas": ready}
                self.objects[manifest["kind"], manifest["metadata"]["name"]] = child
                self.writes.append(f"apply {manifest['kind']} {manifest['metadata']['name']}")
            case Delete(ref):
                del self.objects[ref.kind, ref.name]
                self.writes.append(f"delete {ref.kind} {ref.name}")
            case other:
                raise AssertionError(f"unexpected effect {other}")

    def ready(self, revision: str) -> None:
        """The revision's pods are ready now."""
        self.unready.discard(revision)
        item = self.objects["Deployment", revision]
        item["status"] = {"observedGeneration": 1, "replicas": item["spec"]["replicas"]} | {
            "readyReplicas": item["spec"]["replicas"]
        }

    def run(self, seconds: int, until: str = "") -> float:
        """Traffic, second by second; the second at which the phase was `until`, or AssertionError. Empty: all of it."""
        for second in range(seconds):
            if until and self.status.phase == until:
                return float(second)
            self.now += timedelta(seconds=1)
            self._serve()
            self.settle()
        assert not until or self.status.phase == until, f"{self.status.phase} after {seconds} s: {self.status.evidence}"
        return float(seconds)

    def _serve(self) -> None:
        traffic = self.status.traffic
        for arm in traffic.arms if traffic else ():
            self._ask(arm.revision, arm.role.value, self.rate * arm.weight // 100)
        if traffic and traffic.mirror:
            copies = self.rate * traffic.mirror.percent // 100
            dropped = int(copies * self.dropped)
            self.counts[traffic.mirror.revision, "mirror", "overflows"] += dropped
            self._ask(traffic.mirror.revision, "mirror", copies - dropped)

    def _ask(self, revision: str, use: str, attempts: int) -> None:
        """Failures fall evenly, so that a story is the same every time."""
        before = self.counts[revision, use, "attempts"]
        share = self.failing.get(revision, 0.0)
        failures = int((before + attempts) * share) - int(before * share)
        self.counts[revision, use, "attempts"] += attempts
        self.counts[revision, use, "attempt_failures"] += failures
        self.counts[revision, use, "latency_samples"] += attempts - failures
        self.counts[revision, use, "attempts_slow"] += int((attempts - failures) * self.slow.get(revision, 0.0))

    def restart(self) -> None:
        """Another operator process takes over."""
        self.remembered = None
        self.epoch += 1

    def retire(self) -> None:
        """The grace of a replaced revision goes by."""
        self.run(int(GRACE_SECONDS) + 2)


def serving(body: Mapping[str, Any] | None = None) -> Story:
    """A story whose first revision serves, and has shown that users can count on it."""
    story = Story(dict(body or canary_body()))
    story.settle()
    while story.status.probation and not story.status.probation.settled:
        story.run(1)
    assert story.status.phase == "Stable"
    return story
