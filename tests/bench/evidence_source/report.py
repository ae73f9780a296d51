"""The table as text, and the line that sums it up. Pure."""

from collections.abc import Sequence

from tests.bench.evidence_source.reader import PODS_EACH, Reading

GOAL_SHARE = 0.30
GOAL_NAMESPACES = 100


def table(readings: Sequence[Reading]) -> str:
    """A row for each."""
    lines = [
        "| namespaces | gateway pods | read every | reads/s | failed | of a core | processor time per read |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for found in readings:
        lines.append(
            f"| {found.namespaces} | {found.namespaces * PODS_EACH} | {'second' if found.split else 'ten seconds'} "
            f"| {found.reads_per_second:.0f} | {found.failures} | {found.share:.1%} "
            f"| {found.microseconds_per_read:.0f} µs |"
        )
    return "\n".join(lines) + "\n"


def judged(readings: Sequence[Reading]) -> Reading:
    """The row that the goal speaks of. Raises StopIteration when there is none."""
    return next(found for found in readings if found.namespaces == GOAL_NAMESPACES and found.split)


def missed_goal(readings: Sequence[Reading]) -> str:
    """What was missed; empty when nothing was."""
    found = judged(readings)
    if found.failures:
        return f"{found.failures} of {found.reads} reads failed, goal 0"
    return f"{found.share:.1%} of a core, goal {GOAL_SHARE:.0%}" if found.share > GOAL_SHARE else ""


def last_line(readings: Sequence[Reading]) -> str:
    """`direct: 100 namespaces cost X % of a core`."""
    return f"direct: {GOAL_NAMESPACES} namespaces cost {100 * judged(readings).share:.1f} % of a core"
