"""`python -m tests.bench.rollback [--runs 10]` ships bad versions on the cluster, writes docs/measurements/rollback.md.

Each run is kept as a line of docs/measurements/rollback.jsonl.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests import platform
from tests.bench.__main__ import circumstances
from tests.bench.page import with_part
from tests.bench.rollback import report
from tests.bench.rollback.measure import RATE, Case, Run, haul_back, seen_as, serve
from tests.cluster.interface import Cluster
from tests.cluster.interface import cluster as local_cluster
from tests.e2e.world import namespaced
from tests.load import Connections

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "measurements" / "rollback.md"
RUNS = ROOT / "docs" / "measurements" / "rollback.jsonl"
LOAD_BEFORE = "/".join(f"{load:.1f}" for load in os.getloadavg())

TWENTY = Case("fails 20 %, answers after 5 ms", 0.2)
GOALS = (
    TWENTY,
    Case("fails 100 %, answers after 5 ms", 1.0),
    Case("fails 20 %, answers after 200 ms", 0.2, after_ms=200),
    Case("fails 100 %, answers after 200 ms", 1.0, after_ms=200),
)
PEERS = tuple(
    Case(
        f"fails {share:.0%} of 6 pods, {'failover' if failover else 'no failover'}",
        share,
        replicas=6,
        weights=(17, 50),
        connections=Connections.FRESH,
        failover=failover,
    )
    for share in (0.2, 1.0)
    for failover in (True, False)
)
ALONE = tuple(Case(f"fails {share:.0%}, scraped every 15 s", share, scrapes="15s") for share in (0.2, 1.0))
UNSHIELDED = Case("fails 20 %, failover off, to the end", 0.2, failover=False, to_the_end=True)
PARTS = {"goals": GOALS, "peers": PEERS, "alone": ALONE, "unshielded": (UNSHIELDED,)}
"""By the parts of the page."""

_TEXT = """\
`make bench-rollback`, {circumstances} Load average before its last part ran: {load}; all of it takes some 40 min.

Goals that were missed: {missed}

{table}
{rate:.0f} requests/s to one pod of each version, steps `[{{weight: 50}}]`, bad from its first answer, everything else
as by default. The clock starts with the first attempt that fails on the bad version's pods. Braked: the last tenth of a
second in which these pods were asked more than {halfway:.1f} % of the load, halfway from the step's weight to the
probe's. Decided: the phase RolledBack. Failed: what users got that was no good answer, from {before:.0f} s before the
version was asked for until 3 s after the verdict. [Every run]({data}).

`{last_line}`
"""
_PEERS_TEXT = """\
6 replicas, 17 % then 50 %, 200 new connections a second. Argo Rollouts was measured on the same kind of machine with
the same pods and load; its time ends with the abort, and its requests are those until the bad version had no traffic.

{table}
With failover off users see what fails until the brake; the version gets nothing then, and is tried once more after the
cool-down of 5 min. Its rows end with the first brake, or with the roll-back of a version that never answered well.
"""


_ALONE_TEXT = """\
No gateway answers the operator, and Prometheus scrapes every 15 s. Otherwise as above.

{table}"""
_UNSHIELDED_TEXT = """\
Users meet what the version fails, at 50 % of the traffic, until it is braked to nothing; after the cool-down of 5 min
it is tried once more, and the second brake rolls it back and bans it.

{table}"""


def measure(cluster: Cluster, cases: Sequence[Case], runs: int, keep: Path) -> None:
    """Every case so many times; each run is appended to the file as soon as it is known."""
    for case in cases:
        # A run that ends in a brake leaves it there: the next one begins in a namespace of its own.
        at_a_time = 1 if "Braked" in case.ends else runs
        for _ in range(runs // at_a_time):
            with namespaced(cluster) as world:
                watched = serve(world, case)
                with seen_as(case, world):
                    for number in range(at_a_time):
                        run = haul_back(watched, case, number + 2)
                        with keep.open("a") as handle:
                            handle.write(run.to_json() + "\n")
                        print(f"[rollback] {run.to_json()}", flush=True)


def read(runs: Path) -> list[Run]:
    """The runs that were kept."""
    return [Run.from_json(line) for line in runs.read_text().splitlines()]


def draw(page: Path, runs: Sequence[Run]) -> str:
    """Write the page; the last line."""
    line = report.last_line(TWENTY, runs)
    goals = _TEXT.format(
        circumstances=circumstances(), load=LOAD_BEFORE, rate=RATE, before=3,
        missed="; ".join(report.missed_goals((*GOALS, *PEERS), runs)) or "none.",
        table=report.table(GOALS, runs), halfway=TWENTY.halfway_percent, data=RUNS.name, last_line=line,
    )  # fmt: skip
    text = with_part(page.read_text(), "goals", goals)
    text = with_part(text, "alone", _ALONE_TEXT.format(table=report.table(ALONE, runs)))
    text = with_part(text, "unshielded", _UNSHIELDED_TEXT.format(table=report.ends_table([UNSHIELDED], runs)))
    text = with_part(text, "peers", _PEERS_TEXT.format(table=report.peers_table(PEERS, runs)))
    page.write_text(text)
    return line


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rollback", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="of each case")
    parser.add_argument("--peers", type=int, default=3, help="runs beside the peers' figures")
    parser.add_argument("--alone", type=int, default=3, help="runs with Prometheus alone")
    parser.add_argument("--unshielded", type=int, default=1, help="runs past a cool-down, seven minutes each")
    parser.add_argument("--only", choices=PARTS, help="leave the runs of the other parts as they are")
    given = parser.parse_args(arguments)
    chosen = {name: cases for name, cases in PARTS.items() if given.only in (None, name)}
    counts = {"goals": given.runs, "peers": given.peers, "alone": given.alone, "unshielded": given.unshielded}
    cluster = local_cluster()
    platform.install_all(cluster)
    anew = {case.name for cases in chosen.values() for case in cases}
    kept = [run for run in read(RUNS) if run.case not in anew]
    RUNS.write_text("".join(f"{run.to_json()}\n" for run in kept))
    for name, cases in chosen.items():
        measure(cluster, cases, counts[name], RUNS)
    print(draw(PAGE, read(RUNS)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
