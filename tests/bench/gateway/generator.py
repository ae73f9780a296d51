"""Load by wrk, which is written in C and measures to the microsecond."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import debs

SCRIPT = Path(__file__).parent / "wrk.lua"
CORE = 1
PACKAGE = "wrk"


@dataclass(frozen=True)
class Round:
    """One run of wrk: all answers, those that were no 2xx or 3xx or did not come, and milliseconds per answer."""

    requests_per_second: float
    failed: int
    p50_ms: float
    p90_ms: float
    p99_ms: float


def parse_round(output: str) -> Round:
    """From what the script printed last. Raises ValueError when that is not its line."""
    try:
        found = json.loads(output.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise ValueError(f"wrk: expected a line of JSON at its end, got {output[-500:]!r}") from None
    return Round(
        requests_per_second=found["requests"] / (found["microseconds"] / 1e6),
        failed=found["failed"],
        p50_ms=found["p50"] / 1000,
        p90_ms=found["p90"] / 1000,
        p99_ms=found["p99"] / 1000,
    )


def load(url: str, *, seconds: int, connections: int, think_ms: int = 0) -> Round:
    """Ask from core 1 over this many connections, each again at once or after a random time around `think_ms`."""
    debs.ensure([PACKAGE])
    command = ["taskset", "-c", str(CORE), "wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s"]
    command += ["--latency", "-s", str(SCRIPT), url]
    env = {**os.environ, "THINK_MS": str(think_ms)}
    return parse_round(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)
