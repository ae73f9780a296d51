"""How a reason is explained to people."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a reason means, what to do about it, and whether it waits for someone to act."""

    meaning: str
    action: str
    stalls: bool = False
