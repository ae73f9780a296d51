"""How soon a weight that is written is served, and whether it is kept: `python -m tests.bench.gateway.switching`.

A real API server, the real renderer and Envoy; writes its part of docs/measurements/gateway.md.
"""

import argparse
import http.client
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.__main__ import circumstances
from tests.bench.gateway.plane import FIRST_PORT, Plane, own_address, plane, revision, traffic
from tests.bench.gateway.process import backend, gateway, url
from tests.bench.page import with_part
from tests.cluster.masters import free_ports
from tests.load import BackgroundLoad, LoadPlan, LoadReport, binomial_band

PAGE = Path(__file__).resolve().parents[3] / "docs" / "measurements" / "gateway.md"
HEADER = "x-fairlead-revision"
GOAL_P99_MS = 100.0
RATE = 200.0
SPLIT_RATE = 500.0
WEIGHTS = (1, 5, 50, 95)
PATIENCE_SECONDS = 10.0
NAME = "model-000"
LOAD_BEFORE = "/".join(f"{load:.1f}" for load in os.getloadavg())

Write = Callable[[int], None]
"""Give the canary so many percent; returns when the API server has taken it."""


@dataclass(frozen=True)
class Switches:
    """Milliseconds from the API server's word until the first request that was answered accordingly."""

    milliseconds: tuple[float, ...]
    load: LoadReport

    def rank(self, share: float) -> float:
        """The nearest-rank percentile."""
        ordered = sorted(self.milliseconds)
        return ordered[max(0, round(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Split:
    """How many of the requests went to the canary, and how many may have."""

    percent: int
    total: int
    canary: int
    failed: int

    @property
    def band(self) -> tuple[int, int]:
        """99.9 % of all honest splits lie in it."""
        return binomial_band(self.total, self.percent / 100)

    @property
    def honest(self) -> bool:
        """Whether this one does, with no request failed."""
        least, most = self.band
        return self.failed == 0 and least <= self.canary <= most


def measure_switches(address: str, write: Write, canary: str, changes: int) -> Switches:
    """Give everything to the canary and back, again and again, under load. Raises TimeoutError."""
    took = []
    load = BackgroundLoad(LoadPlan(address, rate=RATE, seconds=changes * PATIENCE_SECONDS, keepalive_connections=16))
    try:
        with _asking(address) as ask:
            for number in range(changes):
                to_canary = number % 2 == 0
                write(100 if to_canary else 0)
                written = time.monotonic()
                while (ask() == canary) != to_canary:
                    if time.monotonic() - written > PATIENCE_SECONDS:
                        raise TimeoutError(f"change {number}: not served within {PATIENCE_SECONDS} s")
                took.append((time.monotonic() - written) * 1000)
        return Switches(tuple(took), load.report())
    finally:
        load.close()


def measure_split(address: str, canary: str, percent: int, requests: int) -> Split:
    """Send so many requests, and count who answered; the weight is served already."""
    plan = LoadPlan(
        address,
        rate=SPLIT_RATE,
        seconds=requests / SPLIT_RATE,
        keepalive_connections=16,
        count_header=HEADER,
    )
    load = BackgroundLoad(plan)
    try:
        report = load.finish()
    finally:
        load.close()
    return Split(percent, report.sent, report.answers_by_header.get(canary, 0), report.failed)


@contextmanager
def _asking(address: str) -> Iterator[Callable[[], str]]:
    """One user with one connection, who asks again as soon as there is an answer: who answered."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)

    def ask() -> str:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        return answer.headers[HEADER] or ""

    try:
        yield ask
    finally:
        connection.close()


def table(switches: Switches, splits: Sequence[Split]) -> str:
    """Both tables, the goals first."""
    load = switches.load
    lines = [
        "| weight changes | p50, ms | p99, ms | longest, ms | goal, p99 | requests meanwhile | failed |",
        "| ---: |" + " ---: |" * 6,
        f"| {len(switches.milliseconds)} | {switches.rank(0.5):.1f} | {switches.rank(0.99):.1f} "
        f"| {switches.rank(1):.1f} | {GOAL_P99_MS:.0f} | {load.sent:,} | {load.failed} |",
        "",
        "| weight of the canary | requests | to the canary | 99.9 % band | failed |",
        "| ---: |" + " ---: |" * 4,
    ]
    for split in splits:
        least, most = split.band
        lines.append(
            f"| {split.percent} % | {split.total:,} | {split.canary:,}{'' if split.honest else ' (outside)'} "
            f"| {least:,} to {most:,} | {split.failed} |"
        )
    return "\n".join(lines) + "\n"


_TEXT = """\
`python -m tests.bench.gateway.switching`, {circumstances} Load average before it ran: {load}.

{tables}
A change gives all requests to the canary, or takes them all back; its time runs from the API server's answer to the
write until a user who asks without a pause is first answered by the other revision. {rate:.0f} requests/s meanwhile.
"""


def _canary_writer(found: Plane) -> Write:
    generation = iter(range(2, 1_000_000))

    def write(percent: int) -> None:
        weights = traffic(NAME, FIRST_PORT, canary_percent=50, generation=next(generation))
        weights["arms"][0]["weight"], weights["arms"][1]["weight"] = 100 - percent, percent
        found.write_traffic(NAME, weights)

    return write


def main(arguments: Sequence[str]) -> int:
    """Measure, write the page, say whether the goals are met. Raises OSError when another gateway runs here."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gateway.switching")
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--requests", type=int, default=10_000)
    given = parser.parse_args(arguments)
    # Envoy shares a port with any other Envoy of this machine, and each gets half of the requests.
    socket.create_server(("0.0.0.0", FIRST_PORT)).close()
    with ExitStack() as stack:
        found = stack.enter_context(plane())
        stable, canary = free_ports(2)
        for port in (stable, canary):
            stack.enter_context(backend(port))
        found.model_deployment(NAME)
        for role, port in (("stable", stable), ("canary", canary)):
            found.endpoints(revision(NAME, role), [own_address()], port)
        stack.enter_context(gateway(found))
        write, name = _canary_writer(found), revision(NAME, "canary")
        write(100)
        _until_served(url(), name)
        switches = measure_switches(url(), write, name, given.changes)
        splits = []
        for percent in WEIGHTS:
            write(percent)
            time.sleep(1)
            splits.append(measure_split(url(), name, percent, given.requests))
    tables = table(switches, splits)
    text = _TEXT.format(circumstances=circumstances(), load=LOAD_BEFORE, tables=tables, rate=RATE)
    PAGE.write_text(with_part(PAGE.read_text(), "switching", text))
    print(tables)
    return (
        0 if switches.rank(0.99) <= GOAL_P99_MS and switches.load.failed == 0 and all(s.honest for s in splits) else 1
    )


def _until_served(address: str, name: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with _asking(address) as ask:
                if ask() == name:
                    return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"{address}: not served by {name} within {PATIENCE_SECONDS} s")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
