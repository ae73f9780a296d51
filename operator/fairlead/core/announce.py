"""Events from the difference between two lists of conditions: what is news, and nothing for what stays."""

from collections.abc import Sequence

from fairlead.api.conditions import Condition
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.core.effects import Announcement


def _warns(reason: Reason) -> bool:
    words = ("Failed", "Unavailable", "Exceeded", "NotFound", "NotReady", "Crashed", "Conflict", "Unschedulable")
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
    good = [item for item in told if item.type == "Normal"] if old else []
    return (*(item for item in told if item.type == "Warning"), *good[-1:])
