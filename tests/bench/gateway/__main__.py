"""`python -m tests.bench.gateway [--rounds 3] [--seconds 5]` writes its part of docs/measurements/gateway.md."""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.__main__ import circumstances
from tests.bench.gateway import report
from tests.bench.gateway.measure import (
    CONNECTIONS,
    FLEETS,
    SETTLE_SECONDS,
    THINK_MS,
    Cost,
    Size,
    measure_cost,
    measure_size,
)
from tests.bench.gateway.shed import SHARES, Shedding, measure_shedding, picture, table
from tests.bench.page import with_part

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "measurements" / "gateway.md"
SHEDDING = ROOT / "docs" / "measurements" / "gateway-shedding.jsonl"
PICTURE = ROOT / "docs" / "pictures" / "gateway-shedding.svg"
LOAD_BEFORE = "/".join(f"{load:.1f}" for load in os.getloadavg())

_TEXT = """\
`make bench-gateway`, {circumstances} Load average before it ran: {load}; it took {minutes:.1f} min.

Goals that were missed: {missed}

{costs}
Backend: uvicorn (its parser in Python) that answers 200 bytes; it and the gateway on core 0, wrk on core 1 with
{connections} connections, in all rows. Latency: each connection asks again after a random time around {think_ms} ms, so
that core 0 is far from its limit; requests/s: each asks again at once. The ways take turns, {rounds} rounds of
{seconds} s each; the figures are the medians of the rounds. At the limit the latency is 64 connections divided by the
requests/s, so it is not shown.

{sizes}
Private memory is RssAnon, the working set VmRSS with the pages of the programs' files, Envoy and renderer together,
{settle:.0f} s after a start with so many ModelDeployments, 20 of which were asked once. Ready: from the start of the
renderer until `/readyz` says yes.

`{last_line}`
"""


def text(costs: Mapping[str, Cost], sizes: Sequence[Size], *, rounds: int, seconds: int, minutes: float) -> str:
    """The part of the page."""
    return _TEXT.format(
        circumstances=circumstances(),
        load=LOAD_BEFORE,
        minutes=minutes,
        missed="; ".join(report.missed_goals(costs, sizes)) or "none.",
        costs=report.cost_table(costs),
        sizes=report.size_table(sizes),
        connections=CONNECTIONS,
        think_ms=THINK_MS,
        rounds=rounds,
        seconds=seconds,
        settle=SETTLE_SECONDS,
        last_line=report.last_line(costs, sizes),
    )


_SHEDDING = """\
`make bench-gateway` again: real Envoy and renderer, no operator; the attempts are what the canary's own pod counted
([each second]({data})). Load average before each run: {load}.

![Attempts on a bad canary over time]({picture})

{table}
Every request to a canary that fails is answered by stable in both rows. One that fails a third of its requests is left
to the operator's statistics; one that fails most of them is left alone without it, and tried again after 5 s, then
after longer and longer pauses.
"""


def draw(page: Path) -> None:
    """The picture and the table, from the runs that were written down."""
    runs = [Shedding.from_json(line) for line in SHEDDING.read_text().splitlines()]
    PICTURE.write_text(picture(runs))
    data, drawn = (os.path.relpath(path, PAGE.parent) for path in (SHEDDING, PICTURE))
    written = _SHEDDING.format(
        data=data, picture=drawn, table=table(runs), load="/".join(f"{run.load_average:.1f}" for run in runs)
    )
    page.write_text(with_part(page.read_text(), "shedding", written))


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gateway", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of one round of one way")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page whose part is written")
    parser.add_argument("--only", choices=("cost", "shedding"), help="leave the other part of the page as it is")
    given = parser.parse_args(arguments)
    if given.only != "cost":
        SHEDDING.write_text("".join(f"{measure_shedding(share).to_json()}\n" for share in SHARES))
        draw(given.out)
    if given.only == "shedding":
        return 0
    began = time.monotonic()
    sizes = [*(measure_size(count) for count in FLEETS), measure_size(report.GOAL_FLEET, canaries=True)]
    costs = measure_cost(given.rounds, given.seconds)
    minutes = (time.monotonic() - began) / 60
    written = text(costs, sizes, rounds=given.rounds, seconds=given.seconds, minutes=minutes)
    given.out.write_text(with_part(given.out.read_text(), "cost", written))
    print(written)
    print(report.last_line(costs, sizes), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
