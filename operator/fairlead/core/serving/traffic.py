"""What `status.traffic` says next: everything to stable, or the shares of the rollout that is on."""

from collections.abc import Mapping
from typing import Any

from fairlead.api.reasons import Reason
from fairlead.api.rollout import Canary
from fairlead.api.scalars import describe_latency
from fairlead.api.traffic import Arm, ArmRole, Mirror, Protocol, Traffic
from fairlead.core.rollout.arms import arms_of, mirror_of
from fairlead.core.rollout.live import Rollout
from fairlead.core.rollout.policy import attempt_seconds
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.replicas import has_ready
from fairlead.core.world import ServingWorld


def protocol_of(inputs: Mapping[str, Any]) -> Protocol:
    """What the pods of a revision with these inputs speak."""
    return "grpc" if (inputs.get("container") or {}).get("protocol") == "grpc" else "http"


def _protocol(world: ServingWorld, pointers: Pointers, old: Traffic) -> Protocol:
    """Stable's, or the first candidate's; a revision that is not stored yet is the one that the spec asks for."""
    serving = pointers.stable or pointers.candidate
    if serving is None:
        return old.protocol
    stored = next((item for item in world.revisions if item.name == serving.revision), None)
    if stored:
        return protocol_of(stored.inputs)
    if pointers.stable:
        return old.protocol  # its ControllerRevision is lost
    container = world.resource.spec.container
    return (container.protocol if container else None) or "http"


def _generation(world: ServingWorld, old: Traffic) -> int:
    """The next one. Where the status was lost the gateways remember: what they serve must not look newer."""
    if old.generation == 0:
        return 1 + max((report.generation for report in world.gateway.reports.values()), default=0)
    return 1 + old.generation


def _arms(pointers: Pointers) -> tuple[Arm, ...]:
    """The shares of the rollout; without one, everything to stable. The one that it has replaced stands by while its
    pods last: a gateway may hear of a promotion before it hears of stable's endpoints. One that has lost does not."""
    if pointers.stable is None:
        return ()
    if pointers.rollout:
        return arms_of(pointers.rollout.policy, pointers.rollout.state, pointers.rollout.contest)
    stable = Arm(revision=pointers.stable.revision, weight=100)
    previous = pointers.previous
    if previous is None or previous.revision == stable.revision or pointers.has_lost(previous.revision):
        return (stable,)
    return (stable, Arm(revision=previous.revision, role=ArmRole.PREVIOUS, weight=0))


def _mirror(world: ServingWorld, rollout: Rollout | None) -> Mirror | None:
    """A shadow's copies, while one of its pods is ready: what nobody can answer says nothing about a model."""
    if rollout is None or not has_ready(world, rollout.contest.candidate, 1):
        return None
    return mirror_of(rollout.policy, rollout.state, rollout.contest)


def _limits(world: ServingWorld, pointers: Pointers, old: Traffic) -> dict[str, str]:
    """What the gateway cuts and counts for a rollout, and counts for a probation; without either, nothing.

    They stay as they were when it began: answers that a new limit would call slow were counted by the one before.
    """
    rollout = pointers.rollout
    if rollout is None:
        slow = pointers.trial is not None and pointers.trial.policy.max_slow_rate is not None
        return {"latency_limit": world.resource.spec.rollout.checks.max_latency_p99} if slow else {}
    spec, known = world.resource.spec, world.resource.status.evidence
    if known and (known.candidate, known.since) == (rollout.contest.candidate, rollout.since):
        return {"attempt_timeout": old.attempt_timeout, "latency_limit": old.latency_limit}
    attempt = attempt_seconds(spec.rollout.canary or Canary(), spec.rollout.checks, spec.request_timeout)
    return {
        "attempt_timeout": "off" if attempt is None else describe_latency(attempt),
        "latency_limit": spec.rollout.checks.max_latency_p99,
    }


def next_traffic(world: ServingWorld, pointers: Pointers, waits_for: Reason) -> Traffic:
    """The traffic that the pointers ask for; `waits_for` is why nothing serves when nothing does.

    The generation grows with everything that the gateway acts on and with nothing else. The epoch is stamped when
    something else is written, or while a candidate is coming up: a new leader that finds the world settled writes
    nothing.
    """
    old = world.resource.status.traffic or Traffic()
    arms = _arms(pointers)
    wanted = Traffic(
        epoch=old.epoch,
        generation=old.generation,
        port=world.port,
        protocol=_protocol(world, pointers, old),
        arms=arms,
        mirror=_mirror(world, pointers.rollout),
        request_timeout=world.resource.spec.request_timeout,
        **_limits(world, pointers, old),
        unavailable_reason="" if arms else waits_for.value,
    )
    changed = wanted != old
    epoch = max(world.epoch, old.epoch) if changed or pointers.candidate or pointers.rollout else old.epoch
    return wanted.model_copy(
        update={"epoch": epoch, "generation": _generation(world, old) if changed else old.generation}
    )
