"""Lines for the person who watches: each part with its seconds, a sign of life at least every 5 s."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

HEARTBEAT_SECONDS = 5.0
POLL_SECONDS = 0.5


class DemoError(RuntimeError):
    """A part of the demo failed. The text names what was expected, what came, and where to look."""


class Progress:
    """Prints to standard error and remembers how long each part took."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._last_line = self._started
        self._lock = threading.Lock()
        self.seconds: dict[str, float] = {}
        self.current = ""

    @property
    def elapsed_seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._started

    def say(self, line: str) -> None:
        """One line, with the seconds since the start."""
        with self._lock:
            self._last_line = time.monotonic()
            print(f"[demo {self.elapsed_seconds:6.1f} s] {line}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def part(self, title: str) -> Iterator[None]:
        """One part: announced, timed, and kept alive with a line while nothing else is said."""
        self.current = title
        self.say(f"{title} ...")
        started = time.monotonic()
        done = threading.Event()

        def beat() -> None:
            while not done.wait(1.0):
                if time.monotonic() - self._last_line >= HEARTBEAT_SECONDS:
                    self.say(f"  ... {title}: {time.monotonic() - started:.0f} s so far")

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.seconds[title] = time.monotonic() - started
            done.set()
            thread.join()
        self.say(f"{title}: done in {self.seconds[title]:.1f} s")

    def wait_for(self, what: str, look: Callable[[], tuple[bool, str]], timeout_seconds: float) -> None:
        """Call `look` until it says True; its text is printed whenever it changes.

        Raises DemoError with the last text after `timeout_seconds`; `look` may raise DemoError when waiting is in vain.
        """
        deadline = time.monotonic() + timeout_seconds
        told = ""
        while True:
            done, state = look()
            if state != told:
                told = state
                self.say(f"  {what}: {state}")
            if done:
                return
            if time.monotonic() > deadline:
                raise DemoError(f"{what}: expected it within {timeout_seconds:.0f} s, got: {state}")
            threading.Event().wait(POLL_SECONDS)
