"""`python -m tests.bench.evidence [--jobs 2] [--seed 1]` writes the tables and the pictures."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.evidence import pictures, report
from tests.bench.evidence.measure import (
    BadResult,
    FalseResult,
    measure_bad,
    measure_cost,
    measure_false,
    measure_resume,
)
from tests.bench.evidence.rows import BAD_ROWS, FALSE_ROWS, RESUME_GOAL_SECONDS, BadRow, FalseRow, drawn_rows

ROOT = Path(__file__).resolve().parents[3]
TABLE = ROOT / "docs" / "measurements" / "evidence.md"
PICTURES = ROOT / "docs" / "pictures"
JUDGED = (
    "operator/fairlead/core/evidence",
    "operator/fairlead/core/rollout/checks.py",
    "operator/fairlead/core/rollout/decide.py",
)

_PAGE = """\
# The evidence, measured

`make bench-evidence` writes this page: {seed_line}. Each rollout is looked at once a second by the twin of the
operator's decision function; `tests/property/core/test_evidence_twin.py` holds the twin to the function. [How it works,
and why](../evidence.md). Load average while it ran: {load}; it took {minutes:.1f} min with {jobs} process(es).

## Goals that were missed

{missed}

## Good versions

Stable and candidate fail {good} of their requests unless the row says otherwise; the canary has 10 % of 6,000
requests/min. The bound is the upper 95 % bound (Clopper and Pearson, one-sided). The last columns are the same streams
(200 of each) under other rules, each looking once a minute and leaving the weight alone: Flagger (99 % success,
threshold 5), Argo Rollouts (the same condition, failureLimit 0, its default, and 3), and a fixed-sample test of two
proportions at 1 %, looked at every minute.

{false}
## Bad versions

Seconds of data after the version turned bad, median / 95 %; "-": not within the time looked at. The sure process works
alone unless the row says "hard fail on". In the rows "after ... min" the moment is drawn from five minutes. Failed
attempts are those of the candidate until it was out; with failover their users were answered by stable. The others'
columns are medians over the rollouts in which they had not yet given up the version while it was still good; they look
once a minute, at 0 s, 60 s, ...

{bad}
A version braked by one episode of 3 s resumes after {resumed} s (median / 95 %; goal: {resume_goal:.0f} s).

One decision costs {cost:.0f} microseconds of processor time, the best of five measurements on a machine that had other
work: 1,000 rollouts judged once a second take {cost_percent:.1f} % of a core (goal: 10 %).

## Scenarios that nobody tuned for

Seeds and scenarios are drawn from the hash of the last commit that touched the judging code, `{commit}`.

{drawn}"""


def _last_commit() -> str:
    command = ["git", "log", "-1", "--format=%H", "--", *JUDGED]
    return subprocess.check_output(command, cwd=ROOT, text=True).strip()


def _work(job: Callable[[], FalseResult | BadResult]) -> FalseResult | BadResult:
    return job()


def _measure(rows: Sequence[FalseRow | BadRow], seed: int, jobs: int) -> list[FalseResult | BadResult]:
    tasks: list[Callable[[], FalseResult | BadResult]] = [
        partial(measure_false, row, seed) if isinstance(row, FalseRow) else partial(measure_bad, row, seed)
        for row in rows
    ]
    results = []
    with ProcessPoolExecutor(jobs) as pool:
        for result in pool.map(_work, tasks):
            print(f"[evidence] {report.summary(result)}", flush=True)
            results.append(result)
    return results


@dataclass(frozen=True)
class Findings:
    """Everything that goes on the page."""

    false: list[FalseResult]
    bad: list[BadResult]
    drawn: list[FalseResult]
    resumed: BadResult
    cost_microseconds: float
    commit: str


def write(found: Findings, *, seed: int, jobs: int, minutes: float) -> None:
    """Writes the page and the pictures."""
    cost_percent = found.cost_microseconds / 10
    missed = list(report.missed_goals([*found.false, *found.drawn], found.bad, found.resumed, cost_percent))
    TABLE.write_text(
        _PAGE.format(
            seed_line=f"seed {seed}",
            load="/".join(f"{load:.1f}" for load in os.getloadavg()),
            minutes=minutes,
            jobs=jobs,
            missed="\n".join(f"* {line}" for line in missed) or "None.",
            good="0.5 %",
            false=report.false_table(found.false),
            bad=report.bad_table(found.bad),
            resumed=" / ".join(f"{seconds:.0f}" for seconds in found.resumed.resumed),
            resume_goal=RESUME_GOAL_SECONDS,
            cost=found.cost_microseconds,
            cost_percent=cost_percent,
            commit=found.commit[:12],
            drawn=report.false_table(found.drawn),
        )
    )
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "evidence-one-version.svg").write_text(pictures.evidence_of_one_version(0.2, 4))
    (PICTURES / "evidence-times.svg").write_text(pictures.times_to_stop(seed))
    (PICTURES / "evidence-false.svg").write_text(pictures.false_roll_backs(found.false))


def main() -> int:
    """Writes docs/measurements/evidence.md and docs/pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began, commit = time.monotonic(), _last_commit()
    cost = measure_cost()
    everything: list[FalseRow | BadRow] = [*FALSE_ROWS, *BAD_ROWS, *drawn_rows(int(commit[:8], 16))]
    results = _measure(everything, given.seed, given.jobs)
    found = Findings(
        false=[one for one in results[: len(FALSE_ROWS)] if isinstance(one, FalseResult)],
        bad=[one for one in results if isinstance(one, BadResult)],
        drawn=[one for one in results[len(FALSE_ROWS) :] if isinstance(one, FalseResult)],
        resumed=measure_resume(given.seed),
        cost_microseconds=cost,
        commit=commit,
    )
    write(found, seed=given.seed, jobs=given.jobs, minutes=(time.monotonic() - began) / 60)
    print(report.last_line([*found.false, *found.drawn], found.bad), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
