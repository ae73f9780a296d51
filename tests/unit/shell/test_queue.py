"""The work queue: each key once in line, once in work, and back later when it failed."""

import asyncio

import pytest
from tests.unit.shell.in_memory import MD, TJ, FakeClock

from fairlead.shell.keys import Key
from fairlead.shell.queue import FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS, WorkQueue


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> WorkQueue:
    return WorkQueue(clock, jitter=lambda seconds: seconds)


async def taken(queue: WorkQueue) -> Key | None:
    """The next key, or None when there is none now."""
    task = asyncio.ensure_future(queue.get())
    for _ in range(5):
        await asyncio.sleep(0)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


async def test_keys_come_in_the_order_in_which_they_were_added(queue: WorkQueue) -> None:
    queue.add(MD)
    queue.add(TJ)
    assert [await taken(queue), await taken(queue), await taken(queue)] == [MD, TJ, None]


async def test_a_key_stands_in_line_once(queue: WorkQueue) -> None:
    queue.add(MD)
    queue.add(MD)
    assert queue.depth == 1
    assert [await taken(queue), await taken(queue)] == [MD, None]


async def test_a_key_is_never_worked_on_twice_at_a_time_and_once_more_afterwards(queue: WorkQueue) -> None:
    queue.add(MD)
    await taken(queue)
    queue.add(MD)
    queue.add(MD)
    assert await taken(queue) is None
    queue.done(MD)
    assert [await taken(queue), await taken(queue)] == [MD, None]


async def test_a_key_that_nobody_added_again_is_done(queue: WorkQueue) -> None:
    queue.add(MD)
    await taken(queue)
    queue.done(MD)
    assert await taken(queue) is None
    assert queue.depth == 0


async def test_a_waiting_worker_wakes_up(queue: WorkQueue) -> None:
    workers = [asyncio.ensure_future(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add(MD)
    queue.add(TJ)
    assert set(await asyncio.wait_for(asyncio.gather(*workers), timeout=5)) == {MD, TJ}


async def test_a_delayed_key_comes_when_its_time_has_come(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add_after(MD, 5)
    clock.advance(4.9)
    assert await taken(queue) is None
    clock.advance(0.2)
    assert await taken(queue) == MD


class RealClock(FakeClock):
    """The event loop's own time."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


async def test_a_waiting_worker_hears_of_a_new_appointment() -> None:
    queue = WorkQueue(RealClock(), jitter=lambda seconds: seconds)
    worker = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.add_after(MD, 0.01)
    assert await asyncio.wait_for(worker, timeout=5) == MD


async def test_a_sleeping_worker_is_woken_by_time_alone() -> None:
    queue = WorkQueue(RealClock(), jitter=lambda seconds: seconds)
    queue.add_after(MD, 0.01)
    assert await asyncio.wait_for(queue.get(), timeout=5) == MD


async def test_the_earlier_of_two_appointments_stands(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add_after(MD, 5)
    queue.add_after(MD, 9)
    clock.advance(6)
    assert await taken(queue) == MD
    queue.done(MD)
    clock.advance(6)
    assert await taken(queue) is None


async def test_a_later_appointment_can_be_moved_forward(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add_after(MD, 60)
    queue.add_after(MD, 1)
    clock.advance(2)
    assert await taken(queue) == MD
    queue.done(MD)
    clock.advance(100)
    assert await taken(queue) is None, "one look fulfils both"


async def test_a_look_at_a_key_cancels_its_appointment(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add_after(MD, 5)
    queue.add(MD)
    assert await taken(queue) == MD
    queue.done(MD)
    clock.advance(10)
    assert await taken(queue) is None


async def test_a_failing_key_comes_back_twice_as_late_each_time_up_to_a_bound(queue: WorkQueue) -> None:
    delays = [queue.fail(MD) for _ in range(40)]
    assert delays[:4] == [FIRST_BACKOFF_SECONDS * factor for factor in (1, 2, 4, 8)]
    assert delays[-1] == max(delays) == LAST_BACKOFF_SECONDS
    assert delays == sorted(delays)


async def test_a_failing_key_is_taken_again_after_its_delay(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add(MD)
    await taken(queue)
    delay = queue.fail(MD)
    queue.done(MD)
    assert await taken(queue) is None
    clock.advance(delay)
    assert await taken(queue) == MD


async def test_success_forgets_the_failures_of_that_key_alone(queue: WorkQueue) -> None:
    for key in (MD, TJ):
        queue.fail(key)
        queue.fail(key)
    queue.succeed(MD)
    queue.succeed(MD)
    assert queue.fail(MD) == FIRST_BACKOFF_SECONDS
    assert queue.fail(TJ) == FIRST_BACKOFF_SECONDS * 4


async def test_delays_are_spread(clock: FakeClock) -> None:
    queue = WorkQueue(clock, jitter=lambda seconds: seconds * 1.2)
    assert queue.fail(MD) == FIRST_BACKOFF_SECONDS * 1.2


async def test_the_age_of_the_oldest_key_counts_waiting_and_working(queue: WorkQueue, clock: FakeClock) -> None:
    assert queue.oldest_seconds() == 0
    queue.add(MD)
    clock.advance(3)
    queue.add(TJ)
    clock.advance(2)
    assert queue.oldest_seconds() == 5
    await taken(queue)
    clock.advance(1)
    assert queue.oldest_seconds() == 3, "the younger key has waited for 3 s, the older one is in work for 1 s"
    await taken(queue)
    clock.advance(10)
    assert queue.oldest_seconds() == 11
    queue.done(MD)
    queue.done(TJ)
    assert queue.oldest_seconds() == 0


async def test_a_key_with_an_appointment_is_not_old(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add_after(MD, 1000)
    clock.advance(500)
    assert (queue.oldest_seconds(), queue.depth) == (0, 0)
