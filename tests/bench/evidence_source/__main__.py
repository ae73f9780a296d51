"""`python -m tests.bench.evidence_source [--seconds 20]` writes its part of docs/measurements/gateway.md."""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.__main__ import circumstances
from tests.bench.evidence_source import report
from tests.bench.evidence_source.endpoints import evidence
from tests.bench.evidence_source.reader import Reading
from tests.bench.page import with_part
from tests.cluster.masters import free_ports
from tests.cluster.progress import pause

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "measurements" / "gateway.md"
PART = "evidence-source"
SERVING_CORE, READING_CORE = 0, 1
ROWS = ((10, True), (100, True), (200, True), (100, False))
"""Namespaces, and whether each has a rollout under way."""
START_SECONDS = 10.0
TOKEN_CHARACTERS = 1000
"""As long as a projected token."""

_TEXT = """\
`make bench-evidence-source`, {circumstances} Load average before it ran: {load}; each row {seconds:g} s.

Goals that were missed: {missed}

{table}
One ModelDeployment per namespace; the endpoints answer a gateway's text of one rollout ({lines} lines, {size:,} bytes)
from a process on core {serving}, the operator's reader, from the HTTP client to what the reconciles are given, runs on
core {reading}. With a rollout every pod is read once a second, without one every ten seconds.

`{last_line}`
"""


@contextmanager
def _endpoints(port: int) -> Iterator[None]:
    """The serving process."""
    command = [sys.executable, "-m", "tests.bench.evidence_source.endpoints", str(port), str(SERVING_CORE)]
    with subprocess.Popen(command) as process:
        try:
            _wait_until_it_listens(port)
            yield
        finally:
            process.terminate()


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            pause(0.05)
        else:
            return


def _read(namespaces: int, split: bool, seconds: float, port: int, token: Path) -> Reading:
    arguments = [namespaces, "split" if split else "whole", seconds, port, READING_CORE, token]
    command = [sys.executable, "-m", "tests.bench.evidence_source.reader", *map(str, arguments)]
    return Reading(**json.loads(subprocess.check_output(command, text=True)))


def measure(seconds: float) -> list[Reading]:
    """Every row, one after the other."""
    found = []
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as folder:
        token = Path(folder) / "token"
        token.write_text("x" * TOKEN_CHARACTERS)
        (port,) = free_ports(1)
        with _endpoints(port):
            for namespaces, split in ROWS:
                found.append(_read(namespaces, split, seconds, port, token))
                print(f"[evidence-source] {found[-1]}", flush=True)
    return found


def text(readings: Sequence[Reading], *, seconds: float, load: str) -> str:
    """The part of the page."""
    answer = evidence(0)
    return _TEXT.format(
        circumstances=circumstances(),
        load=load,
        seconds=seconds,
        missed=report.missed_goal(readings) or "none.",
        table=report.table(readings),
        lines=answer.count("\n"),
        size=len(answer),
        serving=SERVING_CORE,
        reading=READING_CORE,
        last_line=report.last_line(readings),
    )


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.evidence_source", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page whose part is written")
    given = parser.parse_args(arguments)
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    readings = measure(given.seconds)
    written = text(readings, seconds=given.seconds, load=load)
    given.out.write_text(with_part(given.out.read_text(), PART, written))
    print(written)
    print(report.last_line(readings), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
