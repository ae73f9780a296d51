"""From what the gateways' pods say to the sample that a rollout is judged by."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isnan

from fairlead.api.gateway_evidence import ArmCounts, DeploymentEvidence, PodEvidence
from fairlead.core.evidence.policy import Shadow
from fairlead.core.evidence.sample import STALE_SECONDS, Counters, Reading, Sample
from fairlead.core.rollout.arms import NOBODY, Contest

DRAWN = frozenset({"stable", "canary", "previous"})
"""The uses whose requests the gateway draws by chance. Those of matched headers and second attempts are not."""
COPIED = frozenset({"mirror"})
"""The use of a shadow: which of stable's requests are copied is drawn by chance, too. Nothing else counts there, as
copies count nowhere else."""


def _arms(evidence: DeploymentEvidence, revision: str, uses: frozenset[str] = DRAWN) -> list[ArmCounts]:
    return [arm for (name, use), arm in evidence.arms.items() if name == revision and use in uses]


def _sum(values: Iterable[float]) -> float:
    return sum(values, start=0.0)


def _counters(arms: list[ArmCounts]) -> Counters:
    """A revision in all its roles."""
    return Counters(
        attempts=_sum(arm.attempts for arm in arms),
        failures=_sum(arm.attempt_failures for arm in arms),
        shared=_sum(arm.failover_failures for arm in arms),
        timed=_sum(arm.latency_samples for arm in arms),
        slow=_sum(arm.attempts_slow for arm in arms),
        overloaded=_sum(arm.throttled for arm in arms),
    )


def _copies(arms: list[ArmCounts]) -> Counters:
    """A shadow's counters. Copies that the gateway dropped because too many were under way are no attempts; like 429s
    they say that the shadow is too small or too slow for its share, so that nothing passes on those that got through.
    """
    counted = _counters(arms)
    return replace(counted, overloaded=counted.overloaded + _sum(arm.overflows for arm in arms))


def _reading(
    gateway: str, pod: PodEvidence, evidence: DeploymentEvidence, contest: Contest, shadow: Shadow | None
) -> Reading | None:
    """What one gateway saw; None while it does not serve both revisions, or the one where there is no other."""
    incumbent = _arms(evidence, contest.incumbent)
    alone = contest.incumbent == NOBODY
    roles = COPIED if shadow else DRAWN
    candidate = _arms(evidence, contest.candidate, roles)
    uses = sorted(use for name, use in evidence.arms if name == contest.candidate and use in roles)
    if not candidate or not (incumbent or alone):
        return None
    if shadow:
        weights = [shadow.share_percent]
    else:
        weights = [arm.weight_percent for arm in candidate if not isnan(arm.weight_percent)]
    if not weights:
        return None
    return Reading(
        gateway=gateway,
        # In another role requests go by other counters, which are no continuation of the ones before.
        started=" ".join((f"{pod.started_seconds:.6f}", *uses)),
        at_seconds=pod.at_seconds,
        weight_percent=weights[0],
        candidate=_copies(candidate) if shadow else _counters(candidate),
        stable=_counters(incumbent),
    )


def _ejected(evidence: DeploymentEvidence, revision: str) -> bool:
    return any(arm.ejected == 1.0 for arm in _arms(evidence, revision))


def make_sample(
    pods: Mapping[str, PodEvidence],
    deployment: str,
    contest: Contest,
    *,
    now_seconds: float,
    stale_seconds: float = STALE_SECONDS,
    shadow: Shadow | None = None,
) -> Sample:
    """One look at all gateway pods. Those that do not serve both revisions yet are left out.

    With `shadow` the candidate is judged by its answers to copies, and by nothing else. Ejected means by every one of
    them: a gateway that alone cannot reach the candidate says nothing about the model. `stale_seconds`: how long the
    source of these answers may have nothing new.
    """
    known = {name: found for name, pod in pods.items() if (found := pod.deployments.get(deployment))}
    readings = {
        name: reading
        for name, found in known.items()
        if (reading := _reading(name, pods[name], found, contest, shadow))
    }
    ejected = bool(readings) and all(_ejected(known[name], contest.candidate) for name in readings)
    return Sample(now_seconds, tuple(readings[name] for name in sorted(readings)), ejected, stale_seconds)
