"""When a pipeline has waited long enough: whether a version is out, has failed, or is on its way.

Nothing is concluded from a status that has not caught up with the spec, nor from what it says of another version.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fairlead.api.conditions import ConditionStatus, ConditionType
from fairlead.api.model_deployment import DeploymentPhase, ModelDeploymentStatus
from fairlead.api.resource import ModelDeployment, TrainingJob
from fairlead.api.rollout_status import HistoryEntry, Outcome
from fairlead.api.training_job import TrainingPhase
from fairlead.cli.plugin.expecting import expect, find_condition
from fairlead.cli.plugin.training_view import because
from fairlead.cli.plugin.words import OUTCOMES

_BAD = (DeploymentPhase.ROLLED_BACK, DeploymentPhase.INCONCLUSIVE, DeploymentPhase.FAILED)

Ends = frozenset[tuple[str, datetime]]
"""Which ends of rollouts were known when the waiting began: revision and time of each."""


class Progress(StrEnum):
    """How far it is."""

    DONE = "done"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Judgement:
    """And why."""

    progress: Progress
    text: str


def known_ends(resource: ModelDeployment) -> Ends:
    """The ends in the history as it is now."""
    return frozenset((entry.revision, entry.ended) for entry in resource.status.history)


def judge_deployment(resource: ModelDeployment, version: str, known: Ends) -> Judgement:
    """Of a version of the registered model, or with an empty one of what the spec asks for."""
    status, meta = resource.status, resource.meta
    if not resource.has_status or status.observed_generation < meta.generation:
        return Judgement(Progress.PENDING, f"the operator has not seen generation {meta.generation} of the spec yet")
    return _of_version(resource, version, known) if version else _of_spec(resource)


def judge_training(resource: TrainingJob) -> Judgement:
    """Whether the model is registered."""
    status = resource.status
    if status.phase is TrainingPhase.SUCCEEDED:
        version = status.model_version
        return Judgement(Progress.DONE, f"{version.name} version {version.version} is registered" if version else "")
    progress = Progress.FAILED if status.phase is TrainingPhase.FAILED else Progress.PENDING
    return Judgement(progress, because(resource) or str(status.phase or "the operator has not looked at it yet"))


def _rolled_out(status: ModelDeploymentStatus) -> bool:
    """What is asked for serves, and no other revision is being judged."""
    found = find_condition(status, ConditionType.ROLLED_OUT)
    if found is None or found.status is not ConditionStatus.TRUE or status.stable is None:
        return False
    return status.evidence is None or status.evidence.candidate == status.stable.revision


def _stuck(status: ModelDeploymentStatus) -> bool:
    stalled = find_condition(status, ConditionType.STALLED)
    return status.phase in _BAD or (stalled is not None and stalled.status is ConditionStatus.TRUE)


def _of_spec(resource: ModelDeployment) -> Judgement:
    status = resource.status
    if _rolled_out(status) and status.stable:
        return Judgement(Progress.DONE, f"revision {status.stable.revision} is stable")
    text = expect(resource).text or str(status.phase)
    return Judgement(Progress.FAILED if _stuck(status) else Progress.PENDING, text)


def _of_version(resource: ModelDeployment, version: str, known: Ends) -> Judgement:
    status = resource.status
    if status.stable and status.stable.model_version == version and _rolled_out(status):
        return Judgement(Progress.DONE, f"version {version} is stable (revision {status.stable.revision})")
    last = next((entry for entry in reversed(status.history) if entry.model_version == version), None)
    if last and (last.revision, last.ended) not in known and _is_over(last, status):
        return Judgement(Progress.DONE if last.outcome is Outcome.PROMOTED else Progress.FAILED, _ended(last))
    if status.model and status.model.version == version:
        text = expect(resource).text or str(status.phase)
        return Judgement(Progress.FAILED if _stuck(status) else Progress.PENDING, f"version {version}: {text}")
    if last and any(item.revision == last.revision for item in status.quarantine):
        return Judgement(Progress.FAILED, f"{_ended(last)}; it is quarantined")
    asked = f"version {status.model.version}" if status.model else "nothing that the registry knows"
    return Judgement(Progress.PENDING, f"version {version} is not asked for yet; what is asked for is {asked}")


def _is_over(entry: HistoryEntry, status: ModelDeploymentStatus) -> bool:
    """Whether the entry is the last word: nobody has asked for another try, and no guard of it is on."""
    guarded = status.evidence is not None and status.evidence.candidate == entry.revision
    return entry.outcome is not Outcome.RETRIED and not guarded


def _ended(entry: HistoryEntry) -> str:
    why = ": ".join(part for part in (entry.reason, entry.message) if part)
    head = f"version {entry.model_version} (revision {entry.revision}): {entry.outcome}, {OUTCOMES[entry.outcome]}"
    return f"{head}; {why}" if why else head
