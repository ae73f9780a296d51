"""Runs whose TrainingJob is gone are closed."""

import asyncio

import pytest
from tests.unit.builders import UID, training_body
from tests.unit.shell.in_memory import MD, TJ, FakeClock, InMemoryRegistry, until

from fairlead.shell.cache import Cache
from fairlead.shell.sweep import SETTLE_SECONDS, Sweep


@pytest.fixture
def registry() -> InMemoryRegistry:
    return InMemoryRegistry(open=[("run-ours", UID), ("run-orphan", "gone")])


def closed(registry: InMemoryRegistry) -> list[tuple[object, ...]]:
    return [call[1:] for call in registry.calls if call[0] == "close_run"]


async def test_only_the_run_without_a_trainingjob_is_closed(registry: InMemoryRegistry) -> None:
    cache = Cache()
    cache.put(training_body())
    await Sweep(registry, cache, FakeClock()).once("operator-1")
    assert ("open_runs", "operator-1") in registry.calls
    assert closed(registry) == [("run-orphan", "KILLED")]


async def test_a_trainingjob_that_was_deleted_is_swept_soon_once_its_pod_has_stopped(
    registry: InMemoryRegistry,
) -> None:
    cache, clock = Cache(), FakeClock()
    cache.put(training_body())
    sweep = Sweep(registry, cache, clock)
    task = asyncio.create_task(sweep.run("operator-1", 3600.0))
    await until(lambda: closed(registry))
    cache.remove(training_body())
    sweep.nudge(MD)
    await asyncio.sleep(0)
    assert clock.slept == [], "a ModelDeployment has no runs"
    sweep.nudge(TJ)
    await until(lambda: ("run-ours", "KILLED") in closed(registry))
    assert clock.slept == [SETTLE_SECONDS]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_registry_that_does_not_answer_is_asked_again_next_time(registry: InMemoryRegistry) -> None:
    registry.down = True
    task = asyncio.create_task(Sweep(registry, Cache(), FakeClock()).run("operator-1", 0.001))
    await until(lambda: len(registry.calls) > 2)
    registry.down = False
    await until(lambda: closed(registry))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
