"""What a rollout was asked to do."""

from typing import Any

import pytest

from fairlead.core.evidence.policy import SHADOW_STEP, InvalidPolicy, Need, Policy, Shadow


@pytest.mark.parametrize(("limit", "needed"), [(0.02, 150), (0.01, 300), (0.001, 3000), (0.07, 43)])
def test_a_step_needs_three_over_the_limit_requests(limit: float, needed: int) -> None:
    assert Policy(max_error_rate=limit).needed_requests == needed


def test_the_user_s_own_number_of_requests_wins() -> None:
    assert Policy(min_requests=7).needed_requests == 7


@pytest.mark.parametrize(("steps", "probe"), [((5.0, 25.0), 5.0), ((1.0, 10.0), 1.0), ((50.0,), 5.0)])
def test_the_probe_weight_is_five_percent_or_the_first_step(steps: tuple[float, ...], probe: float) -> None:
    assert Policy(steps_percent=steps).probe_percent == probe


def test_the_guard_leaves_the_previous_revision_its_control_share() -> None:
    assert Policy(control_percent=5).guard_percent == 95
    assert Policy(control_percent=0).guard_percent == 100


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps_percent": ()}, "steps_percent: expected at least one weight, got none"),
        ({"steps_percent": (5.0, 101.0)}, "steps_percent: expected 0.1 to 100, got 101.0"),
        ({"max_error_rate": 0.0}, "max_error_rate: expected 1e-05 to 0.5, got 0.0"),
        ({"max_slow_rate": 2.0}, "max_slow_rate: expected 1e-05 to 0.5, got 2.0"),
        ({"alpha": float("nan")}, "alpha: expected 1e-06 to 0.2, got nan"),
        ({"control_percent": 60.0}, "control_percent: expected 0 to 50, got 60.0"),
        ({"min_requests": 0}, "min_requests: expected 1 to 1e+09, got 0"),
        ({"needs": (Need(), Need(requests=0))}, "min_requests: expected 1 to 1e+09, got 0"),
        ({"shadow": Shadow(20.0, Need(requests=0))}, "min_requests: expected 1 to 1e+09, got 0"),
        ({"shadow": Shadow(0.5, Need())}, "shadow.percent: expected 1 to 100, got 0.5"),
        ({"canary": False}, "canary: expected true without a shadow, got False"),
    ],
)
def test_a_field_out_of_range_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        Policy(**fields)
    assert str(caught.value) == message


def test_a_step_may_need_something_else_and_the_rest_need_what_all_do() -> None:
    policy = Policy(steps_percent=(5.0, 50.0), min_requests=9, needs=(Need(requests=7, seconds=0.0, manual=True),))
    assert [policy.requests_needed(step) for step in (0, 1, 2)] == [7, 9, 9]
    assert [policy.seconds_needed(step) for step in (0, 1, 2)] == [0, 30, 600]
    assert [policy.need_of(step).manual for step in (0, 1, 2)] == [True, False, False]


def test_a_shadow_comes_before_the_first_step_and_takes_half_of_alpha() -> None:
    policy = Policy(min_requests=9, shadow=Shadow(20.0, Need(requests=7, seconds=1.0)))
    assert [policy.requests_needed(step) for step in (SHADOW_STEP, 0)] == [7, 9]
    assert [policy.seconds_needed(step) for step in (SHADOW_STEP, 0)] == [1, 30]
    assert (policy.stage_alpha, Policy().stage_alpha) == (0.005, 0.01)


@pytest.mark.parametrize(("percent", "share"), [(100.0, 50.0), (25.0, 20.0)])
def test_copies_are_a_share_of_requests_and_copies_together(percent: float, share: float) -> None:
    assert Shadow(percent, Need()).share_percent == share


def test_the_guard_needs_nothing_of_its_own() -> None:
    policy = Policy(steps_percent=(50.0,), needs=(Need(), Need(requests=7, seconds=1.0)))
    assert (policy.requests_needed(1), policy.seconds_needed(1)) == (150, 600)
