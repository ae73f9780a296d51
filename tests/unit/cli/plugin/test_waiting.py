"""When a pipeline may go on, must stop, or has to wait."""

from typing import Any

import pytest
from tests.unit.builders import serving_body, training_body
from tests.unit.cli.plugin.statuses import NEW, OLD, condition, ended, evidence, rolled_back, rolling, slot, status

from fairlead.api.resource import parse_model_deployment, parse_training_job
from fairlead.cli.plugin.waiting import Ends, Judgement, Progress, judge_deployment, judge_training, known_ends

DONE, FAILED, PENDING = Progress.DONE, Progress.FAILED, Progress.PENDING
SEVEN = {**status(), "stable": slot(NEW, "7"), "model": {"name": "churn", "version": "7"}}


def judged(
    said: dict[str, Any] | None, version: str = "", *, known: Ends = frozenset(), generation: int = 1
) -> Judgement:
    """Of a ModelDeployment with this status."""
    body = serving_body(status=said, model={"name": "churn", "alias": "candidate"})
    body["metadata"]["generation"] = generation
    return judge_deployment(parse_model_deployment(body), version, known)


def seen_before(said: dict[str, Any]) -> Ends:
    """The ends that were in this status when the waiting began."""
    return known_ends(parse_model_deployment(serving_body(status=said, model={"name": "churn", "alias": "candidate"})))


@pytest.mark.parametrize(
    ("said", "progress"),
    [
        (status(), DONE),
        (rolling(), PENDING),
        (rolling("Held"), PENDING),
        (rolling("Paused"), PENDING),
        (rolling("AwaitingApproval"), PENDING),
        (rolling("Guard"), PENDING),
        (rolled_back(), FAILED),
        (rolled_back(phase="Inconclusive"), FAILED),
        (rolled_back(phase="Failed"), FAILED),
        (
            status(conditions=[condition("RolledOut", "False", "ModelNotFound"), condition("Stalled", "True", "X")]),
            FAILED,
        ),
        (status(conditions=[condition("RolledOut", "False", "RegistryUnavailable")]), PENDING),
        (None, PENDING),
    ],
)
def test_without_a_version_what_the_spec_asks_for_is_waited_for(
    said: dict[str, Any] | None, progress: Progress
) -> None:
    assert judged(said).progress is progress


@pytest.mark.parametrize("said", [status(), SEVEN, rolled_back()])
@pytest.mark.parametrize("version", ["", "6", "7"])
def test_nothing_is_concluded_before_the_operator_has_seen_the_spec(said: dict[str, Any], version: str) -> None:
    found = judged(said, version, generation=2)
    assert found == Judgement(PENDING, "the operator has not seen generation 2 of the spec yet")


def test_a_version_is_out_when_it_is_stable_and_rolled_out() -> None:
    assert judged(SEVEN, "7") == Judgement(DONE, f"version 7 is stable (revision {NEW})")
    assert judged(status(), "7").progress is PENDING
    guarded = {**SEVEN, "phase": "Guard", "conditions": [condition("RolledOut", "False", "TooFewRequests")]}
    assert judged(guarded, "7").progress is PENDING


def test_a_status_that_still_judges_another_revision_is_not_believed() -> None:
    stale = {**SEVEN, "evidence": evidence(candidate="churn-00000000")}
    assert judged(stale, "7").progress is PENDING
    assert judged(stale).progress is PENDING
    assert judged({**SEVEN, "evidence": evidence(candidate=NEW)}, "7").progress is DONE


def test_the_failure_of_another_version_does_not_end_the_waiting() -> None:
    found = judged(rolled_back(), "8", known=seen_before(rolled_back()))
    assert found == Judgement(PENDING, "version 8 is not asked for yet; what is asked for is version 7")


def test_a_version_that_is_quarantined_has_failed_from_the_start() -> None:
    said = rolled_back()
    found = judged(said, "7", known=seen_before(said))
    assert found.progress is FAILED and "ErrorsAboveStable" in found.text
    gone_on = {**said, "model": {"name": "churn", "version": "6"}, "phase": "Stable"}
    found = judged(gone_on, "7", known=seen_before(said))
    assert found.progress is FAILED and found.text.endswith("it is quarantined")


@pytest.mark.parametrize("outcome", ["RolledBack", "Superseded", "Aborted", "Inconclusive"])
def test_an_end_that_comes_while_waiting_is_a_failure_with_its_numbers(outcome: str) -> None:
    said = status(history=[ended("Promoted", OLD, "6"), ended(outcome)])
    found = judged(said, "7", known=frozenset())
    assert found.progress is FAILED
    assert f"version 7 (revision {NEW}): {outcome}, " in found.text and "12 of 60 requests failed" in found.text


@pytest.mark.parametrize("outcome", ["Superseded", "Aborted", "Inconclusive", "RolledBack"])
def test_an_end_of_long_ago_says_nothing_about_a_new_try(outcome: str) -> None:
    said = status(history=[ended(outcome)])
    assert judged(said, "7", known=seen_before(said)).progress is PENDING
    again = rolling(history=[ended(outcome)])
    assert judged(again, "7", known=seen_before(again)).progress is PENDING


def test_a_promotion_that_was_overtaken_counts_and_a_retry_does_not_end_anything() -> None:
    overtaken = rolling(evidence=evidence(candidate="churn-88888888"), history=[ended("Promoted")])
    assert judged(overtaken, "7").progress is DONE
    assert judged(rolling("Guard", history=[ended("Promoted")]), "7").progress is PENDING
    assert judged(rolling(history=[ended("RolledBack"), ended("Retried")]), "7").progress is PENDING


@pytest.mark.parametrize(
    ("phase", "progress"),
    [("Succeeded", DONE), ("Failed", FAILED), ("Running", PENDING), ("Suspended", PENDING), (None, PENDING)],
)
def test_a_training_is_waited_for_until_it_has_ended(phase: str | None, progress: Progress) -> None:
    said = {"phase": phase, "modelVersion": {"name": "churn", "version": "7"}} if phase else {}
    assert judge_training(parse_training_job(training_body(status=said))).progress is progress
