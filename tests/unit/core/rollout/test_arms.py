"""Shares from stages."""

from dataclasses import replace

import pytest

from fairlead.api.traffic import Arm, ArmRole, Mirror, Traffic
from fairlead.core.evidence.policy import Need, Policy, Shadow
from fairlead.core.evidence.state import Stage
from fairlead.core.rollout.arms import Contest, arms_of, is_promoted, mirror_of
from fairlead.core.rollout.decide import begin

POLICY = Policy(steps_percent=(5.0, 50.0))
CONTEST = Contest("churn-2", "churn-1")
STATE = begin(POLICY)


def shares(arms: tuple[Arm, ...]) -> list[tuple[str, ArmRole, int, str]]:
    """The arms, short."""
    return [(arm.revision, arm.role, arm.weight, arm.failover) for arm in arms]


def test_a_canary_gets_its_weight_and_stable_answers_what_fails_there() -> None:
    assert shares(arms_of(POLICY, STATE, CONTEST)) == [
        ("churn-1", ArmRole.STABLE, 95, ""),
        ("churn-2", ArmRole.CANARY, 5, "churn-1"),
    ]


def test_in_the_guard_the_new_one_is_stable_and_previous_answers_what_fails_there() -> None:
    guard = replace(STATE, stage=Stage.GUARD, step=2, weight_percent=95.0)
    assert shares(arms_of(POLICY, guard, CONTEST)) == [
        ("churn-2", ArmRole.STABLE, 95, "churn-1"),
        ("churn-1", ArmRole.PREVIOUS, 5, ""),
    ]


def test_a_brake_in_the_guard_takes_nobody_s_role_away() -> None:
    braked = replace(STATE, stage=Stage.BRAKED, step=2, weight_percent=5.0)
    assert is_promoted(POLICY, braked)
    assert shares(arms_of(POLICY, braked, CONTEST))[1] == ("churn-1", ArmRole.PREVIOUS, 95, "")


def test_without_failover_nobody_is_behind_an_arm() -> None:
    arms = arms_of(replace(POLICY, failover=False), STATE, CONTEST)
    assert {arm.failover for arm in arms} == {""}


def test_a_candidate_that_is_cooling_keeps_its_arm_without_a_share() -> None:
    cooling = replace(STATE, stage=Stage.COOLING, weight_percent=0.0)
    assert [arm.weight for arm in arms_of(POLICY, cooling, CONTEST)] == [100, 0]


def test_a_weight_below_one_percent_is_not_nothing() -> None:
    assert [arm.weight for arm in arms_of(POLICY, replace(STATE, weight_percent=0.1), CONTEST)] == [99, 1]


def test_a_shadow_gets_copies_and_everything_stays_with_stable() -> None:
    policy = replace(POLICY, shadow=Shadow(20.0, Need()))
    shadow = begin(policy)
    assert shares(arms_of(policy, shadow, CONTEST)) == [("churn-1", ArmRole.STABLE, 100, "")]
    assert mirror_of(policy, shadow, CONTEST) == Mirror(revision="churn-2", percent=20)
    assert not is_promoted(policy, shadow)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.SHADOW])
def test_nobody_gets_copies_after_the_shadow(stage: Stage) -> None:
    policy = replace(POLICY, shadow=Shadow(20.0, Need()))
    assert mirror_of(policy, replace(STATE, stage=stage), CONTEST) is None


@pytest.mark.parametrize(("weight", "winner"), [(100.0, "churn-2"), (0.0, "churn-1")])
def test_at_its_end_everything_goes_to_the_one_that_won(weight: float, winner: str) -> None:
    ended = replace(STATE, stage=Stage.ENDED, step=2, weight_percent=weight)
    assert shares(arms_of(POLICY, ended, CONTEST)) == [(winner, ArmRole.STABLE, 100, "")]
    assert not is_promoted(POLICY, ended)


@pytest.mark.parametrize("weight", [0.0, 0.1, 33.3, 49.5, 99.9, 100.0])
@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("step", [0, 2])
def test_the_shares_always_add_up_and_name_each_revision_once(weight: float, stage: Stage, step: int) -> None:
    arms = arms_of(POLICY, replace(STATE, stage=stage, step=step, weight_percent=weight), CONTEST)
    assert sum(arm.weight for arm in Traffic(arms=arms).arms) == 100
    assert len({arm.revision for arm in arms}) == len(arms)
