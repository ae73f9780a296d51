"""Events from the difference between two lists of conditions: what is news, and nothing for what stays."""

from collections.abc import Sequence

from fairlead.api.conditions import Condition
from fairlead.api.model_deployment import ModelDeploymentStatus
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.rollout_status import HistoryEntry, Outcome
from fairlead.core.effects import Announcement

_ROUTINE = frozenset({Reason.PROGRAMMED, Reason.GATEWAY_PENDING})
"""Follow every change of the traffic, which has an event of its own."""


def _warns(reason: Reason) -> bool:
    words = (
        *("Failed", "Unavailable", "Exceeded", "NotFound", "NotReady", "Crashed", "Conflict", "Unschedulable"),
        *("AboveStable", "AboveLimit", "Ejected", "Overloaded", "Unhealthy", "NoEvidence"),
    )
    return EXPLAINED[reason].stalls or any(word in reason for word in words)


def announce(old: Sequence[Condition], new: Sequence[Condition]) -> tuple[Announcement, ...]:
    """Each warning that a condition newly carries, and of what goes well the last word.

    Good news that comes together says one thing, and that a new resource starts is none: both stand in the status, and
    an event each would be most of what a cluster with many resources writes.
    """
    before = {(item.type, item.reason) for item in old}
    fresh: dict[str, Condition] = {}
    for item in new:
        if (item.type, item.reason) not in before:
            fresh.setdefault(item.reason, item)
    told = [
        Announcement("Warning" if _warns(Reason(name)) else "Normal", Reason(name), item.message or name)
        for name, item in fresh.items()
    ]
    good = [item for item in told if item.type == "Normal" and item.reason not in _ROUTINE] if old else []
    return (*(item for item in told if item.type == "Warning"), *good[-1:])


def announce_rollout(old: ModelDeploymentStatus, new: ModelDeploymentStatus) -> tuple[Announcement, ...]:
    """Each decision of a rollout and each end of one that the new status has and the old one had not."""
    known = old.evidence.decisions if old.evidence else ()
    whose = new.evidence.candidate if new.evidence else ""
    decided = [item for item in (new.evidence.decisions if new.evidence else ()) if item not in known]
    told = [
        Announcement(
            "Warning" if _warns(Reason(item.reason)) else "Normal",
            Reason(item.reason),
            f"{item.action}: revision {whose} gets {item.weight:g}% now; "
            f"{item.failures} of {item.requests} requests had failed",
        )
        for item in decided
    ]
    before = {(entry.revision, entry.ended) for entry in old.history}
    ended = [entry for entry in new.history if (entry.revision, entry.ended) not in before]
    return (*told, *(_end(entry) for entry in ended if entry.outcome in _ENDS))


_ENDS = {
    Outcome.PROMOTED: "is promoted",
    Outcome.ROLLED_BACK: "is rolled back",
    Outcome.SUPERSEDED: "gives way to another one",
    Outcome.ABORTED: "was aborted",
    Outcome.INCONCLUSIVE: "got no verdict",
    Outcome.FAILED: "has failed, and serves on, for there is no other",
}


def _end(entry: HistoryEntry) -> Announcement:
    good = entry.outcome in (Outcome.PROMOTED, Outcome.SUPERSEDED)
    text = f"revision {entry.revision} {_ENDS[entry.outcome]}: {entry.message}"
    return Announcement("Normal" if good else "Warning", Reason(entry.reason), text)
