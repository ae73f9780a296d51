"""One effect is one write, and its answer is in the cache at once."""

from typing import Any

import pytest
from tests.unit.builders import UID, Body, child_of, serving_body, serving_world
from tests.unit.shell.in_memory import MD, TJ, FakeClock, InMemoryCluster, InMemoryRegistry

from fairlead.api.reasons import Reason
from fairlead.core.effects import (
    Announcement,
    Apply,
    ClaimAlias,
    CloseRun,
    Delete,
    Effect,
    ObjectRef,
    OpenRun,
    RegisterVersion,
    SetAlias,
    Suspend,
    TagRun,
    WriteStatus,
)
from fairlead.errors import ReadAgain, Refused, RetryLater
from fairlead.shell.apply import Applier
from fairlead.shell.cache import Cache
from fairlead.shell.gather import Seen
from fairlead.shell.keys import Key

META = serving_world(serving_body()).resource.meta


class Bench:
    """An applier with everything around it."""

    def __init__(self, *bodies: Body) -> None:
        self.cluster = InMemoryCluster(*bodies)
        self.registry = InMemoryRegistry()
        self.cache = Cache()
        self.seen = Seen(foreign={})
        for body in self.cluster.world.objects.values():
            self.cache.put(body)
        self.cluster.calls.clear()
        self.moved: list[str] = []
        self.written: list[tuple[object, object]] = []
        self.applier = Applier(
            self.cache,
            self.cluster,
            self.registry,
            FakeClock(),
            self.moved.append,
            written=lambda before, after: self.written.append((before, after)),
        )

    async def perform(self, effect: Effect, key: Key = MD) -> None:
        await self.applier.perform(key, META, effect, self.seen)


def service(spec: dict[str, Any] | None = None) -> Body:
    owner = [{"uid": UID, "controller": True}]
    meta = {"name": "churn", "namespace": "team", "ownerReferences": owner}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec or {"a": 1}}


async def test_a_child_that_is_there_is_applied_by_force_without_another_look() -> None:
    bench = Bench(child_of(serving_body(), service()))
    await bench.perform(Apply(service({"a": 2}), absent=False))
    assert (bench.cluster.calls, bench.cluster.forced) == (["apply"], [True])
    cached = bench.cache.get("Service", "team", "churn")
    assert cached and cached["spec"] == {"a": 2}


async def test_before_a_first_write_the_name_is_looked_up() -> None:
    bench = Bench()
    await bench.perform(Apply(service(), absent=True))
    assert (bench.cluster.calls, bench.cluster.forced) == (["get", "apply"], [False])
    assert bench.cache.get("Service", "team", "churn")


async def test_a_foreign_object_under_our_name_is_noted_and_not_written() -> None:
    theirs = child_of(serving_body(), service(), ours=False)
    bench = Bench(theirs)
    await bench.perform(Apply(service({"a": 2}), absent=True))
    assert bench.cluster.calls == ["get"]
    assert bench.seen.foreign[ObjectRef("Service", "churn")]["spec"] == {"a": 1}


async def test_an_object_of_ours_that_the_cache_had_missed_is_taken_up() -> None:
    bench = Bench()
    bench.cluster.world.put(child_of(serving_body(), service()))
    await bench.perform(Apply(service({"a": 2}), absent=True))
    assert bench.seen.foreign == {}
    assert bench.cluster.world.get("Service", "churn")["spec"] == {"a": 2}  # type: ignore[index]


async def test_a_deleted_child_leaves_the_cache() -> None:
    bench = Bench(child_of(serving_body(), service(), uid="u"))
    await bench.perform(Delete(ObjectRef("Service", "churn"), "u"))
    assert bench.cluster.world.get("Service", "churn") is None
    assert bench.cache.get("Service", "team", "churn") is None


async def test_a_child_with_another_uid_is_not_deleted() -> None:
    bench = Bench(child_of(serving_body(), service(), uid="new"))
    with pytest.raises(ReadAgain):
        await bench.perform(Delete(ObjectRef("Service", "churn"), "old"))
    assert bench.cluster.world.get("Service", "churn")
    assert bench.cache.get("Service", "team", "churn")


@pytest.mark.parametrize("on", [True, False])
async def test_a_job_that_is_suspended_or_resumed_is_cached_as_it_is_now(on: bool) -> None:
    job = child_of(
        serving_body(), {"kind": "Job", "metadata": {"name": "fit-1"}, "spec": {"backoffLimit": 0}}, uid="u-1"
    )
    bench = Bench(job)
    await bench.perform(Suspend(ObjectRef("Job", "fit-1"), "u-1", on=on))
    cached = bench.cache.get("Job", "team", "fit-1")
    assert cached and cached["spec"] == {"backoffLimit": 0, "suspend": on}
    assert bench.cluster.calls == ["suspend"]


async def test_a_status_is_written_then_cached_then_announced() -> None:
    bench = Bench(serving_body())
    said = (Announcement("Normal", Reason.STARTING, "coming up"),)
    await bench.perform(WriteStatus(None, {"phase": "Starting"}, said))
    assert bench.cluster.calls == ["patch", "event"]
    cached = bench.cache.get("ModelDeployment", "team", "churn")
    assert cached and cached["status"] == {"phase": "Starting"}
    (event,) = bench.cluster.events
    assert (event["reason"], event["message"], event["involvedObject"]["kind"]) == (
        "Starting",
        "coming up",
        "ModelDeployment",
    )


async def test_a_status_is_told_of_once_it_is_written_and_not_before() -> None:
    bench = Bench(serving_body())
    await bench.perform(WriteStatus(None, {"phase": "Starting"}))
    assert bench.written == [(None, {"phase": "Starting"})]
    bench.cluster.fails["patch"] = ReadAgain("another was faster")
    with pytest.raises(ReadAgain):
        await bench.perform(WriteStatus({"phase": "Starting"}, {"phase": "Stable"}))
    assert len(bench.written) == 1


async def test_an_event_that_cannot_be_written_costs_nothing_else() -> None:
    for error in (RetryLater("busy"), Refused("namespace terminates", code=403)):
        bench = Bench(serving_body())
        bench.cluster.fails["event"] = error
        await bench.perform(WriteStatus(None, {"phase": "Starting"}, (Announcement("Normal", Reason.STARTING, "x"),)))
        assert bench.cluster.world.get("ModelDeployment", "churn")["status"]  # type: ignore[index]


async def test_a_status_that_is_no_longer_the_one_we_read_is_read_again_and_not_written() -> None:
    bench = Bench(serving_body())
    newer = bench.cluster.world.put({**bench.cluster.world.objects[("ModelDeployment", "churn")], "status": {"a": 1}})
    with pytest.raises(ReadAgain):
        await bench.perform(WriteStatus(None, {"phase": "Starting"}, (Announcement("Normal", Reason.STARTING, "x"),)))
    assert bench.cache.get("ModelDeployment", "team", "churn") == newer
    assert bench.cluster.events == []


async def test_a_resource_that_is_gone_leaves_the_cache_when_its_status_cannot_be_written() -> None:
    bench = Bench(serving_body())
    bench.cluster.fails["patch"] = ReadAgain("not found")
    del bench.cluster.world.objects[("ModelDeployment", "churn")]
    with pytest.raises(ReadAgain):
        await bench.perform(WriteStatus(None, {}))
    assert bench.cache.get("ModelDeployment", "team", "churn") is None
    with pytest.raises(ReadAgain):
        await bench.perform(WriteStatus(None, {}))


@pytest.mark.parametrize(
    ("effect", "call"),
    [
        (OpenRun("team/fit", {"a": "b"}), ("open_run", "team/fit", "team", {"a": "b"})),
        (RegisterVersion("m", "r", "id", "text", {"a": "b"}), ("register", "m", "r", "id", "text", {"a": "b"})),
        (ClaimAlias("m", "candidate", "us"), ("claim_alias", "m", "candidate", "us")),
        (SetAlias("m", "candidate", "3"), ("set_alias", "m", "candidate", "3")),
        (CloseRun("r", "FAILED"), ("close_run", "r", "FAILED")),
        (TagRun("r", {"a": "b"}), ("tag_run", "r", {"a": "b"})),
    ],
)
async def test_effects_on_the_registry_are_one_call_each(effect: Effect, call: tuple[Any, ...]) -> None:
    bench = Bench()
    await bench.perform(effect, TJ)
    assert (bench.registry.calls, bench.cluster.calls) == ([call], [])
    assert bench.moved == (["m"] if isinstance(effect, SetAlias) else [])
