"""The task that tells the registry how rollouts ended."""

import asyncio
from typing import Any

import pytest
from tests.unit.builders import NOW, serving_body
from tests.unit.core.serving.test_telling import entry
from tests.unit.shell.in_memory import MD, FakeClock, InMemoryCluster, InMemoryRegistry, until

from fairlead.api.model_deployment import ModelDeploymentStatus, RevisionStatus
from fairlead.api.rollout_status import HistoryEntry, Outcome
from fairlead.core.serving.telling import name_of
from fairlead.core.world import Alias, Allowed
from fairlead.shell.apply import Applier
from fairlead.shell.cache import Cache
from fairlead.shell.keys import Key
from fairlead.shell.queue import WorkQueue
from fairlead.shell.rollouts import Rollouts
from fairlead.shell.telling import LOOK_SECONDS, Teller


class Bench:
    """A ModelDeployment whose history has one roll-back and one promotion that nobody has heard of."""

    def __init__(self, **registry: Any) -> None:
        self.cache, self.clock, self.cluster = Cache(), FakeClock(), InMemoryCluster()
        self.registry = InMemoryRegistry(**registry)
        self.queue = WorkQueue(self.clock, jitter=lambda seconds: seconds)
        self.moved: list[str] = []
        self.entries = (entry(1, Outcome.ROLLED_BACK), entry(2))
        self.put("churn", *self.entries)
        self.restart()

    def restart(self) -> None:
        """Another operator process takes over: what the former one remembered is lost."""
        self.rollouts = Rollouts(self.cache)
        self.teller = Teller(
            cache=self.cache,
            queue=self.queue,
            rollouts=self.rollouts,
            registry=self.registry,
            applier=Applier(self.cache, self.cluster, self.registry, self.clock, self.moved.append),
            clock=self.clock,
            allowed=Allowed(),
            moved=self.moved.append,
        )

    def put(self, name: str, *history: HistoryEntry, version: int = 2) -> None:
        """A ModelDeployment that serves version 2, with this history; `version` is the object's own."""
        slot = RevisionStatus(revision="churn-2", model_version="2", since=NOW)
        body = serving_body(name=name, model={"name": name, "alias": "candidate"})
        body["metadata"] |= {"resourceVersion": str(version)}
        self.cache.put(body | {"status": ModelDeploymentStatus(stable=slot, history=history).wire()})

    async def look(self) -> list[str]:
        """One look; the calls that it made."""
        before = len(self.registry.calls)
        await self.teller.once("us")
        return [call[0] for call in self.registry.calls[before:]]


async def test_ends_are_told_once_and_the_key_comes_back() -> None:
    bench = Bench(alias=Alias("1", "us/team"))
    assert await bench.look() == ["tag_version", "tag_version", "find_alias", "set_alias"]
    assert bench.registry.version_tags["1"]["fairlead.rollout"] == "RolledBack"
    assert (bench.registry.alias, bench.moved) == (Alias("2", "us/team"), ["churn"])
    assert bench.rollouts.told(MD) == {name_of(item) for item in bench.entries}
    assert bench.queue.depth == 1
    assert await bench.look() == []


async def test_it_looks_again_and_again() -> None:
    bench = Bench()
    task = asyncio.create_task(bench.teller.run("us"))
    await until(lambda: len(bench.clock.slept) == 3)
    task.cancel()
    assert bench.clock.slept == [LOOK_SECONDS] * 3
    assert len(bench.rollouts.told(MD)) == 2


async def test_an_operator_that_died_before_the_status_said_so_tells_it_again_which_changes_nothing() -> None:
    bench = Bench(alias=Alias("1", "us/team"))
    await bench.look()
    alias, tags = bench.registry.alias, dict(bench.registry.version_tags)
    bench.restart()
    assert await bench.look() == ["tag_version", "tag_version", "find_alias"]
    assert (bench.registry.alias, bench.registry.version_tags) == (alias, tags)


async def test_an_alias_without_a_writer_is_claimed_first() -> None:
    bench = Bench()
    assert (await bench.look())[-3:] == ["find_alias", "claim_alias", "set_alias"]


async def test_an_alias_of_another_writer_is_left_alone_and_told_by_an_event() -> None:
    bench = Bench(alias=Alias("1", "them/team"))
    await bench.look()
    assert bench.registry.alias == Alias("1", "them/team")
    assert [event["reason"] for event in bench.cluster.events] == ["AliasConflict"]
    assert len(bench.rollouts.told(MD)) == 2


async def test_a_version_that_somebody_has_deleted_counts_as_told_and_gets_no_alias() -> None:
    bench = Bench(deleted=frozenset({"2"}))
    assert await bench.look() == ["tag_version", "tag_version"]
    assert (len(bench.rollouts.told(MD)), bench.registry.alias) == (2, Alias())


async def test_a_registry_that_is_away_is_asked_again_less_and_less_often_and_caught_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(down=True)
    asked = []
    for second in range(200):
        if await bench.look():
            asked.append(second)
        bench.clock.advance(1)
    assert asked == [0, 2, 6, 14, 30, 62, 122, 182]
    assert bench.rollouts.told(MD) == frozenset() and bench.queue.depth == 0
    assert caplog.records[0].__dict__["key"] == str(MD)
    bench.registry.down = False
    bench.clock.advance(60)
    assert (await bench.look())[0] == "tag_version"
    assert len(bench.rollouts.told(MD)) == 2


async def test_one_that_is_put_off_keeps_nobody_else_waiting() -> None:
    bench = Bench(down=True)
    await bench.look()
    bench.registry.down = False
    bench.put("other", entry(2))
    await bench.look()
    assert bench.rollouts.told(MD) == frozenset()
    assert len(bench.rollouts.told(Key("ModelDeployment", "team", "other"))) == 1


async def test_what_has_changed_while_the_registry_was_slow_is_seen_before_the_next_news() -> None:
    class Slow(InMemoryRegistry):
        async def tag_version(self, model: str, version: str, tags: Any) -> None:
            await super().tag_version(model, version, tags)
            if version == "1":
                newer = entry(3).model_copy(update={"revision": "churn-2"})
                bench.put("churn", *bench.entries, newer, version=3)

    bench = Bench()
    bench.registry = Slow()
    bench.restart()
    calls = await bench.look()
    assert calls == ["tag_version", "tag_version", "tag_version", "find_alias", "claim_alias", "set_alias"]
    assert bench.registry.alias.version == "3"
