"""Which revision a request is about."""

from typing import Any

import pytest
from tests.unit.builders import serving_body
from tests.unit.cli.plugin.statuses import NEW, OLD, ended, evidence, rolled_back, rolling, slot, status

from fairlead.api.request import Verb
from fairlead.api.resource import ModelDeployment, parse_model_deployment
from fairlead.cli.plugin.binding import Ambiguous, Bound, Unbound, bind

OF_A_ROLLOUT = (Verb.PROMOTE, Verb.ABORT, Verb.PAUSE, Verb.RESUME, Verb.APPROVE)


def resource(said: dict[str, Any] | None) -> ModelDeployment:
    """A ModelDeployment with this status."""
    return parse_model_deployment(serving_body(status=said, model={"name": "churn", "alias": "candidate"}))


@pytest.mark.parametrize("verb", OF_A_ROLLOUT)
def test_a_rollout_is_about_its_candidate(verb: Verb) -> None:
    assert bind(resource(rolling()), verb) == Bound(NEW, "candidate, version 7")
    coming = {**status("Starting"), "candidate": slot(NEW, "7")}
    assert bind(resource(coming), verb) == Bound(NEW, "candidate, version 7")


@pytest.mark.parametrize("verb", OF_A_ROLLOUT)
def test_in_the_guard_it_is_about_stable(verb: Verb) -> None:
    said = {
        **status("Guard"),
        "stable": slot(NEW, "7"),
        "previous": slot(OLD, "6"),
        "evidence": evidence(stage="Guard"),
    }
    assert bind(resource(said), verb) == Bound(NEW, "stable, in its guard, version 7")


@pytest.mark.parametrize("verb", Verb)
def test_where_there_is_nothing_that_is_said(verb: Verb) -> None:
    with pytest.raises(Unbound, match=f"^{verb} churn: no "):
        bind(resource(None), verb)


@pytest.mark.parametrize("verb", Verb)
def test_a_revision_that_it_is_not_about_is_refused_with_what_there_is(verb: Verb) -> None:
    with pytest.raises(Unbound, match="got --revision churn-99999999"):
        bind(resource(rolling()), verb, "churn-99999999")


def test_the_revision_that_it_is_about_may_be_named() -> None:
    assert bind(resource(rolling()), Verb.ABORT, NEW).revision == NEW


def test_a_refresh_is_about_stable() -> None:
    assert bind(resource(rolling()), Verb.REFRESH) == Bound(OLD, "stable, version 6")


def test_a_retry_is_about_the_only_one_that_is_quarantined_or_held_back() -> None:
    assert bind(resource(rolled_back()), Verb.RETRY) == Bound(NEW, "quarantined, version 7")
    for outcome in ("Inconclusive", "Aborted", "RolledBack"):
        said = status(history=[ended(outcome)])
        assert bind(resource(said), Verb.RETRY) == Bound(NEW, f"{outcome}, version 7")


@pytest.mark.parametrize("history", [[ended("Promoted")], [ended("Inconclusive"), ended("Retried")]])
def test_what_was_promoted_or_retried_is_not_held_back(history: list[dict[str, Any]]) -> None:
    with pytest.raises(Unbound, match="no revision is quarantined or held back"):
        bind(resource(status(history=history)), Verb.RETRY)


def test_what_is_tried_now_or_serves_is_not_held_back() -> None:
    with pytest.raises(Unbound):
        bind(resource(rolling(history=[ended("Inconclusive"), ended("Aborted", OLD, "6")])), Verb.RETRY)


def test_of_several_one_has_to_be_named() -> None:
    said = rolled_back(history=[ended("RolledBack"), ended("Aborted", "churn-77777777", "8")])
    with pytest.raises(Ambiguous, match=rf"--revision: {NEW} \(quarantined, version 7\), churn-77777777 \(Aborted"):
        bind(resource(said), Verb.RETRY)
    assert bind(resource(said), Verb.RETRY, "churn-77777777") == Bound("churn-77777777", "Aborted, version 8")
