"""Runs the test tiers one after the other and says at the end what each took: `python -m tests.tiers lint unit ...`.

The cluster's programs are compiled in the background while the light tiers run; a tier that needs them waits for them.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PY = sys.executable
_BIN = Path(_PY).parent
_ROOT = Path(__file__).resolve().parent.parent
_COUNT = re.compile(r"(\d+) (passed|failed|error|errors)\b")


@dataclass(frozen=True)
class Tier:
    """Commands in order; `builds` names the set of programs that they need."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    builds: str = ""


def _pytest(*paths: str) -> tuple[str, ...]:
    return (_PY, "-m", "pytest", "-q", "--durations=5", *paths)


TIERS = {
    tier.name: tier
    for tier in (
        Tier(
            "lint",
            (
                (str(_BIN / "ruff"), "format", "--check", "--quiet", "."),
                (str(_BIN / "ruff"), "check", "--quiet", "."),
                (_PY, "-m", "mypy"),
                (str(_BIN / "lint-imports"), "--no-cache"),
                (_PY, "-m", "fairlead.cli.generate", "--check"),
            ),
        ),
        Tier("unit", (_pytest("-n", "2", "-m", "not process", "tests/unit", "tests/property"),)),
        Tier("processes", (_pytest("-m", "process", "tests/unit", "tests/gateway"),)),
        # Most of it is waiting: two workers, each with a control plane of its own, take half the time.
        Tier("apiserver", (_pytest("-n", "2", "--dist", "loadfile", "tests/apiserver"),), builds="apiserver"),
        Tier("monitoring", (_pytest("tests/monitoring"),), builds="all"),
        # Those that leave each other alone wait most of the time, for evidence and for pods: three at a time.
        Tier(
            "e2e",
            (
                _pytest("-m", "together", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "tests/e2e"),
                _pytest("-m", "not together", "tests/e2e"),
            ),
            builds="all",
        ),
        Tier(
            "slow",
            ((*_pytest("tests/property"), "--hypothesis-profile=thorough"), (_PY, "-m", "tests.soak")),
            builds="all",
        ),
    )
}


@dataclass
class Outcome:
    """What became of a tier."""

    name: str
    seconds: float
    ok: bool
    passed: int = 0
    failed: int = 0


@dataclass
class Builds:
    """The background compilation; one set of programs after the other."""

    wanted: Sequence[str]
    done: dict[str, threading.Event] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def start(self) -> None:
        """Compile in the background."""
        self.done = {name: threading.Event() for name in self.wanted}
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        for name in self.wanted:
            command = [_PY, "-m", "tests.cluster", "build", name]
            if subprocess.run(command, cwd=_ROOT, check=False).returncode != 0:
                self.failed.add(name)
            self.done[name].set()

    def wait(self, name: str) -> bool:
        """Until the set is there; False when it could not be built."""
        self.done[name].wait()
        return name not in self.failed


def _passed_on(output: int) -> bytes:
    """All that comes out of a file descriptor, shown as it comes: a dot is a test, and a line of them takes minutes."""
    told = bytearray()
    while piece := os.read(output, 65536):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        told += piece
    return bytes(told)


def _run(command: Sequence[str], outcome: Outcome) -> None:
    """One command, its output passed through, its pytest counts added up."""
    print(
        f"[{outcome.name}] {' '.join(Path(part).name if part.startswith('/') else part for part in command)}",
        flush=True,
    )
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = _passed_on(process.stdout.fileno()).decode(errors="replace").splitlines()
    last = next((line for line in reversed(told) if _COUNT.search(line)), "")
    outcome.ok = outcome.ok and process.returncode == 0
    for number, word in _COUNT.findall(last):
        if word == "passed":
            outcome.passed += int(number)
        else:
            outcome.failed += int(number)


def _run_tier(tier: Tier, builds: Builds) -> Outcome:
    started = time.monotonic()
    outcome = Outcome(tier.name, 0.0, ok=True)
    if tier.builds and not builds.wait(tier.builds):
        print(f"[{tier.name}] the programs of the cluster could not be built; see above", flush=True)
        outcome.ok = False
    else:
        for command in tier.commands:
            _run(command, outcome)
    outcome.seconds = time.monotonic() - started
    return outcome


def main(names: Sequence[str]) -> int:
    """Run the tiers; 1 when any of them failed."""
    unknown = [name for name in names if name not in TIERS]
    if unknown or not names:
        print(f"expected some of {', '.join(TIERS)}; got {' '.join(names) or 'nothing'}", file=sys.stderr)
        return 2
    tiers = [TIERS[name] for name in names]
    builds = Builds(list(dict.fromkeys(tier.builds for tier in tiers if tier.builds)))
    builds.start()
    outcomes = [_run_tier(tier, builds) for tier in tiers]
    print("\ntier        minutes  result")
    for item in outcomes:
        counts = f"{item.passed} passed, {item.failed} failed" if item.passed or item.failed else ""
        print(f"{item.name:<11} {item.seconds / 60:7.1f}  {'ok' if item.ok else 'FAILED'}  {counts}")
    failed = sum(item.failed for item in outcomes)
    failed += sum(1 for item in outcomes if not item.ok and not item.failed)
    print(f"\n{sum(item.passed for item in outcomes)} passed, {failed} failed", flush=True)
    return 0 if all(item.ok for item in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
