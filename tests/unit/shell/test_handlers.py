"""Kopf keeps the watches; the handlers keep the cache and add keys."""

from collections.abc import Awaitable, Callable
from typing import Any

import kopf
import pytest
from tests.unit.builders import Body, serving_body
from tests.unit.shell.in_memory import MD, FakeClock

from fairlead.api.kinds import CHILDREN, WATCHED
from fairlead.shell.cache import Cache
from fairlead.shell.handlers import NoMemory, kopf_settings, register
from fairlead.shell.queue import WorkQueue

Handler = Callable[..., Awaitable[None]]


class Bench:
    """Handlers registered with Kopf, with cache and queue."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.queue = WorkQueue(FakeClock(), jitter=lambda seconds: seconds)
        self.registry = kopf.OperatorRegistry()
        register(self.registry, self.cache, self.queue)

    async def event(self, kind: str | None, body: Body) -> None:
        handler: Any = next(iter(self.registry._watching.get_all_handlers())).fn
        await handler(event={"type": kind, "object": body})


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_every_kind_is_watched_once(bench: Bench) -> None:
    handlers = bench.registry._watching.get_all_handlers()
    assert len(handlers) == len(WATCHED)


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"])
async def test_an_object_that_is_there_is_kept_and_its_key_queued(bench: Bench, kind: str | None) -> None:
    await bench.event(kind, serving_body())
    assert bench.cache.keys() == {MD}
    assert await bench.queue.get() == MD


async def test_an_object_that_is_deleted_leaves_the_cache_and_its_key_is_queued(bench: Bench) -> None:
    await bench.event("ADDED", serving_body())
    bench.queue.done(await bench.queue.get())
    await bench.event("DELETED", serving_body())
    assert bench.cache.keys() == set()
    assert await bench.queue.get() == MD


async def test_old_news_and_strangers_queue_nothing(bench: Bench) -> None:
    bench.cache.put(serving_body())
    await bench.event("MODIFIED", serving_body())
    stranger = {"kind": "Pod", "metadata": {"name": "p", "uid": "u", "resourceVersion": "1"}}
    await bench.event("ADDED", stranger)
    assert bench.queue.depth == 0


def test_kopf_writes_nothing_and_reads_only_what_is_managed() -> None:
    settings = kopf_settings()
    assert not settings.posting.enabled
    assert settings.peering.standalone
    assert settings.scanning.disabled
    assert len(settings.watching.label_selectors) == len(CHILDREN)
    assert set(settings.watching.label_selectors.values()) == {"app.kubernetes.io/managed-by=fairlead"}


def test_kopf_reads_nothing_that_a_user_has_written_and_keeps_nothing() -> None:
    annotations = {"kopf.zalando.org/last-handled-configuration": "{not JSON"}
    body = kopf.Body({"metadata": {"annotations": annotations}, "spec": {"replicas": 3}})  # type: ignore[typeddict-item]
    memory, patch = NoMemory(), kopf.Patch()
    assert memory.fetch(body=body) is None
    assert memory.build(body=body) == {}
    memory.store(body=body, patch=patch, essence=memory.build(body=body))
    assert not patch


def test_no_object_can_carry_the_finalizer_that_kopf_would_take_away() -> None:
    assert " " in kopf_settings().persistence.finalizer
    assert isinstance(kopf_settings().persistence.diffbase_storage, NoMemory)
