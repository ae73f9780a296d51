"""Gather, decide, apply, and again; and what becomes of a key whose reconcile fails."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

import pytest
from tests.unit.builders import Body, gateway_facts, gateway_world, serving_body, training_body
from tests.unit.shell.in_memory import FRAME, MD, TJ, FakeClock, InMemoryCluster, InMemoryRegistry, until

from fairlead.api.reasons import Reason
from fairlead.api.resource import parse_meta
from fairlead.core.effects import OpenRun, Plan
from fairlead.core.world import RegistryProblem
from fairlead.errors import FairleadError, ReadAgain, Refused, RegistryError, RetryLater
from fairlead.shell.apply import Applier
from fairlead.shell.cache import Cache
from fairlead.shell.gateways import Gateways
from fairlead.shell.gather import Frame, Gatherer, Seen
from fairlead.shell.keys import Key, gateway_key
from fairlead.shell.loop import MOST_EFFECTS, Loop, Unsettled
from fairlead.shell.models import Models
from fairlead.shell.queue import WorkQueue
from fairlead.shell.rollouts import Rollouts
from fairlead.shell.telemetry import Telemetry


class RecordingTelemetry(Telemetry):
    """Keeps the results."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[tuple[str, str]] = []

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        self.results.append((kind, result))
        super().reconciled(kind, result, seconds)


class Bench:
    """A loop with everything around it in memory."""

    def __init__(self, *bodies: Body, frame: Callable[[], Frame] = lambda: FRAME, gateway: bool = True) -> None:
        self.clock = FakeClock()
        self.cluster = InMemoryCluster(*bodies)
        self.registry = InMemoryRegistry()
        self.cache = Cache()
        self.queue = WorkQueue(self.clock, jitter=lambda seconds: seconds)
        self.telemetry = RecordingTelemetry()
        self.gone: list[Key] = []
        for body in self.cluster.world.objects.values():
            self.cache.put(body)
        self.models = Models(self.registry, self.queue, poll_seconds=15, jitter=lambda seconds: seconds)
        self.gateways = Gateways(self.queue)
        if gateway:
            self.gateways._queue = WorkQueue(self.clock, jitter=lambda seconds: seconds)  # nobody has to hear of it
            self.gateways.noted(gateway_world(), gateway_facts())
            self.gateways._queue = self.queue
        self.rollouts = Rollouts(self.cache)
        self.loop = Loop(
            queue=self.queue,
            cache=self.cache,
            gatherer=Gatherer(
                self.cache,
                self.cluster,
                self.registry,
                self.clock,
                self.models,
                gateways=self.gateways,
                rollouts=self.rollouts,
            ),
            applier=Applier(self.cache, self.cluster, self.registry, self.clock, self.models.ask_again),
            clock=self.clock,
            telemetry=self.telemetry,
            frame=frame,
            gone=self.gone.append,
            gateways=self.gateways,
            rollouts=self.rollouts,
        )

    @contextlib.asynccontextmanager
    async def running(self, concurrency: int = 2) -> AsyncIterator[None]:
        task = asyncio.create_task(self.loop.run(concurrency))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def work(self, *keys: Key, results: int) -> list[tuple[str, str]]:
        """The results after these keys were added."""
        for key in keys:
            self.queue.add(key)
        async with self.running():
            await until(lambda: len(self.telemetry.results) >= results)
        return self.telemetry.results

    def next_look(self) -> float:
        """Seconds until the queue would hand out a key by itself."""
        wait = self.queue._until_next()
        assert wait is not None
        return wait


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What the loop logs is asked for where it matters."""
    caplog.set_level(logging.DEBUG)


async def test_a_reconcile_goes_on_until_nothing_is_left_to_do() -> None:
    bench = Bench(serving_body())
    assert await bench.work(MD, results=1) == [("ModelDeployment", "settled")]
    assert [write.split()[1] for write in bench.cluster.world.writes] == [
        "ModelDeployment",
        "ControllerRevision",
        "Deployment",
        "Service",
        "Service",
    ]
    assert bench.next_look() == 15.5, "the plan's appointment is kept"


async def test_both_kinds_are_decided() -> None:
    bench = Bench(serving_body(), training_body())
    await bench.work(MD, TJ, results=2)
    assert bench.cluster.world.get("Job", "fit-1")
    assert bench.cluster.world.get("Service", "churn")


async def test_a_settled_world_costs_no_write() -> None:
    bench = Bench(serving_body())
    await bench.loop.reconcile(MD)
    writes = len(bench.cluster.world.writes)
    calls = len(bench.cluster.calls)
    await bench.loop.reconcile(MD)
    assert (len(bench.cluster.world.writes), len(bench.cluster.calls)) == (writes, calls)


async def test_a_key_whose_resource_is_gone_is_told_and_forgotten() -> None:
    bench = Bench()
    assert await bench.loop.reconcile(MD) is None
    assert (bench.gone, bench.cluster.calls) == ([MD], [])
    assert await bench.work(MD, results=1) == [("ModelDeployment", "settled")]
    assert bench.queue._until_next() is None


@pytest.mark.parametrize("error", [RetryLater("busy"), ReadAgain("conflict")])
async def test_a_failure_that_may_pass_comes_back_with_backoff(error: FairleadError) -> None:
    bench = Bench(serving_body())
    bench.cluster.fails["patch"] = error
    assert await bench.work(MD, results=1) == [("ModelDeployment", "retry")]
    assert bench.next_look() == pytest.approx(0.1)
    bench.telemetry.results.clear()
    bench.clock.advance(0.2)
    await bench.work(results=1)
    assert bench.next_look() == pytest.approx(0.2)


async def test_success_forgets_the_backoff() -> None:
    bench = Bench(serving_body())
    bench.cluster.fails["patch"] = RetryLater("busy")
    await bench.work(MD, results=1)
    bench.cluster.fails.clear()
    bench.telemetry.results.clear()
    await bench.work(MD, results=1)
    assert bench.queue.fail(MD) == pytest.approx(0.1)


async def test_a_write_that_the_registry_fails_becomes_a_condition_and_is_tried_again() -> None:
    bench = Bench(training_body())

    async def broken(*_: object) -> None:
        raise RegistryError(Reason.REGISTRY_UNAVAILABLE, "database is locked")

    bench.registry.open_run = broken  # type: ignore[method-assign,assignment]
    assert await bench.work(TJ, results=1) == [("TrainingJob", "settled")]
    status = bench.cluster.world.objects[("TrainingJob", "fit")]["status"]
    assert {(item["reason"], item["message"]) for item in status["conditions"]} == {
        ("RegistryUnavailable", "database is locked")
    }
    assert bench.next_look() == 5.0


async def test_a_stored_object_that_does_not_fit_is_told_and_not_retried(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(serving_body(replicas="many"))
    assert await bench.work(MD, results=1) == [("ModelDeployment", "invalid")]
    assert bench.queue._until_next() is None
    (record,) = [item for item in caplog.records if item.levelno == logging.ERROR]
    assert "replicas" in record.__dict__["error"]


async def test_a_stored_object_that_does_not_fit_gets_one_event_for_each_thing_that_is_wrong() -> None:
    bench = Bench(serving_body(replicas="many"))
    for number in (1, 2):
        await bench.work(MD, results=number)
    assert [(item["reason"], item["type"]) for item in bench.cluster.events] == [("InvalidSpec", "Warning")]
    assert "replicas" in bench.cluster.events[0]["message"]
    body = bench.cache.get(MD.kind, MD.namespace, MD.name)
    assert body
    bench.cache.put({**body, "spec": {}, "metadata": {**body["metadata"], "resourceVersion": "99"}})
    await bench.work(MD, results=3)
    assert len(bench.cluster.events) == 1 + int(bench.telemetry.results[-1][1] == "invalid")


async def test_a_bug_in_one_key_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(serving_body(), training_body())

    async def buggy(*_: object) -> None:
        raise KeyError("a bug")

    bench.registry.find_runs = buggy  # type: ignore[method-assign,assignment]
    results = await bench.work(TJ, MD, results=2)
    assert sorted(results) == [("ModelDeployment", "settled"), ("TrainingJob", "error")]
    assert bench.cluster.world.get("Service", "churn")
    assert any(record.exc_info for record in caplog.records), "the traceback is logged"
    assert bench.next_look() == pytest.approx(0.1), "the key with the bug comes back"


async def test_a_refusal_becomes_a_condition_and_no_error() -> None:
    bench = Bench(serving_body())
    bench.cluster.world.refused_kinds.add("Deployment")
    assert await bench.work(MD, results=1) == [("ModelDeployment", "settled")]
    status = bench.cluster.world.objects[("ModelDeployment", "churn")]["status"]
    assert {"Stalled": "Rejected"}.items() <= {item["type"]: item["reason"] for item in status["conditions"]}.items()
    assert bench.next_look() <= 10.5


async def test_a_registry_that_fails_twice_in_one_reconcile_is_retried_with_backoff() -> None:
    bench = Bench(training_body())
    seen = Seen(foreign={}, problem=RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "first"))
    bench.registry.down = True
    plan = Plan((OpenRun("team/fit", {}),))
    with pytest.raises(RegistryError):
        await bench.loop._perform(TJ, parse_meta(training_body()), plan, seen)


async def test_a_refused_status_is_retried_with_backoff() -> None:
    bench = Bench(serving_body())
    bench.cluster.fails["patch"] = Refused("no", code=403)
    with pytest.raises(RetryLater, match="no"):
        await bench.loop.reconcile(MD)


async def test_a_fight_over_a_field_is_stopped() -> None:
    bench = Bench(serving_body())
    put = bench.cache.put

    def forgetful(body: Body) -> bool:
        kept = put(body)
        if body["kind"] == "Service":
            bench.cache.remove(body)
        return kept

    bench.cache.put = forgetful  # type: ignore[method-assign,assignment]
    with pytest.raises(Unsettled, match="another writer changes the same fields"):
        await bench.loop.reconcile(MD)
    assert len(bench.cluster.world.writes) == MOST_EFFECTS


async def test_a_reconcile_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.shell.loop.RECONCILE_TIMEOUT_SECONDS", 0.01)
    bench = Bench(training_body())

    async def hanging(*_: object) -> None:
        await asyncio.sleep(3600)

    bench.registry.find_runs = hanging  # type: ignore[method-assign,assignment]
    assert await bench.work(TJ, results=1) == [("TrainingJob", "retry")]


async def test_a_cancelled_worker_leaves_the_queue_in_order() -> None:
    bench = Bench(training_body())
    entered = asyncio.Event()

    async def hanging(*_: object) -> None:
        entered.set()
        await asyncio.sleep(3600)

    bench.registry.find_runs = hanging  # type: ignore[method-assign,assignment]
    bench.queue.add(TJ)
    async with bench.running():
        await asyncio.wait_for(entered.wait(), timeout=5)
    assert bench.queue.oldest_seconds() == 0


# -- the namespace's gateway

GATEWAY_KEY = gateway_key("team")


async def test_a_model_deployment_brings_the_gateway_of_its_namespace_with_it() -> None:
    bench = Bench(serving_body(), gateway=False)
    results = await bench.work(MD, results=3)
    assert sorted(results) == [("Gateway", "settled"), ("ModelDeployment", "settled"), ("ModelDeployment", "settled")]
    made = [write for write in bench.cluster.world.writes if write.endswith(" fairlead-gateway")]
    assert [write.split()[1] for write in made] == [
        "ServiceAccount",
        "RoleBinding",
        "Deployment",
        "PodDisruptionBudget",
    ]
    writes = len(bench.cluster.world.writes)
    await bench.loop.reconcile(GATEWAY_KEY)
    await bench.loop.reconcile(MD)
    assert len(bench.cluster.world.writes) == writes


async def test_after_a_start_a_status_stays_as_it_is_until_the_gateway_was_looked_at() -> None:
    bench = Bench(serving_body())
    await bench.loop.reconcile(MD)
    body = bench.cluster.world.objects[("ModelDeployment", "churn")]
    again = Bench(body, gateway=False)
    assert await again.loop.reconcile(MD) is None
    assert again.cluster.world.writes == []
    await again.loop.reconcile(GATEWAY_KEY)
    await again.loop.reconcile(MD)
    assert "status ModelDeployment churn" in again.cluster.world.writes


async def test_a_name_of_the_gateway_s_that_someone_has_is_told_by_the_model_deployment() -> None:
    theirs: Body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "fairlead-gateway"}}
    bench = Bench(serving_body(), gateway=False)
    bench.cluster.world.put(theirs)
    await bench.work(MD, results=3)
    status = bench.cluster.world.objects[("ModelDeployment", "churn")]["status"]
    reasons = {item["type"]: item["reason"] for item in status["conditions"]}
    assert (reasons["Ready"], reasons["Programmed"]) == ("NameConflict", "NameConflict")
    assert bench.cluster.world.get("Deployment", "fairlead-gateway") is None
    assert bench.next_look() <= 10.5


async def test_a_look_at_the_gateway_that_fails_still_lets_its_model_deployments_go_on() -> None:
    bench = Bench(serving_body(), gateway=False)
    bench.cluster.fails["apply"] = RetryLater("busy")
    assert (await bench.work(GATEWAY_KEY, results=1))[0] == ("Gateway", "retry")
    assert bench.gateways.facts("team").known


async def test_a_refused_object_of_the_gateway_s_is_told_and_tried_again() -> None:
    bench = Bench(serving_body(), gateway=False)
    bench.cluster.world.refused_kinds.add("RoleBinding")
    assert (await bench.work(GATEWAY_KEY, results=1))[0] == ("Gateway", "settled")
    assert "a policy refuses RoleBinding" in bench.gateways.facts("team").refused


async def test_a_fight_over_the_gateway_s_objects_is_stopped() -> None:
    bench = Bench(serving_body(), gateway=False)
    bench.cache.put = lambda body: True  # type: ignore[method-assign]
    with pytest.raises(Unsettled, match="another writer changes its objects"):
        await bench.loop.reconcile(GATEWAY_KEY)


async def test_a_model_deployment_that_goes_asks_for_no_gateway() -> None:
    bench = Bench(serving_body(deleting=True), gateway=False)
    await bench.loop.reconcile(MD)
    assert bench.queue.depth == 0
