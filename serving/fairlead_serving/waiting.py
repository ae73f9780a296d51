"""The line in front of the model: bounded, and nobody waits in it past the deadline."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from math import ceil
from time import perf_counter
from typing import TypeVar

from fairlead_serving.errors import DeadlineExceeded, Overloaded

_Answer = TypeVar("_Answer")

_SMOOTHING = 0.1
_LONGEST_RETRY_SECONDS = 60


class WaitingLine:
    """Work for one thread at a time, in the order of its arrival."""

    def __init__(self, threads: Executor, *, limit: int) -> None:
        self._threads = threads
        self._limit = limit
        self._usual_seconds = 0.0
        self.in_flight = 0
        """Requests that wait for the model or keep it busy; one that was given up stays here until it ends."""

    async def run(self, work: Callable[[], _Answer], deadline: float) -> _Answer:
        """Do the work in the thread. Raises Overloaded when too many wait, DeadlineExceeded at deadline, a loop's time.

        A call that has begun cannot be ended: it goes on, and those behind it wait, each until its own deadline.
        """
        if self.in_flight > self._limit:
            raise Overloaded(self.in_flight - 1, self._retry_after_seconds())
        loop = asyncio.get_running_loop()
        self.in_flight += 1
        future: Future[tuple[_Answer, float]] = self._threads.submit(_timed, work)
        future.add_done_callback(lambda _: self._leave(loop))
        try:
            async with asyncio.timeout_at(deadline):
                answer, seconds = await asyncio.wrap_future(future)
        except TimeoutError:
            raise DeadlineExceeded from None
        self._usual_seconds += _SMOOTHING * (seconds - self._usual_seconds)
        return answer

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # a call that ends after the server has nobody to tell
            loop.call_soon_threadsafe(self._left)

    def _left(self) -> None:
        self.in_flight -= 1

    def _retry_after_seconds(self) -> int:
        """When the line should be shorter by half, by what calls have taken of late."""
        return min(max(1, ceil(self._usual_seconds * self.in_flight / 2)), _LONGEST_RETRY_SECONDS)


def _timed(work: Callable[[], _Answer]) -> tuple[_Answer, float]:
    started = perf_counter()
    return work(), perf_counter() - started
