"""LISTs: the first fills the cache, the later ones find what the watch missed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.builders import Body, child_of, serving_body, training_body
from tests.unit.shell.in_memory import MD, TJ, FakeClock, InMemoryCluster, until

from fairlead.api.kinds import MODEL_DEPLOYMENT
from fairlead.errors import Refused, RetryLater
from fairlead.shell.cache import Cache
from fairlead.shell.queue import WorkQueue
from fairlead.shell.resync import GRACE_SECONDS, SOON_SECONDS, Resync
from fairlead.shell.telemetry import Telemetry


class Bench:
    """A resync with everything around it in memory."""

    def __init__(self, *bodies: Body, namespaces: tuple[str, ...] = ()) -> None:
        self.clock = FakeClock()
        self.cluster = InMemoryCluster(*bodies)
        self.cache = Cache()
        self.queue = WorkQueue(self.clock, jitter=lambda seconds: seconds)
        self.telemetry = Telemetry()
        self.resync = Resync(
            cluster=self.cluster,
            cache=self.cache,
            queue=self.queue,
            clock=self.clock,
            telemetry=self.telemetry,
            namespaces=namespaces,
        )

    async def compare(self, times: int = 1) -> None:
        """So many periodic LISTs."""
        self.clock.slept.clear()
        task = asyncio.create_task(self.resync.run(100.0))
        await until(lambda: sum(seconds != GRACE_SECONDS for seconds in self.clock.slept) > times)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def missed(self) -> dict[str, float]:
        return {
            sample.labels["kind"]: sample.value
            for family in self.telemetry.registry.collect()
            for sample in family.samples
            if sample.name == "fairlead_watch_missed_total" and sample.value
        }


MANAGED = {"app.kubernetes.io/managed-by": "fairlead"}


def service(version: str = "1") -> Body:
    labels = {"fairlead.dev/modeldeployment": "churn", **MANAGED}
    body = child_of(serving_body(), {"kind": "Service", "metadata": {"name": "churn", "labels": labels}})
    body["metadata"]["resourceVersion"] = version
    return body


async def test_the_first_list_fills_the_cache_and_queues_every_custom_resource() -> None:
    bench = Bench(serving_body(), training_body(), service())
    assert not bench.resync.synced
    await bench.resync.first()
    assert bench.resync.synced
    assert bench.cache.get("Service", "team", "churn")
    assert bench.queue.depth == 2
    assert "list ModelDeployment everywhere all" in bench.cluster.calls
    assert "list Pod everywhere app.kubernetes.io/managed-by=fairlead" in bench.cluster.calls


async def test_only_the_watched_namespaces_are_listed() -> None:
    bench = Bench(namespaces=("a", "b"))
    await bench.resync.first()
    assert {call.split()[2] for call in bench.cluster.calls} == {"a", "b"}


@pytest.mark.parametrize("error", [RetryLater("busy"), Refused("no such kind", code=404), Refused("rbac", code=403)])
async def test_the_first_list_is_waited_for_and_says_what_is_missing(
    error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(serving_body())
    bench.cluster.fails["list"] = error
    task = asyncio.create_task(bench.resync.first())
    await until(lambda: bench.clock.slept)
    assert not bench.resync.synced
    bench.cluster.fails.clear()
    await asyncio.wait_for(task, timeout=5)
    assert bench.resync.synced
    said = caplog.records[0].__dict__["error"]
    assert said == ("the CRDs are missing: kubectl apply -f crds/" if "such" in str(error) else str(error))


async def settled(*bodies: Body) -> Bench:
    bench = Bench(*bodies)
    await bench.resync.first()
    while bench.queue.depth:
        bench.queue.done(await bench.queue.get())
    return bench


async def test_a_watch_that_told_everything_has_missed_nothing_and_every_resource_is_looked_at() -> None:
    bench = await settled(serving_body(), training_body())
    await bench.compare()
    assert bench.missed() == {}
    assert bench.queue.depth == 2


async def test_the_first_comparison_comes_soon() -> None:
    bench = await settled()
    await bench.compare(times=3)
    assert [seconds for seconds in bench.clock.slept if seconds != GRACE_SECONDS][:3] == [*SOON_SECONDS, 100.0]


async def test_an_object_that_the_watch_did_not_tell_of_is_taken_up() -> None:
    bench = await settled(serving_body())
    bench.cluster.world.put(service())
    await bench.compare()
    assert bench.cache.get("Service", "team", "churn")
    assert bench.missed() == {"Service": 1}


async def test_an_object_that_belongs_to_nobody_is_kept_and_queues_nothing() -> None:
    bench = await settled()
    bench.cluster.world.put({"kind": "Service", "metadata": {"name": "stray", "labels": MANAGED}})
    await bench.compare()
    assert bench.cache.get("Service", "team", "stray")
    assert bench.queue.depth == 0


async def test_a_change_that_the_watch_did_not_tell_of_is_taken_up() -> None:
    bench = await settled(serving_body())
    body = bench.cluster.world.objects[("ModelDeployment", "churn")]
    bench.cluster.world.put({**body, "spec": {**body["spec"], "replicas": 5}})
    await bench.compare()
    cached = bench.cache.get("ModelDeployment", "team", "churn")
    assert cached and cached["spec"]["replicas"] == 5


async def test_an_object_that_is_gone_without_a_word_leaves_the_cache_and_its_key_is_queued() -> None:
    bench = await settled(serving_body(), training_body())
    bench.cluster.world.lose("TrainingJob", "fit")
    await bench.compare()
    assert bench.cache.get("TrainingJob", "team", "fit") is None
    assert bench.missed() == {"TrainingJob": 1}
    assert {await bench.queue.get(), await bench.queue.get()} == {TJ, MD}


async def test_what_the_watch_tells_within_the_grace_is_not_missed() -> None:
    bench = await settled(serving_body())
    new = bench.cluster.world.put(service())
    sleep = bench.clock.sleep

    async def telling(seconds: float) -> None:
        await sleep(seconds)
        if seconds == GRACE_SECONDS:
            bench.cache.put(new)

    bench.clock.sleep = telling  # type: ignore[method-assign]
    await bench.compare()
    assert bench.missed() == {}


async def test_an_object_that_is_deleted_within_the_grace_does_not_come_back() -> None:
    bench = await settled(serving_body())
    bench.cluster.world.put(service())
    sleep = bench.clock.sleep

    async def deleting(seconds: float) -> None:
        await sleep(seconds)
        if seconds == GRACE_SECONDS:
            bench.cluster.world.objects.pop(("Service", "churn"), None)

    bench.clock.sleep = deleting  # type: ignore[method-assign]
    await bench.compare()
    assert bench.cache.get("Service", "team", "churn") is None


async def during_the_grace(bench: Bench, happens: Callable[[], object]) -> None:
    """One periodic LIST of every kind; `happens` after that of the Services, before it is compared."""
    sleep = bench.clock.sleep

    async def meanwhile(seconds: float) -> None:
        await sleep(seconds)
        if seconds == GRACE_SECONDS and bench.cluster.calls[-1].startswith("list Service"):
            happens()

    bench.clock.sleep = meanwhile  # type: ignore[method-assign]
    await bench.compare()


async def test_an_object_that_loses_its_label_within_the_grace_was_not_missed() -> None:
    bench = await settled(serving_body())
    body = bench.cluster.world.put(service())
    bare = {**body, "metadata": {**body["metadata"], "labels": {}}}
    await during_the_grace(bench, lambda: bench.cluster.world.put(bare))
    assert bench.cache.get("Service", "team", "churn") is None
    assert bench.missed() == {}


async def test_an_object_that_gets_its_label_back_within_the_grace_stays_in_the_cache() -> None:
    bench = await settled(serving_body(), service())
    bench.cluster.world.lose("Service", "churn")
    newer = service(version="999")
    await during_the_grace(bench, lambda: bench.cache.put(newer))
    assert bench.cache.get("Service", "team", "churn")
    assert bench.missed() == {}


async def test_an_object_that_is_known_is_not_asked_for_again() -> None:
    bench = await settled(serving_body(), service())
    await bench.compare()
    assert "get" not in bench.cluster.calls


async def test_a_watch_is_deaf_when_it_missed_something_twice_in_a_row() -> None:
    bench = await settled(serving_body())
    bench.cluster.world.put(service())
    await bench.compare()
    assert bench.resync.deaf_kinds() == []
    bench.cluster.world.lose("Service", "churn")
    await bench.compare()
    assert bench.resync.deaf_kinds() == ["Service"]
    await bench.compare()
    assert bench.resync.deaf_kinds() == [], "it hears again"


async def test_a_list_that_fails_does_not_end_the_safety_net() -> None:
    bench = await settled(serving_body())
    bench.cluster.fails["list"] = RetryLater("busy")
    await bench.compare(times=2)
    bench.cluster.fails.clear()
    bench.cluster.world.put(service())
    await bench.compare()
    assert bench.cache.get("Service", "team", "churn")


async def test_what_a_new_leader_is_the_first_to_see_is_put_into_the_queue_since_the_watch_will_find_nothing_new() -> (
    None
):
    bench = Bench(serving_body())
    await bench.resync.renew(MODEL_DEPLOYMENT)
    assert bench.queue.depth == 1 and await bench.queue.get() == MD
    await bench.resync.renew(MODEL_DEPLOYMENT)
    assert bench.queue.depth == 0, "what is known already is no news"
