"""The ordered list of checks."""

from dataclasses import replace
from typing import Any

import pytest

from fairlead.api.reasons import Reason
from fairlead.core.evidence.betting import Capital
from fairlead.core.evidence.counting import ArmCount, Kept
from fairlead.core.evidence.policy import Mode, Need, Policy, Shadow
from fairlead.core.evidence.sample import STALE_SECONDS
from fairlead.core.evidence.state import Count, Recent, Stage, State
from fairlead.core.rollout.checks import CHECKS, Action, Facts, Judgement, Opinion, gather_facts, judge
from fairlead.core.rollout.decide import begin

SEEN = (Kept("gw", "1", 1.0, ArmCount(), ArmCount()),)
ENOUGH = Count(attempts=150, looks=30)


def facts(
    policy: Policy | None = None,
    *,
    fast: float = 0.5,
    sure: float = 1.0,
    ejected: bool = False,
    stale_seconds: float = STALE_SECONDS,
    **state: Any,
) -> Facts:
    """A step that would pass, changed."""
    policy = policy or Policy()
    fields = {"gateways": SEEN, "step_count": ENOUGH, "observed_seconds": 40.0, **state}
    return Facts(policy, replace(begin(policy), **fields), ejected, fast, sure, stale_seconds=stale_seconds)


def test_a_step_passes_with_enough_requests_and_nothing_against_it() -> None:
    assert judge(facts()) == Opinion(Judgement.PASS, Action.ADVANCE, Reason.STEP_PASSED)


def test_a_source_that_is_scraped_may_have_nothing_new_for_longer() -> None:
    assert judge(facts(blind_seconds=75.0, stale_seconds=75.0)).action is Action.ADVANCE


def test_the_guard_passes_after_its_time() -> None:
    guard = facts(stage=Stage.GUARD, step=3, weight_percent=95.0, observed_seconds=600.0)
    assert judge(guard).action is Action.FINISH
    assert judge(facts(stage=Stage.GUARD, step=3, weight_percent=95.0)).reason is Reason.GUARDED


FAILS: list[tuple[dict[str, Any], Action, Reason]] = [
    ({"sure": 200.0}, Action.ROLL_BACK, Reason.ERRORS_ABOVE_STABLE),
    ({"fast": 100.0}, Action.BRAKE, Reason.ERRORS_ABOVE_STABLE),
    ({"ejected": True}, Action.BRAKE, Reason.CANDIDATE_EJECTED),
    ({"sure": 200.0, "weight_percent": 100.0}, Action.OPEN_CONTROL, Reason.ERRORS_ABOVE_STABLE),
    ({"fast": 100.0, "weight_percent": 100.0}, Action.OPEN_CONTROL, Reason.ERRORS_ABOVE_STABLE),
    ({"policy": Policy(failover=False), "fast": 100.0}, Action.BRAKE, Reason.ERRORS_ABOVE_STABLE),
    (
        {"policy": Policy(failover=False), "fast": 200.0, "strikes": 1, "brakes": 1},
        Action.ROLL_BACK,
        Reason.ERRORS_ABOVE_STABLE,
    ),
    (
        {"first_count": Count(10, 10, 0, 2), "recent": Recent(stable_attempts=9)},
        Action.ROLL_BACK,
        Reason.EVERY_REQUEST_FAILED,
    ),
    ({"first_count": Count(10, 10, 0, 2), "weight_percent": 100.0}, Action.ROLL_BACK, Reason.EVERY_REQUEST_FAILED),
]


@pytest.mark.parametrize(("change", "action", "reason"), FAILS)
def test_a_fail_has_its_action_and_reason(change: dict[str, Any], action: Action, reason: Reason) -> None:
    assert judge(facts(**change)) == Opinion(Judgement.FAIL, action, reason)


@pytest.mark.parametrize(
    "change",
    [
        {"sure": 199.9},
        {"fast": 99.9},
        {"fast": 150.0, "brakes": 1},
        {"first_count": Count(9, 9, 0, 5), "recent": Recent(stable_attempts=9)},
        {"first_count": Count(11, 10, 0, 5), "recent": Recent(stable_attempts=9)},
        {"first_count": Count(10, 10, 0, 1), "recent": Recent(stable_attempts=9)},
        {"first_count": Count(10, 10, 0, 5), "recent": Recent(stable_attempts=9, stable_failures=5)},
        {"first_count": Count(10, 10, 0, 5)},
    ],
)
def test_a_little_less_is_no_fail(change: dict[str, Any]) -> None:
    assert judge(facts(**change)).judgement is Judgement.PASS


UNKNOWNS: list[tuple[dict[str, Any], Action, Reason]] = [
    ({"gateways": ()}, Action.HOLD, Reason.TOO_FEW_REQUESTS),
    ({"gateways": (), "blind_seconds": 15.1}, Action.HOLD, Reason.NO_EVIDENCE),
    ({"blind_seconds": 15.1}, Action.HOLD, Reason.NO_EVIDENCE),
    ({"blind_seconds": 75.1, "stale_seconds": 75.0}, Action.HOLD, Reason.NO_EVIDENCE),
    ({"waited_seconds": 86_400.0}, Action.GIVE_UP, Reason.ANALYSIS_INCONCLUSIVE),
    ({"recent": Recent(stable_attempts=100, stable_failures=3)}, Action.HOLD, Reason.STABLE_UNHEALTHY),
    ({"recent": Recent(attempts=100, overloaded=6)}, Action.HOLD, Reason.CANDIDATE_OVERLOADED),
    ({"step_count": Count(149)}, Action.HOLD, Reason.TOO_FEW_REQUESTS),
    ({"observed_seconds": 29.0}, Action.HOLD, Reason.TOO_FEW_REQUESTS),
    ({"stage": Stage.BRAKED, "brakes": 1, "clean_count": Count(149)}, Action.HOLD, Reason.BRAKED),
    ({"stage": Stage.BRAKED, "brakes": 1, "clean_count": Count(150)}, Action.RESUME, Reason.CLEAN_AGAIN),
    ({"stage": Stage.BRAKED, "brakes": 4, "clean_count": Count(150)}, Action.HOLD, Reason.BRAKED),
    ({"stage": Stage.BRAKED, "brakes": 1, "fast": 1e9}, Action.HOLD, Reason.BRAKED),
    ({"stage": Stage.COOLING, "weight_percent": 0.0, "fast": 1e9}, Action.HOLD, Reason.COOLING_DOWN),
    ({"stage": Stage.COOLING, "weight_percent": 0.0, "observed_seconds": 300.0}, Action.RESUME, Reason.COOLING_DOWN),
    ({"stage": Stage.ENDED, "sure": 1e9}, Action.HOLD, Reason.SERVING),
    (
        {"policy": Policy(max_slow_rate=0.01), "recent": Recent(stable_timed=100, stable_slow=2)},
        Action.HOLD,
        Reason.STABLE_UNHEALTHY,
    ),
]


@pytest.mark.parametrize(("change", "action", "reason"), UNKNOWNS)
def test_what_is_unknown_never_promotes_and_never_rolls_back(
    change: dict[str, Any], action: Action, reason: Reason
) -> None:
    assert judge(facts(**change)) == Opinion(Judgement.UNKNOWN, action, reason)


SHADOW = Policy(shadow=Shadow(20.0, Need(150, 30.0)))
HELD = Policy(shadow=Shadow(20.0, Need(150, 30.0, manual=True)))
TOLD = Policy(shadow=Shadow(20.0, Need(150, 30.0)), mode=Mode.OBSERVE)
FIRST_TEN = {"first_count": Count(10, 10, 0, 2), "recent": Recent(stable_attempts=9)}
SHADOWS: list[tuple[dict[str, Any], Judgement, Action, Reason]] = [
    ({}, Judgement.PASS, Action.ADVANCE, Reason.STEP_PASSED),
    ({"step_count": Count(149)}, Judgement.UNKNOWN, Action.HOLD, Reason.TOO_FEW_REQUESTS),
    ({"observed_seconds": 29.0}, Judgement.UNKNOWN, Action.HOLD, Reason.TOO_FEW_REQUESTS),
    ({"sure": 400.0}, Judgement.FAIL, Action.ROLL_BACK, Reason.ERRORS_ABOVE_STABLE),
    ({"sure": 399.0}, Judgement.PASS, Action.ADVANCE, Reason.STEP_PASSED),
    (FIRST_TEN, Judgement.FAIL, Action.ROLL_BACK, Reason.EVERY_REQUEST_FAILED),
    ({"fast": 200.0}, Judgement.UNKNOWN, Action.HOLD, Reason.ERRORS_ABOVE_STABLE),
    ({"fast": 199.0}, Judgement.PASS, Action.ADVANCE, Reason.STEP_PASSED),
    ({"fast": 200.0, "clean_count": Count(150)}, Judgement.UNKNOWN, Action.RESUME, Reason.CLEAN_AGAIN),
    ({"fast": 9e9, "clean_count": Count(150), "brakes": 4}, Judgement.UNKNOWN, Action.HOLD, Reason.ERRORS_ABOVE_STABLE),
    ({"fast": 9e9, "waited_seconds": 9e9}, Judgement.UNKNOWN, Action.GIVE_UP, Reason.ANALYSIS_INCONCLUSIVE),
    ({"fast": 9e9, "policy": TOLD}, Judgement.PASS, Action.ADVANCE, Reason.STEP_PASSED),
    ({"policy": HELD}, Judgement.UNKNOWN, Action.HOLD, Reason.AWAITING_APPROVAL),
    ({"policy": HELD, "approved": True}, Judgement.PASS, Action.ADVANCE, Reason.STEP_PASSED),
    ({"recent": Recent(attempts=100, overloaded=6)}, Judgement.UNKNOWN, Action.HOLD, Reason.CANDIDATE_OVERLOADED),
]


@pytest.mark.parametrize(("change", "judgement", "action", "reason"), SHADOWS)
def test_a_shadow_is_never_braked_and_passes_only_with_nothing_against_it(
    change: dict[str, Any], judgement: Judgement, action: Action, reason: Reason
) -> None:
    assert judge(facts(**{"policy": SHADOW, **change})) == Opinion(judgement, action, reason)


def test_a_stable_of_which_little_is_seen_is_not_called_unhealthy() -> None:
    assert judge(facts(recent=Recent(stable_attempts=19, stable_failures=5))).judgement is Judgement.PASS


def test_the_checks_come_in_the_order_of_the_specification() -> None:
    assert [check.__name__ for check in CHECKS] == [
        "ended",
        "paused",
        "frozen",
        "sure_fail",
        "hard_fail",
        "fast_fail",
        "waited_too_long",
        "blind",
        "cooling",
        "stable_unhealthy",
        "overloaded",
        "braked",
        "thin",
        "awaiting_approval",
        "scaling",
        "step_passed",
    ]


def test_a_list_without_an_answer_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.core.rollout.checks.CHECKS", ())
    with pytest.raises(AssertionError):
        judge(facts())


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (0, Reason.ERRORS_ABOVE_STABLE),
        (1, Reason.ERRORS_ABOVE_LIMIT),
        (2, Reason.LATENCY_ABOVE_STABLE),
        (3, Reason.LATENCY_ABOVE_LIMIT),
    ],
)
def test_the_reason_names_the_test_that_won_most(index: int, reason: Reason) -> None:
    policy = Policy(max_slow_rate=0.01)
    state: State = begin(policy)
    tests = tuple(
        replace(test, capital=Capital(sure=(9e9, 1.0))) if i == index else test for i, test in enumerate(state.tests)
    )
    gathered = gather_facts(policy, replace(state, tests=tests), ejected=False)
    assert judge(gathered).reason is reason
