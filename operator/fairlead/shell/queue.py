"""The work queue: each key at most once in line and at most once in work, with backoff for what failed.

The semantics are client-go's: a key that is added while it is being worked on is worked on once more afterwards.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable

from fairlead.ports import Clock
from fairlead.shell.keys import Key

FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 60.0


class WorkQueue:
    """Deduplicating, per-key serial, with delays. `jitter` maps a delay to a slightly different one."""

    def __init__(self, clock: Clock, *, jitter: Callable[[float], float]) -> None:
        self._clock = clock
        self._jitter = jitter
        self._line: deque[Key] = deque()
        self._dirty: dict[Key, float] = {}
        self._working: dict[Key, float] = {}
        self._delayed: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._counter = 0
        self._wake = asyncio.Event()

    def add(self, key: Key) -> None:
        """Look at the key as soon as possible."""
        if key in self._dirty:
            return
        self._dirty[key] = self._clock.monotonic()
        if key not in self._working:
            self._line.append(key)
            self._wake.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Look at the key after a while; an earlier appointment stands."""
        due = self._clock.monotonic() + seconds
        if key in self._due and self._due[key] <= due:
            return
        self._due[key] = due
        self._counter += 1
        heapq.heappush(self._delayed, (due, self._counter, key))
        self._wake.set()

    async def get(self) -> Key:
        """The next key; waits for one."""
        while True:
            self._promote()
            if self._line:
                key = self._line.popleft()
                del self._dirty[key]
                self._due.pop(key, None)
                self._working[key] = self._clock.monotonic()
                return key
            self._wake.clear()
            try:
                async with asyncio.timeout(self._until_next()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def done(self, key: Key) -> None:
        """The work on the key has ended, well or not."""
        del self._working[key]
        if key in self._dirty:
            self._line.append(key)
            self._wake.set()

    def succeed(self, key: Key) -> None:
        """Forget the key's failures."""
        self._failures.pop(key, None)

    def fail(self, key: Key) -> float:
        """Try the key again later, each time twice as late up to a bound; the seconds until then."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay = self._jitter(min(LAST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(count, 16)))
        self.add_after(key, delay)
        return delay

    @property
    def depth(self) -> int:
        """Keys in line."""
        return len(self._dirty)

    def oldest_seconds(self) -> float:
        """How long the longest-waiting key has been in line, or in work; 0 when there is none."""
        now = self._clock.monotonic()
        return max((now - since for since in (*self._dirty.values(), *self._working.values())), default=0.0)

    def _promote(self) -> None:
        now = self._clock.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)

    def _until_next(self) -> float | None:
        return max(0.0, self._delayed[0][0] - self._clock.monotonic()) if self._delayed else None
