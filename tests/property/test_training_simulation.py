"""Whatever happens to a TrainingJob, in whatever order: one run, one Job, one version, and an end that stays."""

from collections.abc import Callable

from hypothesis import given, note, settings
from hypothesis import strategies as st
from tests.property.training_simulation import TrainingSimulation
from tests.unit.builders import container_status

Action = tuple[str, Callable[[TrainingSimulation], object]]


def _registry(*, down: bool) -> Action:
    def change(world: TrainingSimulation) -> None:
        world.registry.down = down

    return f"registry {'down' if down else 'up'}", change


def _registry_writes(*, fail: bool) -> Action:
    def change(world: TrainingSimulation) -> None:
        world.registry.read_only = fail

    return f"registry {'fails' if fail else 'takes'} writes", change


def _new_leader(world: TrainingSimulation) -> None:
    world.epoch += 1


def _move_alias(world: TrainingSimulation) -> None:
    world.registry.alias = "77"


def _take_alias(world: TrainingSimulation) -> None:
    world.registry.writer = "operator-2/other"


def _leave_run(status: str) -> Action:
    def change(world: TrainingSimulation) -> None:
        for run in world.registry.runs:
            world.registry.close(run.run_id, status)

    return f"run is {status}", change


def _warn(text: str) -> Action:
    def change(world: TrainingSimulation) -> None:
        world.warning = text

    return f"warning {text!r}", change


FATES = ("tells", "waits", "says nothing", "breaks", "finds no model", "loses its pod")
ACTIONS: list[Action] = [
    *((f"crash after {most}", lambda world, most=most: world.reconcile(most)) for most in (1, 2, 3)),
    ("settle", TrainingSimulation.reconcile),
    ("pod runs", TrainingSimulation.run_pod),
    ("pod waits", lambda world: world.run_pod(container_status("trainer", waiting="ErrImagePull"), phase="Pending")),
    ("pod fits nowhere", lambda world: world.run_pod(phase="Pending", unschedulable="0/1 nodes")),
    ("succeeds", lambda world: world.succeed("m-1")),
    ("succeeds without a model", TrainingSimulation.succeed),
    ("succeeds with two models", lambda world: world.succeed("m-1", "m-2")),
    ("fails", TrainingSimulation.fail),
    ("is killed", lambda world: world.fail(exit_code=137, exit_reason="OOMKilled")),
    ("Job deleted", TrainingSimulation.lose_job),
    *((f"hashing {fate}", lambda world, fate=fate: world.hash(fate)) for fate in FATES),
    ("registering Job deleted", TrainingSimulation.lose_hashing),
    ("a minute passes", TrainingSimulation.pass_minute),
    ("alias handed over", TrainingSimulation.hand_over),
    ("alias taken by another", _take_alias),
    ("a new leader", _new_leader),
    ("alias moved", _move_alias),
    *(_registry(down=down) for down in (True, False)),
    *(_registry_writes(fail=fail) for fail in (True, False)),
    *(_leave_run(status) for status in ("FINISHED", "FAILED", "RUNNING")),
    *(_warn(text) for text in ("", "exceeded quota: gpu", "denied by a policy")),
    ("refuse Jobs", lambda world: world.cluster.refused_kinds.add("Job")),
    ("refuse nothing", lambda world: world.cluster.refused_kinds.clear()),
]
STORY = st.lists(st.sampled_from(ACTIONS), max_size=25)


@settings(max_examples=5 * settings().max_examples)
@given(STORY)
def test_the_promises_hold_after_every_write_and_the_world_settles(story: list[Action]) -> None:
    world = TrainingSimulation()
    for name, act in story:
        note(name)
        act(world)
        world.reconcile()
        world.check_settled()


@given(STORY)
def test_a_job_is_made_once_unless_it_was_deleted_before_it_ran(story: list[Action]) -> None:
    world = TrainingSimulation()
    deleted = 0
    for name, act in story:
        note(name)
        deleted += name == "Job deleted" and world.job is not None
        act(world)
    assert world.jobs_made <= 1 + deleted


@given(STORY, st.sampled_from(["m-1", ""]))
def test_every_story_ends_once_the_registry_answers_and_the_trainer_ends(story: list[Action], model: str) -> None:
    world = TrainingSimulation()
    for name, act in story:
        note(name)
        act(world)
    world.registry.down = world.registry.read_only = False
    world.cluster.refused_kinds.clear()
    world.hand_over()
    world.reconcile()
    world.succeed(*([model] if model else []))
    world.hash("tells")
    world.pass_minute()
    world.reconcile()
    assert world.status.ended
    reopened = "run is RUNNING" in [name for name, _ in story]  # someone may do so after the end
    assert reopened or all(run.status != "RUNNING" for run in world.registry.runs)
    assert world.condition("Ready") == ("True" if world.status.phase == "Succeeded" else "False", _reason(world))


def _reason(world: TrainingSimulation) -> str:
    return world.status.conditions[0].reason
