"""What to expect."""

from dataclasses import replace

import pytest

from fairlead.core.evidence.forecast import Power, brake_seconds, eta_seconds, power
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.state import Count, Recent, Stage
from fairlead.core.rollout.decide import begin

POLICY = Policy()


def test_the_wait_is_what_is_missing_at_the_rate_of_the_last_minute() -> None:
    state = replace(begin(POLICY), step_count=Count(attempts=38), recent=Recent(seconds=60, attempts=2.8))
    assert eta_seconds(POLICY, state) == pytest.approx(112 / 2.8 * 60)


def test_while_braked_it_is_for_the_clean_requests() -> None:
    state = replace(
        begin(POLICY), stage=Stage.BRAKED, clean_count=Count(attempts=140), recent=Recent(seconds=10, attempts=10)
    )
    assert eta_seconds(POLICY, state) == pytest.approx(10)


def test_nothing_is_missing_any_more() -> None:
    assert eta_seconds(POLICY, replace(begin(POLICY), step_count=Count(attempts=150))) == 0


@pytest.mark.parametrize("recent", [Recent(), Recent(seconds=60, attempts=0.5), Recent(attempts=5)])
def test_without_traffic_there_is_no_telling(recent: Recent) -> None:
    assert eta_seconds(POLICY, replace(begin(POLICY), recent=recent)) is None


@pytest.mark.parametrize(("bad", "low", "high"), [(0.05, 7, 20), (0.2, 3, 7), (1.0, 1, 3)])
def test_the_power_is_about_what_the_simulation_gives(bad: float, low: float, high: float) -> None:
    found = brake_seconds(POLICY, 0.1, 100, bad, 0.005)
    assert found is not None
    assert low <= found <= high


def test_latency_beside_errors_halves_the_alpha_and_takes_a_little_longer() -> None:
    both = brake_seconds(replace(POLICY, max_slow_rate=0.01), 0.1, 100, 0.05, 0.005)
    errors = brake_seconds(POLICY, 0.1, 100, 0.05, 0.005)
    assert both is not None
    assert errors is not None
    assert both > errors


def test_the_power_is_of_a_version_three_times_as_bad_as_stable_may_be_at_the_traffic_of_the_last_minute() -> None:
    recent = Recent(seconds=60, attempts=600, stable_attempts=5400, stable_failures=27)
    found = power(POLICY, replace(begin(POLICY), recent=recent))
    assert found == Power(0.06, brake_seconds(POLICY, 0.1, 100, 0.06, 0.005) or 0)
    worse = power(POLICY, replace(begin(POLICY), recent=replace(recent, stable_failures=540)))
    assert worse and worse.bad == pytest.approx(0.3)


@pytest.mark.parametrize("recent", [Recent(), Recent(seconds=60, attempts=0, stable_attempts=500)])
def test_without_traffic_on_both_sides_there_is_no_power_to_tell(recent: Recent) -> None:
    assert power(POLICY, replace(begin(POLICY), recent=recent)) is None


def test_a_version_no_worse_than_stable_is_not_found() -> None:
    assert brake_seconds(POLICY, 0.1, 100, 0.005, 0.005) is None


def test_more_traffic_than_can_be_counted_out_is_capped() -> None:
    found = brake_seconds(POLICY, 0.5, 1e6, 1.0, 0.0)
    assert found is not None
    assert found < 5
