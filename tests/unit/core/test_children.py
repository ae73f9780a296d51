"""Which children are written, and which are left alone."""

from typing import Any

from tests.unit.builders import Body, child_of, revision_children, revision_of, serving_body, serving_world

from fairlead.api.model_deployment import RevisionStatus
from fairlead.core.children import applies, conflicts
from fairlead.core.effects import ObjectRef
from fairlead.core.serving.children import wanted_children
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.target import Target, find_target
from fairlead.core.world import ServingWorld

BODY = serving_body(status={"traffic": {"port": 10007}})
NAME = revision_of(BODY)


def wanted(world: ServingWorld) -> list[dict[str, Any]]:
    target = find_target(world)
    assert isinstance(target, Target)
    stable = RevisionStatus(revision=NAME, since=world.now)
    return list(wanted_children(world, Pointers(stable, None, None, ()), target))


def test_only_what_differs_is_written_and_a_new_child_says_so() -> None:
    world = serving_world(BODY, revision_children(BODY))
    assert [(item.ref.kind, item.ref.name, item.absent) for item in applies(world.children, wanted(world))] == [
        ("Service", NAME, True),
        ("Service", "churn", True),
    ]


def test_a_child_that_someone_changed_is_written_again_and_not_as_a_new_one() -> None:
    stored, workload = revision_children(BODY)
    changed = {**workload, "spec": {**workload["spec"], "replicas": 9}}
    world = serving_world(BODY, [stored, changed])
    effects = list(applies(world.children, wanted(world)))
    assert (effects[0].ref, effects[0].absent) == (ObjectRef("Deployment", NAME), False)


def test_a_foreign_object_is_a_conflict_and_is_never_written() -> None:
    theirs: Body = child_of(BODY, {"kind": "Service", "metadata": {"name": "churn"}}, ours=False)
    world = serving_world(BODY, [theirs])
    assert conflicts(world.children, wanted(world)) == [ObjectRef("Service", "churn")]
    assert ObjectRef("Service", "churn") not in [effect.ref for effect in applies(world.children, wanted(world))]
