"""When the pods of a replaced revision may go."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.builders import NOW, gateway_facts, serving_body, serving_world

from fairlead.api.model_deployment import RevisionStatus
from fairlead.core.serving.retirement import REPORT_SECONDS, may_retire, retirement_seconds
from fairlead.core.world import Report, ServingWorld

STANDS_BY = {"revision": "old", "role": "previous", "weight": 0}
MOVED = {"generation": 7, "arms": [{"revision": "new", "weight": 100}, STANDS_BY]}


def previous(age_seconds: float) -> RevisionStatus:
    return RevisionStatus(revision="old", since=NOW - timedelta(seconds=age_seconds))


def world(traffic: dict[str, Any] | None = None, **changes: Any) -> ServingWorld:
    return serving_world(serving_body(status={"traffic": MOVED if traffic is None else traffic}), **changes)


def told(*generations: int | None) -> ServingWorld:
    """A world whose ready gateway pods say these generations; None: this one says nothing."""
    facts = gateway_facts(ready=len(generations), of=len(generations))
    said = {f"gateway-{number}": Report(it, 1) for number, it in enumerate(generations) if it is not None}
    return world(gateway=replace(facts, reports=said))


@pytest.mark.parametrize(("age_seconds", "over"), [(29, False), (30, True)])
def test_the_grace_is_kept(age_seconds: float, over: bool) -> None:
    assert may_retire(told(7, 7), previous(age_seconds)) is over


@pytest.mark.parametrize(
    ("generations", "over"),
    [((7, 8), True), ((7, 6), False), ((6, 6), False), ((7, None), False), ((), True)],
)
def test_every_ready_gateway_pod_has_let_go(generations: tuple[int | None, ...], over: bool) -> None:
    assert may_retire(told(*generations), previous(60)) is over


@pytest.mark.parametrize(
    ("generations", "age_seconds", "over"), [((7, None), 599, False), ((7, None), 600, True), ((6, None), 10**6, False)]
)
def test_a_pod_that_says_nothing_is_waited_for_ten_minutes_and_one_that_is_behind_for_ever(
    generations: tuple[int | None, ...], age_seconds: float, over: bool
) -> None:
    assert may_retire(told(*generations), previous(age_seconds)) is over


def test_what_a_pod_that_is_not_ready_serves_does_not_matter() -> None:
    facts = gateway_facts(Report(6, 1), ready=0)
    assert may_retire(world(gateway=replace(facts, reports={"gateway-0": Report(6, 1)})), previous(60))


def test_a_revision_that_the_traffic_still_names_stays_whatever_is_told() -> None:
    named = {"generation": 7, "arms": [{"revision": "old", "weight": 100}]}
    assert not may_retire(world(named, gateway=gateway_facts(Report(7, 1))), previous(60))


def test_without_any_traffic_there_is_nothing_to_wait_for() -> None:
    assert may_retire(serving_world(serving_body(), gateway=gateway_facts(Report(0, 0))), previous(60))


def test_the_next_look_comes_when_the_grace_is_over_and_again_while_a_gateway_is_behind() -> None:
    assert retirement_seconds(told(7, 7), previous(10)) == 20
    assert retirement_seconds(told(7, 6), previous(10)) == 20
    assert retirement_seconds(told(7, 6), previous(60)) == REPORT_SECONDS
    assert retirement_seconds(told(7, 7), previous(60)) == 0
