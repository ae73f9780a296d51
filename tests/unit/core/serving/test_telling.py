"""What the registry has to hear of rollouts that have ended."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.builders import NOW, serving_body
from tests.unit.core.serving.test_decide import served_model, version

from fairlead.api.model_deployment import ModelDeploymentStatus, RevisionStatus
from fairlead.api.reasons import Reason
from fairlead.api.resource import ModelDeployment, parse_model_deployment
from fairlead.api.rollout_status import Decision, Evidence, HistoryEntry, Outcome
from fairlead.core.effects import Plan
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.telling import alias_conflict, name_of, what_to_tell, with_told
from fairlead.core.world import Alias, Allowed, ModelRule, RegistryProblem


def entry(
    number: int, outcome: Outcome = Outcome.PROMOTED, *, told: bool = False, version: str = "", **changes: Any
) -> HistoryEntry:
    ended = NOW + timedelta(minutes=number)
    why = Reason.PROMOTED if outcome is Outcome.PROMOTED else Reason.ERRORS_ABOVE_STABLE
    return HistoryEntry(
        revision=f"churn-{number}",
        model_version=version or str(number),
        outcome=outcome,
        ended=ended,
        told=told,
        **{"reason": why.value, "message": "12 of 60 requests failed", **changes},
    )


def resource(*history: HistoryEntry, stable: str = "churn-2", guard_of: str = "", **model: Any) -> ModelDeployment:
    """One that serves `stable`; `guard_of`: it has just been promoted, and may still go back to this one."""
    body = serving_body(model={"name": "churn", "alias": "candidate", **model})
    slot = RevisionStatus(revision=stable, model_version="2", since=NOW)
    status = ModelDeploymentStatus(phase=None, stable=slot, history=history)
    if guard_of:
        rules = {"steps": 1, "weight": 95.0, "step": 2, "stage": "Guard", "policy": "{}", "state": "{}"}
        on = Evidence(candidate=stable, incumbent=guard_of, since=NOW, updated=NOW, **rules)
        status = status.model_copy(update={"evidence": on})
    return parse_model_deployment(body | {"status": status.wire()})


def test_the_newest_promotion_moves_the_alias_and_every_end_becomes_tags() -> None:
    told = what_to_tell(resource(entry(1), entry(2), entry(3, Outcome.ROLLED_BACK)), Allowed())
    assert [(it.version, it.alias) for it in told] == [("1", ""), ("2", "champion"), ("3", "")]
    assert told[2].tags["fairlead.rollout"] == "RolledBack"
    assert told[2].tags["fairlead.rollout.reason"] == "ErrorsAboveStable"
    record = json.loads(told[2].tags["fairlead.rollout.record"])
    assert (record["modelDeployment"], record["message"]) == ("team/churn", "12 of 60 requests failed")
    assert "told" not in record


def test_what_was_told_is_not_told_again() -> None:
    assert what_to_tell(resource(entry(1, told=True), entry(2, told=True)), Allowed()) == ()


@pytest.mark.parametrize(
    ("model", "alias"),
    [({}, "champion"), ({"promoteAlias": "live"}, "live"), ({"promoteAlias": ""}, ""), ({"alias": "champion"}, "")],
)
def test_the_alias_is_the_one_of_the_spec_unless_the_spec_follows_it_anyway(model: dict[str, str], alias: str) -> None:
    assert [it.alias for it in what_to_tell(resource(entry(2), **model), Allowed())] == [alias]


def test_a_promotion_that_was_undone_since_moves_no_alias() -> None:
    assert [it.alias for it in what_to_tell(resource(entry(2), stable="churn-1"), Allowed())] == [""]


def test_while_a_newer_version_is_in_its_guard_the_one_that_would_take_over_again_gets_the_alias() -> None:
    told = what_to_tell(resource(entry(2), stable="churn-3", guard_of="churn-2"), Allowed())
    assert [(it.version, it.alias) for it in told] == [("2", "champion")]


@pytest.mark.parametrize("reason", [Reason.ANALYSIS_INCONCLUSIVE, Reason.ERRORS_ABOVE_STABLE])
def test_a_version_that_stays_without_having_passed_its_guard_moves_no_alias(reason: Reason) -> None:
    told = what_to_tell(resource(entry(2, reason=reason.value)), Allowed())
    assert [(it.tags["fairlead.rollout"], it.alias) for it in told] == [("Promoted", "")]


def test_news_go_to_the_model_of_their_version_whatever_the_spec_names_now() -> None:
    told = what_to_tell(resource(entry(1, model="churn"), entry(2, model="old")), Allowed())
    assert [(it.model, it.version, it.alias) for it in told] == [("churn", "1", ""), ("old", "2", "")]
    closed = Allowed(models=(ModelRule(("*",), ("churn",)),))
    assert [it.model for it in what_to_tell(resource(entry(1, model="churn"), entry(2, model="old")), closed)] == [
        "churn"
    ]


def test_a_record_too_long_for_a_tag_loses_old_decisions_first_and_stays_json() -> None:
    step = Decision(at=NOW, action="advance", reason="StepPassed", weight=5)
    steps = tuple(step.model_copy(update={"weight": weight}) for weight in (5.0, 25.0, 50.0))

    def record(message: str) -> tuple[int, Any]:
        found = entry(2, message=message, decisions=steps)
        text = what_to_tell(resource(found), Allowed())[0].tags["fairlead.rollout.record"]
        return len(text), json.loads(text)

    _, short = record("few words")
    assert [step["weight"] for step in short["decisions"]] == [5, 25, 50]
    length, long = record("語" * 560)
    assert length <= 4000 and long["message"] == "語" * 560
    assert [step["weight"] for step in long["decisions"]] == [25, 50]
    length, longest = record("語" * 1024)
    assert 3900 < length <= 4000
    assert longest["decisions"] == [] and longest["message"].startswith("語" * 500)


def test_a_roll_back_while_the_registry_is_down_is_kept_for_it_until_it_has_heard() -> None:
    world = served_model()
    world.edit(container={"image": "example/crash:1"})
    world.model = version("2")
    world.reconcile()
    world.model = RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")
    world.settle(120)
    assert [item.model_version for item in (world.status.stable,) if item] == ["1"]
    assert len(world.status.quarantine) == 1
    (kept,) = world.status.history
    assert (kept.outcome, kept.model, kept.model_version, kept.told) == ("RolledBack", "churn", "2", False)
    world.edit(model=None)
    world.settle(10)
    assert [it.told for it in world.status.history] == [False], "a spec without a model takes nothing from the registry"
    world.settings["told"] = frozenset({name_of(kept)})
    world.reconcile()
    assert [it.told for it in world.status.history] == [True]
    world.settle(120)
    assert world.plan() == Plan()


def test_of_a_model_that_the_namespace_may_not_use_nothing_is_told() -> None:
    closed = Allowed(models=(ModelRule(("*",), ("other-*",)),))
    assert what_to_tell(resource(entry(2)), closed) == ()


@pytest.mark.parametrize(
    ("alias", "said"),
    [
        (Alias(), ""),
        (Alias("1", "us/team"), ""),
        (Alias("1", "", trained=True), ""),
        (Alias("2", ""), ""),
        (Alias("1", ""), "nobody is named as its writer"),
        (Alias("1", "them/team"), "is written by them/team"),
        (Alias("", "them/team"), "is written by them/team"),
    ],
)
def test_an_alias_has_one_writer(alias: Alias, said: str) -> None:
    telling = what_to_tell(resource(entry(2)), Allowed())[0]
    why = alias_conflict(telling, alias, "us/team")
    assert said in why and bool(why) == bool(said)


def test_what_the_registry_has_heard_is_marked_and_what_is_in_none_needs_no_telling() -> None:
    nameless = entry(3).model_copy(update={"model_version": ""})
    pointers = Pointers(None, None, None, (), history=(entry(1), entry(2), nameless))
    heard = with_told(pointers, frozenset({name_of(entry(1))}), registered=True)
    assert [it.told for it in heard.history] == [True, False, True]
    assert [it.told for it in with_told(pointers, frozenset(), registered=False).history] == [True, True, True]
    named = replace(pointers, history=(entry(1, model="churn"),))
    assert [it.told for it in with_told(named, frozenset(), registered=False).history] == [False]
    assert with_told(heard, frozenset(), registered=True) is heard
