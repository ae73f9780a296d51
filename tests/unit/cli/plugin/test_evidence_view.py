"""Evidence and decisions in plain words."""

import re
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.builders import NOW
from tests.unit.cli.plugin.statuses import NEW, OLD, decision, evidence

from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.rollout_status import Evidence
from fairlead.cli.plugin.bars import PLAIN
from fairlead.cli.plugin.evidence_view import describe_decisions, describe_evidence, explain_decisions
from fairlead.cli.plugin.words import STAGES
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.record import dump_policy, dump_state
from fairlead.core.evidence.state import Recent, Stage
from fairlead.core.rollout.decide import begin


def parsed(**other: Any) -> Evidence:
    """The evidence with other numbers."""
    return Evidence.model_validate(evidence(**other))


def told(**other: Any) -> list[str]:
    """The lines about it."""
    return [line.plain for line in describe_evidence(parsed(**other), NOW, PLAIN)]


def test_the_numbers_stand_against_what_they_are_measured_by() -> None:
    assert told() == [
        f"Rollout    {NEW} against {OLD}, for 5m",
        "           step 1 of 3, at 5%: the candidate is judged at its share",
        f"Verdict    unknown, TooFewRequests: {EXPLAINED[Reason.TOO_FEW_REQUESTS].meaning}",
        "Requests   [##################......] 112 of 150, 1 failure",
        "Watched    [########################] 5m of 30s",
        "Fast       [######..................] 3.16, brakes at 100",
        "Sure       [........................] 0.8, rolls back at 200",
        "           numbers of 8s ago",
    ]


def test_what_the_traffic_is_worth_is_told() -> None:
    policy = Policy()
    recent = Recent(seconds=60, attempts=600, stable_attempts=5400, stable_failures=27)
    state = replace(begin(policy), recent=recent)
    lines = told(policy=dump_policy(policy), state=dump_state(state))
    (line,) = [line for line in lines if line.startswith("Power")]
    assert re.fullmatch(r"Power +a version that fails 6% of its requests would be braked within about \d+s", line)


def test_a_shadow_is_no_step_and_fast_evidence_holds_it() -> None:
    lines = told(stage="Shadow", step=0, weight=0.0)
    assert lines[1] == f"           shadow, at 0%: {STAGES[Stage.SHADOW]}"
    assert lines[5].endswith("3.16, holds at 100")


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_is_told(stage: Stage) -> None:
    assert any(STAGES[stage] in line for line in told(stage=stage))


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_told(reason: Reason) -> None:
    assert any(EXPLAINED[reason].meaning in line for line in told(reason=reason))


def test_a_stage_and_a_verdict_of_a_newer_operator_do_not_break_anything() -> None:
    assert any("a stage that this kubectl-fairlead does not know" in line for line in told(stage="Shadow2"))
    assert told(verdict="maybe", reason="")[2] == "Verdict    maybe"


def test_observing_and_pausing_are_told() -> None:
    assert "           told only: checks.mode is observe" in told(acts=False)
    assert "           paused by request" in told(paused=True)


def test_the_last_five_decisions_are_listed_with_the_newest_first() -> None:
    made = [decision("advance", weight) for weight in range(1, 8)]
    lines = [line.plain for line in describe_decisions(parsed(decisions=made))]
    assert [line.split()[3] for line in lines[2:]] == ["7%", "6%", "5%", "4%", "3%"]


BRAKE = {"requests": 40, "failures": 9, "fast": 130.0, "sure": 3.0}


def test_each_decision_is_explained_by_its_numbers_and_the_threshold_of_its_time() -> None:
    begun, braked = decision("begin", 5, "TooFewRequests"), decision("brake", 5, "ErrorsAboveStable", **BRAKE)
    lines = [line.plain for line in explain_decisions(parsed(decisions=[begun, braked, braked]))]
    assert lines[:3] == [
        "2026-05-04 11:55:00Z  the rollout began; its share from then on: 5%",
        f"  because: TooFewRequests: {EXPLAINED[Reason.TOO_FEW_REQUESTS].meaning}",
        "  evidence: fast 0 (it brakes at 100), sure 0 (it rolls back at 200)",
    ]
    assert lines[3:7] == [
        "2026-05-04 11:55:00Z  the candidate was braked; its share from then on: 5%",
        f"  because: ErrorsAboveStable: {EXPLAINED[Reason.ERRORS_ABOVE_STABLE].meaning}",
        "  seen: 40 requests of the candidate, of which 9 failed, and not on stable too",
        "  evidence: fast 130 (it brakes at 100), sure 3 (it rolls back at 200)",
    ]
    assert lines[-1] == "  evidence: fast 130 (it brakes at 200), sure 3 (it rolls back at 200)"


@pytest.mark.parametrize("policy", ["", "[]", "{}", '{"alpha": 0}', '{"alpha": "x"}'])
def test_a_threshold_that_is_not_known_is_left_out(policy: str) -> None:
    lines = [line.plain for line in explain_decisions(parsed(policy=policy))]
    assert lines[-1] == "  evidence: fast 0, sure 0 (it rolls back at 200)"


def test_a_threshold_is_not_guessed_when_the_first_brakes_are_no_longer_kept() -> None:
    lines = [line.plain for line in explain_decisions(parsed(decisions=[decision("brake", 5, **BRAKE)]))]
    assert "brakes at" not in lines[-1]
