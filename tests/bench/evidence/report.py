"""The tables as text."""

from collections.abc import Iterator, Sequence
from math import isfinite

from tests.bench.evidence.measure import BadResult, FalseResult, upper_bound
from tests.bench.evidence.rivals import NAMES
from tests.bench.evidence.rows import RESUME_GOAL_SECONDS


def _seconds(pair: tuple[float, float]) -> str:
    return " / ".join(f"{value:.0f}" if isfinite(value) else "-" for value in pair)


def bound_of(result: FalseResult) -> float:
    """The upper 95 % bound of the share of good versions that were rolled back."""
    return upper_bound(result.rolled_back, result.row.runs)


def missed_goals(
    false: Sequence[FalseResult], bad: Sequence[BadResult], resumed: BadResult, cost_percent: float
) -> Iterator[str]:
    """Each goal that was not met, with its figure."""
    for one in false:
        if one.row.limit is not None and bound_of(one) > one.row.limit:
            share = one.rolled_back / one.row.runs
            yield f"{one.row.name}: at most {bound_of(one):.2%} ({share:.2%} seen), goal {one.row.limit:.0%}"
    for other in bad:
        if other.row.brake_goal is not None and other.brake[0] > other.row.brake_goal:
            yield f"{other.row.name}: braked after {other.brake[0]:.0f} s, goal {other.row.brake_goal:.0f} s"
        if other.row.sure_goal is not None and other.sure[0] > other.row.sure_goal:
            yield f"{other.row.name}: rolled back after {other.sure[0]:.0f} s, goal {other.row.sure_goal:.0f} s"
    if resumed.resumed[0] > RESUME_GOAL_SECONDS:
        yield f"resumed after {resumed.resumed[0]:.0f} s, goal {RESUME_GOAL_SECONDS:.0f} s"
    if cost_percent > 10:
        yield f"1,000 rollouts a second cost {cost_percent:.1f} % of a core, goal 10 %"


def summary(result: FalseResult | BadResult) -> str:
    """One row in short."""
    if isinstance(result, FalseResult):
        return f"{result.row.name}: {result.rolled_back} of {result.row.runs} rolled back, {result.braked} braked"
    return f"{result.row.name}: braked {_seconds(result.brake)} s, rolled back {_seconds(result.sure)} s"


def false_table(results: Sequence[FalseResult]) -> str:
    """Good versions."""
    head = "| a version as good as stable | minutes | runs | rolled back | 95 % bound | goal | braked |"
    lines = [head + "".join(f" {name} |" for name in NAMES), "| --- |" + " ---: |" * (6 + len(NAMES))]
    for one in results:
        goal = f"{one.row.limit:.0%}" if one.row.limit else "-"
        lines.append(
            f"| {one.row.name} | {one.row.seconds // 60} | {one.row.runs:,} | {one.rolled_back / one.row.runs:.2%} "
            f"| {bound_of(one):.2%} | {goal} | {one.braked / one.row.runs:.1%} |"
            + "".join(f" {one.rivals[name]:.0%} |" for name in NAMES)
        )
    return "\n".join(lines) + "\n"


def bad_table(results: Sequence[BadResult]) -> str:
    """Bad versions."""
    head = "| a worse version | runs | braked or stopped, s | goal | rolled back, s | goal | failed attempts |"
    lines = [head + "".join(f" {name}, s |" for name in NAMES), "| --- |" + " ---: |" * (6 + len(NAMES))]
    for one in results:
        goals = ["-" if goal is None else f"{goal:.0f}" for goal in (one.row.brake_goal, one.row.sure_goal)]
        rivals = "".join(f" {f'{x:.0f}' if isfinite(x) else '-'} |" for x in (one.rivals[name] for name in NAMES))
        lines.append(
            f"| {one.row.name} | {one.row.runs - one.before:,} | {_seconds(one.brake)} | {goals[0]} "
            f"| {_seconds(one.sure)} | {goals[1]} | {one.failed:.0f} |" + rivals
        )
    return "\n".join(lines) + "\n"


def last_line(false: Sequence[FalseResult], bad: Sequence[BadResult]) -> str:
    """The figures in one line: the worst bound of all rows with a goal, and the medians until the brake."""
    worst = max(bound_of(one) for one in false if one.row.limit is not None)
    found = {one.row.name: one.brake[0] for one in bad}
    times = "/".join(f"{found[name]:.0f}" for name in ("5% errors", "20% errors", "100% errors"))
    return f"evidence: worst false rollback {100 * worst:.2f} %, detection of 5/20/100 % errors {times} s"
