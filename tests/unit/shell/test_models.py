"""Registered models are asked for once each, and whom an answer concerns is told when it changes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import pytest
from tests.unit.shell.in_memory import FakeClock, InMemoryRegistry, until

from fairlead.api.model_deployment import ModelRef, ResolvedModel
from fairlead.api.reasons import Reason
from fairlead.core.world import RegistryProblem, Unanswered
from fairlead.errors import RegistryError
from fairlead.shell import models as shell_models
from fairlead.shell.keys import Key
from fairlead.shell.models import POLLS_PER_DIGEST, Models
from fairlead.shell.queue import WorkQueue

DIGEST = "sha256:" + "0" * 64
BY_ALIAS = ModelRef(name="churn", alias="candidate")
BY_VERSION = ModelRef(name="churn", version="2")


def key(name: str) -> Key:
    return Key("ModelDeployment", "team", name)


class Registry(InMemoryRegistry):
    """Answers when it is let to, and fails when it is told to."""

    def __init__(self, known: dict[str, str]) -> None:
        super().__init__(known=known, digests={"1": "", "2": ""})
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: RegistryError | None = None

    async def aliases(self, model: str) -> Mapping[str, str]:
        self.calls.append(("aliases", model))
        await self.gate.wait()
        if self.error:
            raise self.error
        self.calls.pop()
        return await super().aliases(model)

    def count(self, what: str) -> int:
        return sum(call[0] == what for call in self.calls)


class Bench:
    """Models over a registry. A pause lasts until `poll`; `pauses` keeps how long it should have been."""

    def __init__(self, known: dict[str, str]) -> None:
        self.registry = Registry(known)
        self.queue = WorkQueue(FakeClock(), jitter=lambda seconds: seconds)
        self.pauses: list[float] = []
        self.hold = 30.0
        self.models = Models(self.registry, self.queue, poll_seconds=15, jitter=self._pause)

    def _pause(self, seconds: float) -> float:
        self.pauses.append(seconds)
        return self.hold

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.models.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def told(self) -> set[Key]:
        """The keys in the queue, after the tasks have come to rest."""
        await self.rest()
        found = set()
        while self.queue.depth:
            item = await self.queue.get()
            self.queue.done(item)
            found.add(item)
        return found

    async def rest(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    async def poll(self, times: int = 1) -> None:
        """The pause is over."""
        for _ in range(times):
            for book in self.models._books.values():
                book.nudged.set()
            await self.rest()

    def answer(self, name: str = "a", ref: ModelRef = BY_ALIAS) -> object:
        return self.models.resolve(key(name), ref)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A model with two versions, and answers that come."""
    made = Bench({"candidate": "1", "champion": "2"})
    async with made.running():
        yield made


async def test_a_first_question_is_asked_at_once_and_its_answer_brings_the_key_back(bench: Bench) -> None:
    assert bench.answer() == Unanswered()
    assert await bench.told() == {key("a")}
    assert bench.answer() == ResolvedModel(name="churn", alias="candidate", version="1")
    assert await bench.told() == set()


async def test_a_model_is_asked_for_once_however_many_ask(bench: Bench) -> None:
    for number in range(20):
        bench.answer(f"a{number}", BY_ALIAS if number % 2 else BY_VERSION)
    assert len(await bench.told()) == 20
    assert (bench.registry.count("aliases"), bench.registry.count("digest_tag")) == (1, 2)
    await bench.poll()
    assert (bench.registry.count("aliases"), bench.registry.count("digest_tag")) == (2, 2)
    assert bench.pauses == [15.0, 15.0]


async def test_an_answer_that_stays_the_same_is_told_to_nobody(bench: Bench) -> None:
    bench.answer()
    await bench.told()
    await bench.poll(3)
    assert await bench.told() == set()


async def test_an_alias_that_moves_is_told_to_those_who_follow_it(bench: Bench) -> None:
    bench.answer("a", BY_ALIAS)
    bench.answer("b", BY_VERSION)
    await bench.told()
    bench.registry.known = {"candidate": "2"}
    await bench.poll()
    assert await bench.told() == {key("a")}
    assert bench.answer() == ResolvedModel(name="churn", alias="candidate", version="2")


async def test_a_model_that_we_have_changed_is_asked_for_at_once() -> None:
    bench = Bench({"candidate": "1"})
    async with bench.running():
        bench.answer()
        await bench.told()
        bench.registry.known = {"candidate": "2"}
        bench.models.ask_again("churn")
        bench.models.ask_again("unknown")
        assert await bench.told() == {key("a")}
        assert bench.registry.count("aliases") == 2


async def test_a_change_of_ours_during_a_request_is_seen_by_another_one() -> None:
    bench = Bench({"candidate": "1"})
    async with bench.running():
        bench.registry.gate.clear()
        bench.answer()
        await until(lambda: bench.registry.count("aliases") == 1)
        bench.models.ask_again("churn")
        bench.registry.gate.set()
        await bench.told()
        assert bench.registry.count("aliases") == 2


async def test_who_comes_later_gets_the_answer_that_is_known(bench: Bench) -> None:
    bench.answer("a")
    await bench.told()
    assert bench.answer("b") == ResolvedModel(name="churn", alias="candidate", version="1")
    await bench.rest()
    assert bench.registry.count("aliases") == 1


async def test_who_comes_later_and_asks_for_what_was_not_there_makes_it_ask_anew(bench: Bench) -> None:
    bench.answer("a")
    await bench.told()
    bench.registry.known = {"candidate": "1", "fresh": "2"}
    fresh = ModelRef(name="churn", alias="fresh")
    assert bench.answer("b", fresh) == Unanswered()
    assert await bench.told() == {key("b")}
    assert bench.answer("b", fresh) == ResolvedModel(name="churn", alias="fresh", version="2")


async def test_an_answer_that_is_no_is_given_again_without_a_request(bench: Bench) -> None:
    missing = ModelRef(name="churn", alias="missing")
    bench.answer("a", missing)
    assert await bench.told() == {key("a")}
    asked = bench.registry.count("aliases")
    for _ in range(3):
        found = bench.answer("a", missing)
        assert isinstance(found, RegistryProblem)
        assert found.reason is Reason.MODEL_ALIAS_NOT_FOUND
    await bench.rest()
    assert bench.registry.count("aliases") == asked


async def test_a_question_that_comes_while_a_request_is_on_its_way_is_not_answered_with_an_older_no() -> None:
    bench = Bench({})
    async with bench.running():
        bench.registry.gate.clear()
        bench.answer("a")
        await until(lambda: bench.registry.count("aliases") == 1)
        bench.answer("b")
        bench.registry.gate.set()
        await bench.told()
        assert bench.registry.count("aliases") == 2


async def test_a_question_that_changes_is_asked_anew(bench: Bench) -> None:
    bench.answer("a")
    await bench.told()
    assert bench.answer("a", BY_VERSION) == Unanswered()
    assert await bench.told() == {key("a")}
    assert bench.answer("a", BY_VERSION) == ResolvedModel(name="churn", version="2")


async def test_a_model_that_nobody_asks_for_any_more_is_not_asked_for() -> None:
    bench = Bench({"candidate": "1"})
    async with bench.running():
        bench.answer("a")
        await bench.told()
        bench.models.forget(key("a"))
        bench.models.forget(key("never"))
        await bench.poll(2)
        assert bench.registry.count("aliases") == 1
        assert (bench.models.asking, bench.models._books) == (set(), {})
        assert bench.answer("a") == Unanswered()
        assert await bench.told() == {key("a")}


async def test_a_key_that_turns_to_another_model_leaves_the_first_one(bench: Bench) -> None:
    bench.answer("a")
    await bench.told()
    bench.answer("a", ModelRef(name="other", alias="candidate"))
    await bench.told()
    assert list(bench.models._books) == ["other"]


async def test_an_outage_is_told_once_in_the_words_it_began_with_and_its_end_too(bench: Bench) -> None:
    bench.answer()
    await bench.told()
    for text in ("refused", "timed out"):
        bench.registry.error = RegistryError(Reason.REGISTRY_UNAVAILABLE, text)
        await bench.poll()
        assert bench.answer() == RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "refused")
        assert await bench.told() == ({key("a")} if text == "refused" else set())
    assert bench.pauses[-1] == 5.0
    bench.registry.error = None
    await bench.poll()
    assert await bench.told() == {key("a")}
    assert bench.answer() == ResolvedModel(name="churn", alias="candidate", version="1")
    assert bench.registry.count("digest_tag") == 1


async def test_a_digest_is_read_once_and_then_seldom(bench: Bench) -> None:
    bench.registry.digests["1"] = ""
    bench.answer()
    await bench.told()
    bench.registry.digests["1"] = DIGEST
    await bench.poll(POLLS_PER_DIGEST - 1)
    assert (bench.registry.count("digest_tag"), await bench.told()) == (1, set())
    await bench.poll()
    assert await bench.told() == {key("a")}
    assert bench.answer() == ResolvedModel(name="churn", alias="candidate", version="1", digest=DIGEST)


async def test_a_digest_that_is_known_outlives_a_request_that_fails_and_a_version_that_is_gone_does_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_models, "POLLS_PER_DIGEST", 1)
    bench.answer()
    await bench.told()
    known = bench.answer()

    async def down(*_: object) -> str:
        raise RegistryError(Reason.REGISTRY_UNAVAILABLE, "no answer")

    with monkeypatch.context() as patch:
        patch.setattr(bench.registry, "digest_tag", down)
        await bench.poll()
    assert (bench.answer(), await bench.told()) == (known, set())
    del bench.registry.digests["1"]
    await bench.poll()
    assert await bench.told() == {key("a")}
    assert bench.answer() == RegistryProblem(Reason.MODEL_VERSION_NOT_FOUND, "no such version")


async def test_a_version_whose_first_request_fails_is_asked_for_soon(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> str:
        raise RegistryError(Reason.REGISTRY_UNAVAILABLE, "no answer")

    with monkeypatch.context() as patch:
        patch.setattr(bench.registry, "digest_tag", down)
        bench.answer()
        await bench.told()
    assert bench.answer() == RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")
    assert bench.pauses == [5.0]
    await bench.poll()
    assert bench.answer() == ResolvedModel(name="churn", alias="candidate", version="1")


async def test_a_registry_that_hangs_is_told_in_time_and_what_was_known_is_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_models, "ANSWER_SECONDS", 0.01)
    bench.answer()
    await bench.told()
    bench.registry.gate.clear()
    await bench.poll()
    await until(lambda: bench.queue.depth)
    found = bench.answer()
    assert isinstance(found, RegistryProblem)
    assert (found.reason, found.message) == (Reason.REGISTRY_UNAVAILABLE, "MLflow gave no answer within 0.01 s")
    bench.registry.gate.set()
    await bench.poll()
    assert bench.answer() == ResolvedModel(name="churn", alias="candidate", version="1")
    assert bench.registry.count("digest_tag") == 1


async def test_the_next_poll_comes_when_the_pause_is_over() -> None:
    bench = Bench({"candidate": "1"})
    bench.hold = 0.001
    async with bench.running():
        bench.answer()
        await until(lambda: bench.registry.count("aliases") > 3)


async def test_a_registry_that_hangs_is_asked_for_so_many_models_at_a_time_and_no_answer_waits_for_it() -> None:
    bench = Bench({"candidate": "1"})
    bench.registry.gate.clear()
    async with bench.running():
        for number in range(40):
            assert bench.answer(f"a{number}", ModelRef(name=f"m{number}", alias="candidate")) == Unanswered()
        await bench.rest()
        assert bench.registry.count("aliases") == shell_models.MOST_REQUESTS
        bench.registry.gate.set()
        assert len(await bench.told()) == 40
