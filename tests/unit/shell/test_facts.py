"""What the registry is asked about a TrainingJob, and what becomes of its answers."""

from typing import Any

from tests.unit.builders import training_body
from tests.unit.shell.in_memory import InMemoryRegistry

from fairlead.api.reasons import Reason
from fairlead.api.resource import parse_training_job
from fairlead.core.world import Alias, LoggedModel, RegistryFacts, RegistryProblem, Run, Version
from fairlead.shell.facts import gather_facts

RUN = Run("run-1", "1", "http://mlflow/run", "RUNNING")


async def facts(registry: InMemoryRegistry, phase: str = "", **status: Any) -> RegistryFacts | RegistryProblem:
    found = {"phase": phase, "run": {"id": "run-1"}, **status} if phase else None
    return await gather_facts(registry, parse_training_job(training_body(status=found)))


async def test_what_the_trainer_logged_comes_together_for_the_gate() -> None:
    registry = InMemoryRegistry(run=RUN, models=[("m-1", "models:/m-1", "tree")], metrics={"accuracy": 0.9})
    models = (LoggedModel("m-1", "models:/m-1", "tree"),)
    assert await facts(registry, "Gating") == RegistryFacts(RUN, models, metrics={"accuracy": 0.9})


async def test_version_and_alias_come_together_for_the_registration() -> None:
    version, alias = Version("4", "sha256:1"), Alias("3", "us/team", trained=True)
    registry = InMemoryRegistry(run=RUN, version=version, alias=alias)
    assert await facts(registry, "Registering") == RegistryFacts(RUN, version=version, alias=alias)


async def test_of_a_version_that_is_not_there_no_alias_is_asked_for() -> None:
    registry = InMemoryRegistry(run=RUN, alias=Alias("3"))
    assert await facts(registry, "Registering") == RegistryFacts(RUN)
    assert [call[0] for call in registry.calls] == ["find_runs", "find_version"]


async def test_a_version_is_found_although_its_run_was_deleted() -> None:
    registry = InMemoryRegistry(version=Version("4"))
    assert await facts(registry, "Registering") == RegistryFacts(version=Version("4"))


async def test_the_runs_of_earlier_attempts_are_told_from_that_of_the_present_one() -> None:
    first, second = Run("run-1", "1", "", "FAILED", attempt=1), Run("run-2", "1", "", "RUNNING", attempt=2)
    registry = InMemoryRegistry(former=[first], run=second)
    assert await facts(registry, "Pending", attempt=2) == RegistryFacts(second, former_runs=(first,))
    assert await facts(registry, "Pending", attempt=3) == RegistryFacts(None, former_runs=(first, second))


async def test_of_two_runs_of_an_attempt_the_one_that_the_trainer_was_given_counts() -> None:
    stray, given = Run("run-0", "1", "", "RUNNING"), Run("run-1", "1", "", "RUNNING")
    registry = InMemoryRegistry(former=[stray], run=given)
    assert await facts(registry, "Pending") == RegistryFacts(given, former_runs=(stray,))
    assert await facts(registry) == RegistryFacts(stray, former_runs=(given,))


async def test_without_a_run_nothing_is_asked_that_needs_one() -> None:
    registry = InMemoryRegistry()
    assert await facts(registry, "Gating") == RegistryFacts()
    assert [call[0] for call in registry.calls] == ["find_runs"]


async def test_a_registry_that_is_down_is_a_fact() -> None:
    down = RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")
    assert await facts(InMemoryRegistry(down=True)) == down
