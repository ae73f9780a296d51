"""Progress for people: one line per step with its seconds, and a sign of life while a long one runs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HEARTBEAT_SECONDS = 12.0
LAST_LINES = 25


class ClusterError(RuntimeError):
    """A part of the local cluster failed; the message names it, its log and what to do."""


def say(text: str) -> None:
    """One line to standard error, so that standard output stays usable by scripts."""
    print(f"[cluster] {text}", file=sys.stderr, flush=True)


MOST_PATIENCE = 4.0


def patience() -> float:
    """How many times longer than on an idle machine a wait may take: the load of each processor, from 1 to 4."""
    return min(MOST_PATIENCE, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def pause(seconds: float) -> None:
    """Sleep; the only place of the harness that does."""
    threading.Event().wait(seconds)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Print `title` with the seconds it took; a heartbeat line while it lasts."""
    started = time.monotonic()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            say(f"... {title}: {time.monotonic() - started:.0f} s so far")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        say(f"FAILED {title} after {time.monotonic() - started:.1f} s")
        raise
    finally:
        done.set()
        thread.join()
    say(f"{title}: {time.monotonic() - started:.1f} s")


def wait_until(what: str, check: Callable[[], str | None], timeout_seconds: float, hint: Callable[[], str]) -> None:
    """Call `check` until it returns None (ready); its string says what is still missing.

    Raises ClusterError with that string and `hint()` (a log's last lines, say) after `timeout_seconds`.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        missing = check()
        if missing is None:
            return
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not ready after {timeout_seconds:.0f} s: {missing}\n{hint()}")
        pause(0.1)


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    """The end of a log for an error message, with the log's path; long lines are cut."""
    if not log.exists():
        return f"({log} does not exist)"
    lines = log.read_text(errors="replace").splitlines()[-count:]
    return "\n".join([f"last lines of {log}:", *(f"  {line[:400]}" for line in lines)])


def run(
    args: Sequence[str | Path],
    *,
    what: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    stdin: str | None = None,
) -> str:
    """Run a command to its end and return its standard output; with `log`, both streams go there instead.

    Raises ClusterError naming `what`, the command, its exit code and the last lines it printed.
    """
    if log is None:
        done = subprocess.run(args, env=env, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-LAST_LINES:])
    else:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as sink:
            done = subprocess.run(
                args, env=env, cwd=cwd, input=stdin, stdout=sink, stderr=subprocess.STDOUT, text=True, check=False
            )
        tail = last_lines(log) if done.returncode else ""
    if done.returncode:
        command = " ".join(str(arg) for arg in args)
        raise ClusterError(f"{what} failed with exit code {done.returncode}: {command[:600]}\n{tail}")
    return done.stdout or ""
