"""Events from the difference between two lists of conditions: one per new reason, none for what stays."""

from collections.abc import Sequence

from fairlead.api.conditions import Condition
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.core.effects import Announcement


def _warns(reason: Reason) -> bool:
    words = ("Failed", "Unavailable", "Exceeded", "NotFound", "NotReady", "Crashed", "Conflict", "Unschedulable")
    return EXPLAINED[reason].stalls or any(word in reason for word in words)


def announce(old: Sequence[Condition], new: Sequence[Condition]) -> tuple[Announcement, ...]:
    """One announcement for each reason that a condition newly carries."""
    before = {(item.type, item.reason) for item in old}
    fresh: dict[str, Condition] = {}
    for item in new:
        if (item.type, item.reason) not in before:
            fresh.setdefault(item.reason, item)
    return tuple(
        Announcement("Warning" if _warns(Reason(name)) else "Normal", Reason(name), item.message or name)
        for name, item in fresh.items()
    )
