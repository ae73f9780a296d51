"""Load from a process of its own, so that the test's own work cannot delay it."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tests.load.plan import SENDING, LoadPlan
from tests.load.report import LoadReport

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
SPARE_SECONDS = 15.0


class LoadProcessError(RuntimeError):
    """The process that sends did not do its part; the text says which."""


class BackgroundLoad:
    """A run that goes on while the test does something else.

    tell: gets each line that the process would print on standard error, in a thread of its own.
    """

    def __init__(self, plan: LoadPlan, tell: Callable[[str], None] | None = None) -> None:
        self.plan = plan
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._report: LoadReport | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.load.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if tell else None,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        self._input, output = _pipes(self._process)
        self._reader = threading.Thread(target=self._read, args=(output,), daemon=True)
        self._reader.start()
        self._teller: threading.Thread | None = None
        if tell is not None and self._process.stderr is not None:
            self._teller = threading.Thread(target=_tell_on, args=(self._process.stderr, tell), daemon=True)
            self._teller.start()
        self._input.write(plan.to_json() + "\n")
        self._input.flush()
        if (line := self._next_line(START_SECONDS)) != SENDING:
            self.close()
            raise LoadProcessError(f"load process: expected it to start sending within {START_SECONDS} s, got {line!r}")

    @property
    def is_running(self) -> bool:
        """Whether requests still fall due or are in flight."""
        return self._process.poll() is None

    def report(self) -> LoadReport:
        """Stop sending, await the requests in flight, and return the counts.

        Raises LoadProcessError when the plan had already run out: what the test did was then not under load throughout.
        """
        if self._report is None:
            if not self.is_running:
                raise LoadProcessError(
                    f"load process: the plan's {self.plan.seconds} s ran out before the report was asked for; "
                    "give it more seconds, or call finish()"
                )
            self._input.close()
            self._report = self._result(self.plan.timeout_seconds + SPARE_SECONDS)
        return self._report

    def finish(self) -> LoadReport:
        """Wait until the whole plan is sent and answered, and return the counts."""
        if self._report is None:
            self._report = self._result(self.plan.seconds + self.plan.timeout_seconds + SPARE_SECONDS)
        return self._report

    def close(self) -> None:
        """End the process and free its pipes; the counts are lost unless they were asked for."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        if self._teller is not None:
            self._teller.join()
        with contextlib.suppress(BrokenPipeError):
            self._input.close()

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._lines.put(line.strip())
        self._lines.put(None)

    def _next_line(self, seconds: float) -> str | None:
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None

    def _result(self, seconds: float) -> LoadReport:
        line = self._next_line(seconds)
        if line is None:
            raise LoadProcessError(
                f"load process: expected a report within {seconds:.0f} s, got none (exit code {self._process.poll()}); "
                "its last words are on stderr"
            )
        return LoadReport.from_json(line)


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise LoadProcessError("load process: expected pipes to it, got none")
    return process.stdin, process.stdout


def _tell_on(errors: IO[str], tell: Callable[[str], None]) -> None:
    with errors:
        for line in errors:
            tell(line.strip())


@contextlib.contextmanager
def background_load(plan: LoadPlan, tell: Callable[[str], None] | None = None) -> Iterator[BackgroundLoad]:
    """Run the plan beside the block; sending has begun when the block starts and has ended when it is left."""
    load = BackgroundLoad(plan, tell)
    try:
        yield load
    finally:
        load.close()


def run_load(plan: LoadPlan) -> LoadReport:
    """Run the whole plan in a process of its own and return the counts."""
    with background_load(plan) as load:
        return load.finish()
