"""For the person who watches: each part with its seconds, a sign of life every 5 s, a picture on a terminal."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group
from rich.live import Live

from fairlead.api.resource import InvalidResource, parse_model_deployment
from fairlead.cli.plugin.bars import BLOCKS, PLAIN
from tests.demo.view import Scene, draw

HEARTBEAT_SECONDS = 5.0
POLL_SECONDS = 0.5
REDRAWS_PER_SECOND = 4


class DemoError(RuntimeError):
    """A part of the demo failed. The text names what was expected, what came, and where to look."""


class Progress:
    """Prints to standard error and remembers how long each part took. On a terminal it also draws, see `live`."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._glyphs = BLOCKS if (self._console.encoding or "").startswith("utf") else PLAIN
        self._live = False
        self._scene = Scene()
        self._part_started = 0.0
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
            text = f"[demo {self.elapsed_seconds:6.1f} s] {line}"
            if self._live:
                self._console.print(text, soft_wrap=True)
            else:
                print(text, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def live(self) -> Iterator[None]:
        """Below the lines a picture, drawn anew while the block runs; nothing of it where no one looks."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self, console=self._console, refresh_per_second=REDRAWS_PER_SECOND, transient=True):
            self._live = True
            try:
                yield
            finally:
                self._live = False

    def __rich__(self) -> Group:
        """The picture of this moment."""
        scene = replace(
            self._scene, current=self.current, seconds=time.monotonic() - self._part_started, parts=dict(self.seconds)
        )
        return Group(*draw(scene, datetime.now(UTC), self._glyphs))

    def show(self, deployment: Mapping[str, Any]) -> None:
        """The ModelDeployment of the picture, as the API server has it; one that is not there yet changes nothing."""
        with contextlib.suppress(InvalidResource, KeyError):
            self._scene = replace(self._scene, deployment=parse_model_deployment(deployment))

    def show_users(self, line: str) -> None:
        """What the load generator has said last."""
        if line.startswith("load: "):
            self._scene = replace(self._scene, users=line.removeprefix("load: "))

    @contextlib.contextmanager
    def part(self, title: str) -> Iterator[None]:
        """One part: announced, timed, and kept alive with a line while nothing else is said."""
        self.current = title
        self.say(f"{title} ...")
        self._part_started = started = time.monotonic()
        done = threading.Event()

        def beat() -> None:
            while not done.wait(1.0):
                if not self._live and time.monotonic() - self._last_line >= HEARTBEAT_SECONDS:
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
                self._scene = replace(self._scene, now=f"{what}: {state}")
                if not self._live:
                    self.say(f"  {what}: {state}")
            if done:
                self._scene = replace(self._scene, now="")
                return
            if time.monotonic() > deadline:
                raise DemoError(f"{what}: expected it within {timeout_seconds:.0f} s, got: {state}")
            threading.Event().wait(POLL_SECONDS)
