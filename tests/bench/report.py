"""The table of several runs, and the one line that sums them up. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.measure import Measurement

GOAL_SECONDS = 30.0
GOAL_WRITES = 8.0
GOAL_MIB = 256.0


@dataclass(frozen=True)
class Row:
    """One figure of every run; `goal` None where none is set, `digits` after the point."""

    title: str
    values: tuple[float, ...]
    goal: float | None = None
    digits: int = 1

    def wire(self) -> str:
        """The Markdown row: goal, least, median, most."""
        shown = (min(self.values), median(self.values), max(self.values))
        figures = " | ".join(f"{value:.{self.digits}f}" for value in shown)
        goal = "" if self.goal is None else f"{self.goal:g}{'' if median(self.values) <= self.goal else ' (missed)'}"
        return f"| {self.title} | {goal} | {figures} |"


def summary(runs: Sequence[Measurement]) -> str:
    """`reconcile: 200 in X s, Y writes each, peak Z MiB`: the median of the seconds, the most of the others."""
    seconds = median(run.from_first_seconds for run in runs)
    writes, peak = max(run.writes_each for run in runs), max(run.loaded.peak_mib for run in runs)
    return f"reconcile: {runs[0].count} in {seconds:.1f} s, {writes:.1f} writes each, peak {peak:.0f} MiB"


def table(runs: Sequence[Measurement]) -> str:
    """The Markdown table of the runs of one fleet."""
    head = f"| {runs[0].count} ModelDeployments, {len(runs)} runs | goal | least | median | most |"
    return "\n".join([head, "| --- | ---: | ---: | ---: | ---: |", *(row.wire() for row in _rows(runs))])


def _rows(runs: Sequence[Measurement]) -> Iterator[Row]:
    def row(title: str, value: Callable[[Measurement], float], goal: float | None = None, digits: int = 1) -> Row:
        return Row(title, tuple(value(run) for run in runs), goal, digits)

    yield row("seconds, first create to last child Deployment", lambda run: run.from_first_seconds, GOAL_SECONDS)
    yield row("seconds, last create to last child Deployment", lambda run: run.from_last_seconds)
    yield row("seconds that the creates took", lambda run: run.create_seconds)
    yield row("seconds, first create to the operator's last write", lambda run: run.settled_seconds)
    yield row("seconds, first Deployment ready to the last write", lambda run: run.stable_seconds)
    yield row("writes each", lambda run: run.writes_each, GOAL_WRITES, 2)
    yield row("... until the child Deployment waits for pods", lambda run: run.coming_up.written / run.count, digits=2)
    yield from _counted(runs, "... ... ", lambda run: run.coming_up.writes)
    yield row("... until it is stable", lambda run: run.becoming_stable.written / run.count, digits=2)
    yield from _counted(runs, "... ... ", lambda run: run.becoming_stable.writes)
    yield row("writes refused, all", lambda run: run.coming_up.refused + run.becoming_stable.refused, digits=0)
    yield from _counted(runs, "requests each: ", _verbs)
    yield row("reconciles each", lambda run: sum(run.reconciles.values()) / run.count, digits=2)
    yield row("reconciles that were tried again, all", lambda run: run.reconciles.get("retry", 0), digits=0)
    yield row("MiB of the operator, idle", lambda run: run.idle.resident_mib, digits=0)
    yield row("MiB of the operator, peak", lambda run: run.loaded.peak_mib, GOAL_MIB, 0)
    yield row(
        "processor seconds of the operator", lambda run: run.loaded.processor_seconds - run.idle.processor_seconds
    )
    yield from _counted(runs, "requests to MLflow, all: ", lambda run: run.registry_requests, each=False)
    yield row("load average before the run", lambda run: run.load_average)


def _verbs(run: Measurement) -> dict[str, int]:
    first, second = run.coming_up.verbs, run.becoming_stable.verbs
    return {verb: first.get(verb, 0) + second.get(verb, 0) for verb in sorted({*first, *second})}


def _counted(
    runs: Sequence[Measurement], prefix: str, counts: Callable[[Measurement], Mapping[str, int]], *, each: bool = True
) -> Iterator[Row]:
    """One row for each name that any of the runs counted."""
    tallies = [counts(run) for run in runs]
    for name in sorted({name for found in tallies for name in found}):
        divisor = [run.count if each else 1 for run in runs]
        values = tuple(found.get(name, 0) / by for found, by in zip(tallies, divisor, strict=True))
        yield Row(f"{prefix}{name}", values, digits=2 if each else 0)
