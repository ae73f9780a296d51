"""Whatever happens to a TrainingJob, in whatever order: a run and a Job per attempt, one version, an end that stays."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st
from tests.property.training_simulation import TrainingSimulation
from tests.unit.builders import container_status

from fairlead.api.training_job import MOST_ATTEMPTS

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


def _passes(**length: float) -> Action:
    return f"{length} pass", lambda world: world.wait(**length)


def _suspend(*, on: bool) -> Action:
    return f"suspend: {on}", lambda world: world.set_spec(suspend=on)


FATES = ("tells", "waits", "says nothing", "breaks", "finds no model", "loses its pod")
ACTIONS: list[Action] = [
    *((f"crash after {most}", lambda world, most=most: world.reconcile(most)) for most in (1, 2, 3)),
    ("settle", TrainingSimulation.reconcile),
    ("pod runs", TrainingSimulation.run_pod),
    ("another pod runs", lambda world: world.run_pod(name="other")),
    ("pod waits", lambda world: world.run_pod(container_status("trainer", waiting="ErrImagePull"), phase="Pending")),
    ("pod fits nowhere", lambda world: world.run_pod(phase="Pending", unschedulable="0/1 nodes")),
    ("pod is evicted", TrainingSimulation.evict),
    ("pods are gone", TrainingSimulation.stop_pods),
    ("succeeds", lambda world: world.succeed("m-1", accuracy=0.95)),
    ("succeeds below the gate", lambda world: world.succeed("m-1", accuracy=0.5)),
    ("succeeds without a model", TrainingSimulation.succeed),
    ("succeeds with two models", lambda world: world.succeed("m-1", "m-2", accuracy=0.95)),
    ("fails", TrainingSimulation.fail),
    ("is killed", lambda world: world.fail(exit_code=137, exit_reason="OOMKilled")),
    ("Job deleted", TrainingSimulation.lose_job),
    *((f"hashing {fate}", lambda world, fate=fate: world.hash(fate)) for fate in FATES),
    ("registering Job deleted", TrainingSimulation.lose_hashing),
    ("a minute passes", lambda world: world.wait(minutes=1)),
    ("alias handed over", TrainingSimulation.hand_over),
    ("alias taken by another", _take_alias),
    ("a new leader", _new_leader),
    ("alias moved", _move_alias),
    *(_passes(**length) for length in ({"seconds": 5}, {"minutes": 5}, {"hours": 5}, {"days": 2})),
    *(_suspend(on=on) for on in (True, False)),
    *(_registry(down=down) for down in (True, False)),
    *(_registry_writes(fail=fail) for fail in (True, False)),
    *(_leave_run(status) for status in ("FINISHED", "FAILED", "RUNNING")),
    *(_warn(text) for text in ("", "exceeded quota: gpu", "denied by a policy")),
    ("refuse Jobs", lambda world: world.cluster.refused_kinds.add("Job")),
    ("refuse nothing", lambda world: world.cluster.refused_kinds.clear()),
]
STORY = st.lists(st.sampled_from(ACTIONS), max_size=25)
SPEC = st.fixed_dictionaries(
    {
        "policy": st.fixed_dictionaries(
            {"maxAttempts": st.integers(1, 3)},
            optional={
                "runDeadline": st.sampled_from(["1m", "4h", "off"]),
                "pendingDeadline": st.sampled_from(["1m", "4h", "off"]),
                "ttlSecondsAfterFinished": st.sampled_from([0, 60]),
            },
        )
    },
    optional={"gate": st.just({"rules": [{"metric": "accuracy", "min": 0.9}]}), "suspend": st.booleans()},
)


@settings(max_examples=5 * settings().max_examples)
@given(SPEC, STORY)
def test_the_promises_hold_after_every_write_and_the_world_settles(spec: dict[str, Any], story: list[Action]) -> None:
    world = TrainingSimulation(**spec)
    for name, act in story:
        note(name)
        act(world)
        world.reconcile()
        world.check_settled()


@given(SPEC, STORY)
def test_a_job_is_made_once_for_each_attempt_unless_it_was_deleted_before_it_ran(
    spec: dict[str, Any], story: list[Action]
) -> None:
    world = TrainingSimulation(**spec)
    deleted = 0
    for name, act in story:
        note(name)
        deleted += name == "Job deleted" and world.job is not None
        act(world)
    assert world.jobs_made <= spec["policy"]["maxAttempts"] + deleted


@given(SPEC, STORY, st.sampled_from(["m-1", ""]))
def test_every_story_ends_once_the_registry_answers_and_the_trainer_ends(
    spec: dict[str, Any], story: list[Action], model: str
) -> None:
    world = TrainingSimulation(**spec)
    for name, act in story:
        note(name)
        act(world)
    world.registry.down = world.registry.read_only = False
    world.cluster.refused_kinds.clear()
    world.set_spec(suspend=False)
    for _ in range(2 * MOST_ATTEMPTS):
        world.next_look()
        if world.status.ended:
            break
        world.succeed(*([model] if model else []), accuracy=0.95)
        world.hash("tells")
        world.hand_over()
    else:
        raise AssertionError(f"no end in sight: {world.status}")
    world.reconcile()
    reopened = "run is RUNNING" in [name for name, _ in story]  # someone may do so after the end
    assert reopened or all(run.status != "RUNNING" for run in world.registry.runs)
    assert world.condition("Ready") == ("True" if world.status.phase == "Succeeded" else "False", _reason(world))
    assert world.job is None or world.ended(), "no trainer outlives the end"
    assert len(world.registry.versions) == (world.status.phase == "Succeeded")
    while world.next_look():
        pass
    assert world.cluster.of_kind("Job") == [], "the Jobs go when their time is up"


def _reason(world: TrainingSimulation) -> str:
    return world.status.conditions[0].reason
