"""What became of every version, and whether that is right. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

VERDICTS = ("Promoted", "RolledBack")
NEVER_BEGUN = "NeverBegun"
"""The next version was asked for while this one waited for the guard of the one before, or for its pods."""
UNFINISHED = "Unfinished"
SHARE_DECIDED = 2 / 3
"""Of all versions; the others were superseded, or never begun."""
GROWTH_MIB = 24.0
"""What the operator's memory may grow by: caches that fill up once."""


@dataclass(frozen=True)
class Shipped:
    """A version that was asked for."""

    number: int
    revision: str
    bad: bool


@dataclass
class Tally:
    """The versions, and the ends that the status told of."""

    shipped: list[Shipped] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)

    def hear(self, history: Iterable[Mapping[str, Any]]) -> None:
        """The history as the status has it now: its newest ten lines."""
        self.outcomes.update({entry["revision"]: entry["outcome"] for entry in history})

    def of(self, version: Shipped) -> str:
        """How it ended."""
        last = version is self.shipped[-1]
        return self.outcomes.get(version.revision, UNFINISHED if last else NEVER_BEGUN)

    def wrong(self) -> list[str]:
        """Good versions that were rolled back, and bad ones that were promoted."""
        against = {True: "Promoted", False: "RolledBack"}
        return [
            f"version {item.number} ({'bad' if item.bad else 'good'}): {self.of(item)}"
            for item in self.shipped
            if self.of(item) == against[item.bad]
        ]

    def lines(self) -> list[str]:
        """A line for each version."""
        return [f"version {item.number}, {'bad' if item.bad else 'good'}: {self.of(item)}" for item in self.shipped]

    @property
    def decided(self) -> int:
        """Versions that reached a verdict."""
        return sum(self.of(item) in VERDICTS for item in self.shipped)

    def describe(self) -> str:
        """`12 versions, 4 of them bad: 8 Promoted, 3 RolledBack, 1 Superseded`."""
        bad = sum(item.bad for item in self.shipped)
        ends = Counter(self.of(item) for item in self.shipped)
        counted = ", ".join(f"{count} {name}" for name, count in sorted(ends.items()))
        return f"{len(self.shipped)} versions, {bad} of them bad: {counted}"


def is_flat(mib: Sequence[float]) -> bool:
    """Whether memory has stopped growing: the last third of the looks against the one before it."""
    if len(mib) < 6:
        return True
    third = len(mib) // 3
    return max(mib[-third:]) - max(mib[-2 * third : -third]) <= GROWTH_MIB
