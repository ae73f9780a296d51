"""The tables as text, and which goals were missed. Pure."""

from collections.abc import Iterator, Sequence
from statistics import median

from tests.bench.rollback.measure import Case, Run

GOAL_BRAKE_SECONDS = {0.2: 3.0, 1.0: 2.0}
"""At the median, by the share of the answers that fail."""
GOAL_DECIDED_SECONDS = 45.0
PEERS = (
    ("Argo Rollouts, 5 s interval", 0.2, "10-13", "95-99"),
    ("Argo Rollouts, 60 s interval", 0.2, "196-209", "1,694-2,370"),
    ("Argo Rollouts, 5 s interval", 1.0, "11-13", "494-548"),
    ("Argo Rollouts, 60 s interval", 1.0, "200", "10,334"),
)
"""Measured with the same replicas, load and steps: (setting, share, seconds to the abort, failed user requests)."""


def of_case(case: Case, runs: Sequence[Run]) -> list[Run]:
    """The runs of a case."""
    return [run for run in runs if run.case == case.name]


def table(cases: Sequence[Case], runs: Sequence[Run]) -> str:
    """A row for each case."""
    lines = [
        "| the version | runs | braked after, s: median | worst | decided after, s: median | worst "
        "| its attempts, median | users' requests | failed |",
        "| --- |" + " ---: |" * 8,
    ]
    for case in cases:
        found = of_case(case, runs)
        if not found:
            continue
        brakes, decided = [run.brake_seconds for run in found], [run.decided_seconds for run in found]
        lines.append(
            f"| {case.name} | {len(found)} | {median(brakes):.1f} | {max(brakes):.1f} | {median(decided):.1f} "
            f"| {max(decided):.1f} | {median(run.attempts for run in found):.0f} "
            f"| {sum(run.sent for run in found):,} | {sum(run.failed for run in found):,} |"
        )
    return "\n".join(lines) + "\n"


def peers_table(cases: Sequence[Case], runs: Sequence[Run]) -> str:
    """Our figures beside the peers': 6 replicas, 17 % then 50 %, 200 new connections a second."""
    lines = ["| the version fails | | bad share gone after, s | failed user requests |", "| ---: | --- | ---: | ---: |"]
    for case in cases:
        found = of_case(case, runs)
        if found:
            low, high = min(run.brake_seconds for run in found), max(run.brake_seconds for run in found)
            worst = [run.failed for run in found]
            users = f"{min(worst):,}-{max(worst):,}" if min(worst) != max(worst) else f"{max(worst):,}"
            ours = "Fairlead" if case.failover else "Fairlead, failover off"
            lines.append(f"| {case.share:.0%} | {ours} | {low:.1f}-{high:.1f} | {users} |")
    lines += [f"| {share:.0%} | {name} | {seconds} | {failed} |" for name, share, seconds, failed in PEERS]
    return "\n".join(lines) + "\n"


def ends_table(cases: Sequence[Case], runs: Sequence[Run]) -> str:
    """A row for each run that went on to the second brake."""
    lines = [
        "| the version | rolled back after, s | for | users' requests | failed |",
        "| --- | ---: | --- | ---: | ---: |",
    ]
    lines += [
        f"| {run.case} | {run.decided_seconds:.0f} | {run.reason} | {run.sent:,} | {run.failed:,} |"
        for case in cases
        for run in of_case(case, runs)
    ]
    return "\n".join(lines) + "\n"


def missed_goals(cases: Sequence[Case], runs: Sequence[Run]) -> Iterator[str]:
    """Each goal that was not met, with its figure."""
    for case in cases:
        found = of_case(case, runs)
        if not found:
            continue
        if case.failover:
            braked, goal = median(run.brake_seconds for run in found), GOAL_BRAKE_SECONDS[case.share]
            if braked > goal:
                yield f"{case.name}: braked after {braked:.1f} s at the median, goal {goal:g} s"
            decided = max(run.decided_seconds for run in found)
            if decided > GOAL_DECIDED_SECONDS:
                yield f"{case.name}: decided after {decided:.1f} s at worst, goal {GOAL_DECIDED_SECONDS:g} s"
            if failed := sum(run.failed for run in found):
                yield f"{case.name}: {failed:,} requests of users failed, goal 0"
        if late := sum(not run.on_time for run in found):
            yield f"{case.name}: the load was late in {late} of {len(found)} runs"


def last_line(case: Case, runs: Sequence[Run]) -> str:
    """The figures of one case in one line."""
    found = of_case(case, runs)
    brakes = [run.brake_seconds for run in found]
    return (
        f"rollback: brake median {median(brakes):.1f} s worst {max(brakes):.1f} s, decided median "
        f"{median(run.decided_seconds for run in found):.1f} s, failed user requests "
        f"{sum(run.failed for run in found)} of {sum(run.sent for run in found)}"
    )
