import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fairlead_serving.errors import DeadlineExceeded, Overloaded
from fairlead_serving.waiting import WaitingLine


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_work_is_done_and_leaves_the_line(threads: ThreadPoolExecutor) -> None:
    line = WaitingLine(threads, limit=1)
    assert await line.run(lambda: 7, soon(5)) == 7
    await asyncio.sleep(0.01)
    assert line.in_flight == 0


async def test_what_the_work_raises_is_raised(threads: ThreadPoolExecutor) -> None:
    line = WaitingLine(threads, limit=1)
    with pytest.raises(ZeroDivisionError):
        await line.run(lambda: 1 / 0, soon(5))
    await asyncio.sleep(0.01)
    assert line.in_flight == 0


async def test_a_full_line_refuses_and_one_that_gave_up_is_never_begun(threads: ThreadPoolExecutor) -> None:
    line = WaitingLine(threads, limit=1)
    release, begun = threading.Event(), []
    first = asyncio.create_task(line.run(lambda: release.wait(10), soon(10)))
    await asyncio.sleep(0)
    second = asyncio.create_task(line.run(lambda: begun.append(2), soon(0.05)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="1 requests wait already") as caught:
        await line.run(lambda: begun.append(3), soon(10))
    assert caught.value.retry_after_seconds == 1
    with pytest.raises(DeadlineExceeded):
        await second
    await asyncio.sleep(0.01)
    assert line.in_flight == 1
    release.set()
    assert await first
    assert begun == []


async def test_a_call_past_its_deadline_still_holds_its_place(threads: ThreadPoolExecutor) -> None:
    line = WaitingLine(threads, limit=1)
    release = threading.Event()
    with pytest.raises(DeadlineExceeded):
        await line.run(lambda: release.wait(10), soon(0.02))
    assert line.in_flight == 1
    release.set()
    assert await line.run(lambda: 1, soon(5)) == 1


async def test_retry_after_grows_with_the_line_and_with_what_calls_take(threads: ThreadPoolExecutor) -> None:
    line = WaitingLine(threads, limit=0)
    line._usual_seconds = 3.0
    release = threading.Event()
    first = asyncio.create_task(line.run(lambda: release.wait(10), soon(10)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as caught:
        await line.run(lambda: 1, soon(10))
    assert caught.value.retry_after_seconds == 2
    line._usual_seconds = 1000.0
    with pytest.raises(Overloaded) as caught:
        await line.run(lambda: 1, soon(10))
    assert caught.value.retry_after_seconds == 60
    release.set()
    await first
