"""The table at the end: what happened, and how long each took. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Happened:
    """One line. seconds: from the registration of a version to the end of its rollout."""

    what: str
    seconds: float
    came_of_it: str


def table(happened: Sequence[Happened]) -> str:
    """The lines, aligned."""
    width = max((len(item.what) for item in happened), default=0)
    return "\n".join(f"  {item.what:<{width}}  {item.seconds:7.1f} s  {item.came_of_it}" for item in happened)
