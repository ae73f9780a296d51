"""Which children are wanted, written and deleted."""

from dataclasses import replace
from typing import Any

from tests.unit.builders import NOW, child_of, revision_children, revision_of, serving_body, serving_world

from fairlead.api.model_deployment import RevisionStatus
from fairlead.api.reasons import Reason
from fairlead.core.findings import Finding
from fairlead.core.serving.children import deletions, wanted_children
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.target import Target, find_target
from fairlead.core.world import ServingWorld
from fairlead.render.serving import render_service

UNKNOWN = Finding(Reason.REGISTRY_UNAVAILABLE, "no answer")
BODY = serving_body()
NAME = revision_of(BODY)
TOLD = serving_body(status={"traffic": {"port": 10007}})


def slot(revision: str) -> RevisionStatus:
    return RevisionStatus(revision=revision, since=NOW)


def pointers(stable: str = "", candidate: str = "", previous: str = "") -> Pointers:
    one, two, three = (slot(name) if name else None for name in (stable, candidate, previous))
    return Pointers(one, two, three, quarantine=())


def target(world: ServingWorld) -> Target:
    found = find_target(world)
    assert isinstance(found, Target)
    return found


def names(wanted: list[dict[str, Any]]) -> list[str]:
    return [f"{item['kind']} {item['metadata']['name']}" for item in wanted]


def test_a_first_candidate_gets_its_children_and_the_service_at_the_end() -> None:
    world = serving_world(TOLD)
    wanted = list(wanted_children(world, pointers(candidate=NAME), target(world)))
    assert names(wanted) == [f"ControllerRevision {NAME}", f"Deployment {NAME}", f"Service {NAME}", "Service churn"]
    assert wanted[-1]["spec"]["ports"][0]["targetPort"] == 10007


def test_the_service_waits_until_the_gateway_was_told_its_port_and_for_nothing_else() -> None:
    nobody = pointers()
    assert names(list(wanted_children(serving_world(BODY), nobody, UNKNOWN))) == []
    assert names(list(wanted_children(serving_world(TOLD), nobody, UNKNOWN))) == ["Service churn"]


def test_a_stored_revision_is_used_as_it_is_and_a_new_one_gets_the_next_number() -> None:
    other = serving_body(container={"image": "example/churn:2"})
    old = revision_of(other)
    world = serving_world(BODY, revision_children(other, number=4))
    world = replace(world, defaults=replace(world.defaults, image_pull_policy="Always"))
    wanted = list(wanted_children(world, pointers(stable=old, candidate=NAME), target(world)))
    numbers = {item["metadata"]["name"]: item["revision"] for item in wanted if item["kind"] == "ControllerRevision"}
    pulls = {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"]
        for item in wanted
        if item["kind"] == "Deployment"
    }
    assert numbers == {old: 4, NAME: 5}
    assert pulls == {old: "IfNotPresent", NAME: "Always"}


def test_the_roles_are_marked_and_a_past_revision_loses_its_mark() -> None:
    other = serving_body(container={"image": "example/churn:2"})
    past = serving_body(container={"image": "example/churn:3"})
    objects = [*revision_children(other, role="candidate"), *revision_children(past, role="previous")]
    world = serving_world(BODY, objects)
    wanted = list(wanted_children(world, pointers(stable=revision_of(other)), UNKNOWN))
    marks = {
        item["metadata"]["name"]: item["metadata"]["annotations"]["fairlead.dev/role"]
        for item in wanted
        if item["kind"] == "ControllerRevision"
    }
    assert marks == {revision_of(other): "stable", revision_of(past): ""}


def test_the_service_speaks_the_protocol_that_the_gateway_was_told() -> None:
    world = serving_world(serving_body(status={"traffic": {"port": 10007, "protocol": "grpc"}}))
    wanted = list(wanted_children(world, pointers(), UNKNOWN))
    assert wanted[-1]["spec"]["ports"][0]["name"] == "grpc"


def test_a_live_revision_that_was_lost_is_neither_rendered_nor_deleted() -> None:
    _, workload = revision_children(BODY)
    service = child_of(BODY, render_service(serving_world(BODY).resource.meta, port=10007, protocol=None))
    world = serving_world(BODY, [workload, service])
    wanted = list(wanted_children(world, pointers(stable=NAME), UNKNOWN))
    assert wanted == []
    assert list(deletions(world, pointers(stable=NAME), wanted)) == []


def test_children_of_ours_that_nobody_asks_for_are_deleted_by_uid_and_foreign_ones_are_not() -> None:
    stray = child_of(BODY, {"kind": "Deployment", "metadata": {"name": "churn-old"}}, uid="uid-old")
    theirs = child_of(BODY, {"kind": "Deployment", "metadata": {"name": "churn-theirs"}}, ours=False)
    world = serving_world(BODY, [stray, theirs])
    found = list(deletions(world, pointers(candidate=NAME), []))
    assert [(item.ref.name, item.uid) for item in found] == [("churn-old", "uid-old")]


def test_what_the_traffic_still_names_is_not_deleted() -> None:
    stray = child_of(BODY, {"kind": "Deployment", "metadata": {"name": "churn-old"}})
    for revision, kept in (("churn-old", True), (NAME, False)):
        traffic = {"port": 10007, "arms": [{"revision": revision, "weight": 100}]}
        world = serving_world(serving_body(status={"traffic": traffic}), [stray])
        assert (list(deletions(world, pointers(stable=NAME), [])) == []) is kept


def test_the_service_itself_is_never_deleted() -> None:
    service = child_of(BODY, {"kind": "Service", "metadata": {"name": "churn"}, "spec": {}})
    assert list(deletions(serving_world(BODY, [service]), pointers(), [])) == []
