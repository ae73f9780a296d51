"""What the spec says of a rollout, as a policy."""

from typing import Any

import pytest

from fairlead.api.rollout import Canary, Checks, Guard, Shadow
from fairlead.core.evidence.policy import SHADOW_STEP, InvalidPolicy, Mode, Need, Policy
from fairlead.core.evidence.policy import Shadow as ShadowPolicy
from fairlead.core.rollout.policy import NEVER_SECONDS, attempt_seconds, make_policy


def policy_of(
    canary: dict[str, Any] | None = None,
    checks: dict[str, Any] | None = None,
    guard: dict[str, Any] | None = None,
    *,
    hold_deadline: str = "24h",
    request_timeout: str = "60s",
    builtin: bool = True,
    shadow: Shadow | None = None,
) -> Policy:
    """The policy of these parts of a spec."""
    return make_policy(
        Canary.model_validate(canary or {}),
        Checks.model_validate(checks or {}),
        Guard.model_validate(guard or {}),
        hold_deadline=hold_deadline,
        request_timeout=request_timeout,
        builtin=builtin,
        shadow=shadow,
    )


LIMITS: dict[str, Any] = {"hold_deadline": "24h", "request_timeout": "60s", "builtin": True}


def test_who_writes_only_canary_gets_the_documented_defaults() -> None:
    policy = policy_of()
    assert policy == Policy(needs=(Need(), Need(), Need()), attempt_timeout_seconds=20.0)
    assert (policy.steps_percent, policy.needed_requests, policy.seconds_needed(0)) == ((5, 25, 50), 150, 30)


def test_every_field_of_a_step_reaches_the_policy() -> None:
    steps = [{"weight": 10, "minRequests": 7, "minDuration": "2m", "approval": "manual"}, {"weight": 60}]
    policy = policy_of({"steps": steps})
    assert (policy.steps_percent, policy.needs) == ((10, 60), (Need(7, 120.0, True), Need()))


def test_checks_and_guard_reach_the_policy() -> None:
    policy = policy_of(
        checks={"maxErrorRate": "0.5%", "maxLatencyP99": "300ms", "mode": "observe", "alpha": "5%"},
        guard={"duration": "1h", "controlPercent": 0},
        hold_deadline="1h",
    )
    assert (policy.max_error_rate, policy.max_slow_rate, policy.mode, policy.alpha) == (0.005, 0.01, Mode.OBSERVE, 0.05)
    assert (policy.guard_seconds, policy.control_percent, policy.hold_deadline_seconds) == (3600, 0, 3600)


def test_a_shadow_reaches_the_policy_and_shares_alpha_with_what_follows() -> None:
    shadow = Shadow(percent=50, min_requests=7, min_duration="2m", on_pass="hold")
    policy = policy_of(shadow=shadow)
    assert policy.shadow == ShadowPolicy(50.0, Need(7, 120.0, True))
    assert (policy.requests_needed(SHADOW_STEP), policy.seconds_needed(SHADOW_STEP)) == (7, 120)
    assert (policy.alpha, policy.stage_alpha, policy.canary) == (0.01, 0.005, True)
    assert policy_of(shadow=Shadow()).need_of(SHADOW_STEP) == Need(150, 60.0)


def test_a_shadow_needs_no_canary_and_without_either_there_is_nothing_to_judge() -> None:
    assert not make_policy(None, Checks(), Guard(), shadow=Shadow(), **LIMITS).canary
    with pytest.raises(InvalidPolicy, match="canary: expected true without a shadow"):
        make_policy(None, Checks(), Guard(), **LIMITS)


def test_a_deadline_that_is_off_never_comes() -> None:
    assert policy_of(hold_deadline="off").hold_deadline_seconds == NEVER_SECONDS


@pytest.mark.parametrize(
    ("canary", "builtin", "shielded"),
    [({}, True, True), ({}, False, False), ({"failover": True}, False, True), ({"failover": False}, True, False)],
)
def test_a_container_s_failures_are_sent_again_only_when_its_user_says_so(
    canary: dict[str, Any], builtin: bool, shielded: bool
) -> None:
    assert policy_of(canary, builtin=builtin).failover is shielded


@pytest.mark.parametrize(
    ("canary", "checks", "request_timeout", "seconds"),
    [
        ({"attemptTimeout": "250ms"}, {"maxLatencyP99": "2s"}, "60s", 0.25),
        ({}, {"maxLatencyP99": "2s"}, "60s", 6.0),
        ({}, {"maxLatencyP99": "50ms"}, "60s", 1.0),
        ({}, {}, "60s", 20.0),
        ({}, {}, "1s", 1.0),
        ({}, {}, "off", None),
    ],
)
def test_an_attempt_is_cut_in_time_for_stable_to_answer(
    canary: dict[str, Any], checks: dict[str, Any], request_timeout: str, seconds: float | None
) -> None:
    parts = Canary.model_validate(canary), Checks.model_validate(checks)
    assert attempt_seconds(*parts, request_timeout) == seconds


def test_an_attempt_that_nothing_cuts_is_expected_to_be_over_some_time() -> None:
    assert policy_of(request_timeout="off").attempt_timeout_seconds == 60
