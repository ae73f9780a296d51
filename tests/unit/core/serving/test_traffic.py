"""What `status.traffic` says next, and when its generation grows."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.builders import NOW, Body, gateway_facts, revision_children, revision_of, serving_body, serving_world

from fairlead.api.model_deployment import RevisionStatus
from fairlead.api.reasons import Reason
from fairlead.api.traffic import Traffic
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.traffic import next_traffic, protocol_of
from fairlead.core.world import Report

BODY = serving_body()
NAME = revision_of(BODY)
GRPC = serving_body(container={"image": "example/churn:0", "protocol": "grpc"})
OLD_NAME = revision_of(GRPC)
NOBODY = Pointers(None, None, None, ())


def slot(revision: str) -> RevisionStatus:
    return RevisionStatus(revision=revision, since=NOW)


STABLE = Pointers(slot(NAME), None, None, ())
OLD_STABLE = Pointers(slot(OLD_NAME), None, None, ())
COMING = Pointers(slot(OLD_NAME), slot(NAME), None, ())


def looked(
    pointers: Pointers,
    *,
    body: Body = BODY,
    reason: Reason = Reason.STARTING,
    before: Traffic | None = None,
    **world: Any,
) -> Traffic:
    known = [*revision_children(BODY), *revision_children(GRPC)]
    status = {"status": {"traffic": before.wire()}} if before else {}
    return next_traffic(serving_world({**body, **status}, known, **world), pointers, reason)


def test_all_of_it_goes_to_stable_or_there_is_none_with_a_reason() -> None:
    traffic = looked(STABLE)
    assert [(arm.revision, arm.role, arm.weight, arm.failover) for arm in traffic.arms] == [(NAME, "stable", 100, "")]
    assert (traffic.unavailable_reason, traffic.port, traffic.request_timeout) == ("", 10000, "60s")
    traffic = looked(NOBODY, reason=Reason.CONTAINER_CRASHED)
    assert (traffic.arms, traffic.unavailable_reason, traffic.port) == ((), "ContainerCrashed", 10000)


def test_the_revision_that_was_replaced_stands_by_with_no_share_while_its_pods_last() -> None:
    replaced = Pointers(slot(NAME), None, slot(OLD_NAME), ())
    found = [(arm.revision, arm.role, arm.weight) for arm in looked(replaced).arms]
    assert found == [(NAME, "stable", 100), (OLD_NAME, "previous", 0)]
    assert [arm.revision for arm in looked(Pointers(slot(NAME), None, slot(NAME), ())).arms] == [NAME]
    assert looked(Pointers(None, slot(NAME), slot(OLD_NAME), ())).arms == ()


def test_the_first_traffic_is_the_first_generation() -> None:
    assert (looked(NOBODY).generation, looked(NOBODY, epoch=3).epoch) == (1, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"pointers": OLD_STABLE},
        {"pointers": NOBODY},
        {"port": 10001},
        {"port": None},
        {"body": serving_body(requestTimeout="5s")},
    ],
)
def test_the_generation_grows_with_everything_that_the_gateway_acts_on(change: dict[str, Any]) -> None:
    before = looked(STABLE)
    after = looked(**{"pointers": STABLE, "before": before, **change})
    assert after.generation == before.generation + 1


def test_another_reason_why_nothing_serves_is_told_by_the_gateway_too() -> None:
    before = looked(NOBODY)
    assert looked(NOBODY, reason=Reason.OUT_OF_MEMORY, before=before).generation == before.generation + 1


@pytest.mark.parametrize("body", [BODY, serving_body(replicas=5), serving_body(revisionHistoryLimit=1)])
def test_the_generation_grows_with_nothing_else(body: Body) -> None:
    before = looked(OLD_STABLE)
    for pointers in (OLD_STABLE, COMING):
        assert looked(pointers, body=body, before=before, reason=Reason.SCALING).generation == before.generation


def test_what_a_later_operator_would_write_is_taken_back_with_a_generation_of_its_own() -> None:
    later = looked(STABLE).model_copy(update={"latency_limit": "250ms"})
    after = looked(STABLE, before=later)
    assert (after.latency_limit, after.generation) == ("off", later.generation + 1)


@pytest.mark.parametrize(
    ("pointers", "epoch", "expected"),
    [(OLD_STABLE, 9, 4), (COMING, 9, 9), (STABLE, 9, 9), (STABLE, 2, 4), (COMING, 2, 4)],
)
def test_the_epoch_is_stamped_on_what_moves_and_never_falls(pointers: Pointers, epoch: int, expected: int) -> None:
    before = looked(OLD_STABLE).model_copy(update={"epoch": 4})
    assert looked(pointers, before=before, epoch=epoch).epoch == expected


def test_where_a_status_was_lost_the_generation_goes_on_from_what_the_gateways_serve() -> None:
    facts = gateway_facts()
    reports = {"gateway-0": Report(7, 1), "gateway-1": Report(6, 1)}
    assert looked(STABLE, gateway=replace(facts, reports=reports)).generation == 8
    known = looked(STABLE).model_copy(update={"port": 10005})
    assert looked(STABLE, before=known, gateway=replace(facts, reports=reports)).generation == 2


def test_the_protocol_is_the_one_of_the_revision_that_serves() -> None:
    assert looked(STABLE).protocol == "http"
    assert looked(COMING).protocol == "grpc"
    assert looked(Pointers(None, slot(OLD_NAME), None, ())).protocol == "grpc"


def test_a_first_candidate_that_is_not_stored_yet_speaks_what_the_spec_says() -> None:
    for spec, expected in (({}, "http"), ({"container": {"image": "a", "protocol": "grpc"}}, "grpc")):
        world = serving_world(serving_body(**spec))
        assert next_traffic(world, Pointers(None, slot("new"), None, ()), Reason.STARTING).protocol == expected
    model = serving_world(serving_body(model={"name": "churn", "alias": "candidate"}))
    assert next_traffic(model, Pointers(None, slot("new"), None, ()), Reason.STARTING).protocol == "http"


def test_a_revision_that_was_lost_speaks_what_it_spoke() -> None:
    before = looked(COMING)
    world = serving_world({**BODY, "status": {"traffic": before.wire()}})
    assert next_traffic(world, COMING, Reason.STARTING).protocol == "grpc"
    assert next_traffic(world, NOBODY, Reason.STARTING).protocol == "grpc"


@pytest.mark.parametrize(
    ("inputs", "protocol"),
    [
        ({}, "http"),
        ({"container": None}, "http"),
        ({"container": {"protocol": "grpc"}}, "grpc"),
        ({"container": {"protocol": "odd"}}, "http"),
    ],
)
def test_inputs_that_say_nothing_mean_http(inputs: dict[str, Any], protocol: str) -> None:
    assert protocol_of(inputs) == protocol
