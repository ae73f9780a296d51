"""The gateway of a namespace: what is written, when, and what is left alone."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.builders import GATEWAY_DEFAULTS, Body, gateway_objects, gateway_world, owner

from fairlead.api.names import ANNOTATION_APPLIED
from fairlead.core.effects import Apply, ObjectRef
from fairlead.core.gateway import POLL_SECONDS, decide_gateway, gateway_conflict, is_gateway_object

KINDS = ["ServiceAccount", "RoleBinding", "Deployment", "PodDisruptionBudget"]


def written(world: Any) -> list[str]:
    effects = decide_gateway(world).effects
    return [item.ref.kind for item in effects if isinstance(item, Apply)]


def foreign(body: Body) -> Body:
    return {**body, "metadata": {**body["metadata"], "ownerReferences": [], "annotations": {}}}


def test_a_first_model_deployment_gets_all_of_it_and_pods_come_after_what_they_may_do() -> None:
    assert written(gateway_world()) == KINDS


def test_what_is_in_place_costs_no_write_and_no_other_look() -> None:
    plan = decide_gateway(gateway_world(objects=gateway_objects()))
    assert (plan.effects, plan.requeue_after_seconds) == ((), None)


def test_a_second_owner_is_written_on_every_object_and_one_that_is_gone_leaves_it() -> None:
    one, two = owner("a", "1"), owner("b", "2")
    assert written(gateway_world(one, two, objects=gateway_objects(one))) == KINDS
    assert written(gateway_world(two, objects=gateway_objects(one, two))) == KINDS
    assert written(gateway_world(two, one, objects=gateway_objects(one, two))) == []


def test_without_a_model_deployment_nothing_is_done() -> None:
    world = replace(gateway_world(objects=gateway_objects()), owners=())
    assert decide_gateway(world).effects == ()


def test_another_image_writes_the_deployment_alone() -> None:
    world = gateway_world(objects=gateway_objects(), defaults=replace(GATEWAY_DEFAULTS, image="example/gateway:2"))
    assert written(world) == ["Deployment"]


def test_a_foreign_object_stops_everything_and_is_looked_at_again() -> None:
    *others, budget = gateway_objects()
    world = gateway_world(objects=[foreign(budget)])
    plan = decide_gateway(world)
    assert (plan.effects, plan.requeue_after_seconds) == ((), POLL_SECONDS)
    assert gateway_conflict(world) == ObjectRef("PodDisruptionBudget", "fairlead-gateway")
    assert gateway_conflict(gateway_world(objects=[*others, budget])) is None


def test_a_refusal_is_tried_again_later() -> None:
    plan = decide_gateway(gateway_world(refused="no"))
    assert (plan.effects, plan.requeue_after_seconds) == ((), POLL_SECONDS)


def test_a_binding_that_the_chart_has_made_as_we_would_serves_as_well() -> None:
    account, binding, deployment, budget = gateway_objects()
    world = gateway_world(objects=[account, foreign(binding), deployment, budget])
    assert (decide_gateway(world).effects, gateway_conflict(world)) == ((), None)
    other = {**foreign(binding), "roleRef": {**binding["roleRef"], "name": "cluster-admin"}}
    assert gateway_conflict(gateway_world(objects=[other])) == ObjectRef("RoleBinding", "fairlead-gateway")


def test_where_the_chart_binds_the_operator_does_not() -> None:
    world = gateway_world(defaults=replace(GATEWAY_DEFAULTS, binds=False))
    assert written(world) == ["ServiceAccount", "Deployment", "PodDisruptionBudget"]


MD: Body = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "ModelDeployment", "name": "churn", "uid": "1"}


@pytest.mark.parametrize(
    ("owners", "ours"),
    [
        ([MD], True),
        ([MD, {**MD, "uid": "2"}], True),
        ([], False),
        ([{**MD, "controller": True}], False),
        ([{**MD, "apiVersion": "example.org/v1"}], False),
        ([{**MD, "kind": "TrainingJob"}], False),
        ([MD, {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "3"}], False),
        (None, False),
    ],
)
def test_an_object_is_the_gateway_s_when_model_deployments_and_nobody_else_own_it(owners: Any, ours: bool) -> None:
    assert is_gateway_object({"metadata": {"name": "fairlead-gateway", "ownerReferences": owners}}) is ours


def test_an_object_that_was_orphaned_is_the_gateway_s_by_the_hash_of_what_was_applied() -> None:
    meta = {"name": "fairlead-gateway", "annotations": {ANNOTATION_APPLIED: "0123456789abcdef"}}
    assert is_gateway_object({"metadata": meta})
    assert not is_gateway_object({"metadata": {**meta, "ownerReferences": [{**MD, "controller": True}]}})
