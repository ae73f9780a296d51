"""The traffic part of a rollout, look by look."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.evidence.streams import Gateway, Rollout, steady

from fairlead.api.reasons import Reason
from fairlead.core.evidence.betting import START
from fairlead.core.evidence.policy import Mode, Need, Policy
from fairlead.core.evidence.sample import Sample
from fairlead.core.evidence.state import Stage
from fairlead.core.rollout.checks import Action, Judgement
from fairlead.core.rollout.decide import begin, decide
from fairlead.core.rollout.orders import Orders

TEN = Policy(steps_percent=(10.0, 50.0), min_step_seconds=600)


def actions(rollout: Rollout) -> list[Action]:
    """What happened, without the holds."""
    return [verdict.action for verdict in rollout.verdicts if verdict.action is not Action.HOLD]


def test_a_good_version_climbs_its_steps_and_ends_after_the_guard() -> None:
    rollout = Rollout()
    last = rollout.serve(2000, steady(good=0.005, bad=0.005))
    assert actions(rollout) == [Action.ADVANCE] * 3 + [Action.FINISH]
    assert sorted({verdict.weight_percent for verdict in rollout.verdicts}) == [5, 25, 50, 95, 100]
    assert (last.judgement, rollout.state.stage, rollout.clock) == (Judgement.PASS, Stage.ENDED, 1000 + 90 + 600)


def test_a_bad_version_is_braked_to_the_probe_weight_and_then_rolled_back() -> None:
    rollout = Rollout(TEN)
    last = rollout.serve(60, steady(bad=0.2, good=0.005))
    assert actions(rollout) == [Action.BRAKE, Action.ROLL_BACK]
    braked = next(verdict for verdict in rollout.verdicts if verdict.action is Action.BRAKE)
    assert (braked.stage, braked.weight_percent, braked.reason) == (Stage.BRAKED, 5, Reason.ERRORS_ABOVE_STABLE)
    assert (last.weight_percent, rollout.state.stage) == (0, Stage.ENDED)


def test_a_version_that_fails_everything_is_rolled_back_at_the_second_look() -> None:
    rollout = Rollout(TEN)
    rollout.serve(60, steady(bad=1.0))
    assert rollout.verdicts[-1].reason is Reason.EVERY_REQUEST_FAILED
    assert rollout.clock == 1002


def test_a_version_that_was_braked_by_one_episode_resumes_within_two_minutes() -> None:
    rollout = Rollout(TEN)
    rollout.serve(100, steady(good=0.005, bad=0.005))
    rollout.serve(3, steady(good=0.005, bad=1.0))
    assert rollout.state.stage is Stage.BRAKED
    since = rollout.clock
    while rollout.state.stage is Stage.BRAKED:
        rollout.serve(1, steady(good=0.005, bad=0.0))
    assert rollout.clock - since < 120
    assert rollout.verdicts[-1].reason is Reason.CLEAN_AGAIN
    assert (rollout.state.stage, rollout.state.weight_percent) == (Stage.CANARY, 10)
    assert rollout.state.tests[0].capital.fast == (START, START)
    assert rollout.verdicts[-1].brake_at == 200


def test_the_sure_process_is_never_reset() -> None:
    rollout = Rollout(TEN)
    rollout.serve(4, steady(good=0.005, bad=0.9))
    before = rollout.state.tests[0].capital.sure[0]
    while rollout.state.stage is Stage.BRAKED:
        rollout.serve(1, steady())
    assert rollout.state.tests[0].capital.sure[0] == pytest.approx(before, rel=0.2)


def test_a_version_that_is_braked_in_the_guard_resumes_in_the_guard() -> None:
    rollout = Rollout(Policy(steps_percent=(50.0,), min_step_seconds=5))
    rollout.serve(10, steady())
    assert (rollout.state.stage, rollout.state.weight_percent) == (Stage.GUARD, 95)
    rollout.serve(9, steady(bad=0.9))
    assert (rollout.state.stage, rollout.state.weight_percent) == (Stage.BRAKED, 5)
    while rollout.state.stage is Stage.BRAKED:
        rollout.serve(1, steady())
    assert (rollout.state.stage, rollout.state.weight_percent) == (Stage.GUARD, 95)


def test_without_failover_the_first_brake_goes_to_nothing_and_the_second_rolls_back() -> None:
    rollout = Rollout(replace(TEN, failover=False))
    rollout.serve(10, steady(bad=0.3))
    assert (rollout.state.stage, rollout.state.weight_percent) == (Stage.COOLING, 0)
    rollout.serve(400, steady(bad=0.3))
    assert actions(rollout) == [Action.BRAKE, Action.RESUME, Action.ROLL_BACK]


def test_without_failover_a_clean_step_forgives_the_first_brake() -> None:
    rollout = Rollout(replace(TEN, failover=False))
    rollout.serve(5, steady(bad=0.3))
    rollout.serve(400, steady())
    assert (rollout.state.stage, rollout.state.brakes, rollout.state.strikes) == (Stage.CANARY, 1, 0)
    rollout.serve(5, steady(bad=0.5))
    assert rollout.state.stage is Stage.COOLING


def test_an_unshielded_brake_above_the_first_step_starts_again_from_it() -> None:
    policy = Policy(steps_percent=(10.0, 50.0), min_step_seconds=5, failover=False)
    rollout = Rollout(policy)
    rollout.serve(16, steady())
    assert rollout.state.weight_percent == 50
    while rollout.state.stage is Stage.CANARY:
        rollout.serve(1, steady(bad=0.9))
    assert (rollout.state.stage, rollout.state.weight_percent) == (Stage.COOLING, 0)
    while rollout.state.stage is Stage.COOLING:
        rollout.serve(1, steady())
    assert (rollout.state.stage, rollout.state.step, rollout.state.weight_percent) == (Stage.CANARY, 0, 10)


def test_a_joint_outage_holds_and_brakes_nobody() -> None:
    rollout = Rollout(TEN)
    rollout.serve(60, steady(good=0.005, bad=0.005))
    rollout.serve(300, steady(good=0.5, bad=0.5))
    assert actions(rollout) == []
    assert rollout.verdicts[-1].reason is Reason.STABLE_UNHEALTHY


def test_a_joint_outage_from_the_first_request_is_no_hard_fail() -> None:
    rollout = Rollout(TEN)
    rollout.serve(60, steady(good=1.0, bad=1.0))
    assert actions(rollout) == []


def test_a_weight_that_falls_leaves_its_floor_until_the_last_attempt_is_over() -> None:
    rollout = Rollout(Policy(steps_percent=(50.0,), min_step_seconds=600, attempt_timeout_seconds=10))
    while rollout.state.stage is Stage.CANARY:
        rollout.serve(1, steady(bad=0.9))
    assert (rollout.state.floor_percent, rollout.state.floor_until_seconds) == (50, rollout.state.observed_seconds + 10)


def test_a_second_fall_keeps_the_greater_floor() -> None:
    policy = Policy(steps_percent=(50.0,), attempt_timeout_seconds=1000, min_step_seconds=600)
    rollout = Rollout(policy)
    while rollout.state.stage is not Stage.ENDED:
        rollout.serve(1, steady(bad=0.9))
    assert rollout.state.floor_percent == 50


def test_an_overloaded_candidate_is_held() -> None:
    rollout = Rollout()
    assert rollout.serve(60, steady(), overloaded=1).reason is Reason.CANDIDATE_OVERLOADED


def test_an_ejected_candidate_is_braked_without_any_statistics() -> None:
    rollout = Rollout()
    rollout.serve(3, steady())
    assert (rollout.look(ejected=True).action, rollout.state.stage) == (Action.BRAKE, Stage.BRAKED)


def test_no_sample_holds_until_the_deadline_and_then_ends_without_quarantine() -> None:
    rollout = Rollout(Policy(hold_deadline_seconds=100))
    for _ in range(10):
        rollout.clock += 10
        rollout.take(Sample(rollout.clock))
    assert {verdict.action for verdict in rollout.verdicts} == {Action.HOLD}
    assert rollout.verdicts[-1].reason is Reason.NO_EVIDENCE
    rollout.clock += 10
    last = rollout.take(Sample(rollout.clock))
    assert (last.judgement, last.reason, last.weight_percent) == (Judgement.UNKNOWN, Reason.ANALYSIS_INCONCLUSIVE, 0)


@pytest.mark.parametrize(("stale_seconds", "flaps"), [(15.0, True), (75.0, False)])
def test_what_is_scraped_every_half_minute_is_not_blind_in_between(stale_seconds: float, flaps: bool) -> None:
    rollout = Rollout(Policy(min_step_seconds=300))
    readings = (rollout.gateway.reading(rollout.clock, 5),)
    for second in range(1, 121):
        rollout.clock += 1
        rollout.gateway.serve((5, 0, 95, 0))
        if second % 30 == 0:
            readings = (rollout.gateway.reading(rollout.clock, 5),)
        rollout.take(Sample(rollout.clock, readings, stale_seconds=stale_seconds))
    assert (Reason.NO_EVIDENCE in {verdict.reason for verdict in rollout.verdicts[1:]}) is flaps
    assert rollout.state.step_count.attempts == 600


def test_a_step_that_takes_longer_than_the_deadline_is_no_hold() -> None:
    rollout = Rollout(Policy(hold_deadline_seconds=20, min_step_seconds=60))
    rollout.serve(61, steady())
    assert rollout.verdicts[-1].step == 1


def test_a_guard_without_evidence_keeps_the_version_that_passed_every_step() -> None:
    rollout = Rollout(Policy(steps_percent=(50.0,), min_step_seconds=5, hold_deadline_seconds=100))
    rollout.serve(10, steady())
    rollout.clock += 200
    assert rollout.take(Sample(rollout.clock)).weight_percent == 100


def test_after_its_end_nothing_moves_a_rollout() -> None:
    rollout = Rollout(TEN)
    rollout.serve(60, steady(bad=1.0))
    rollout.clock += 1
    assert (rollout.look().action, rollout.state.weight_percent) == (Action.HOLD, 0)


@pytest.mark.parametrize(("bad", "stable", "ends"), [(0.3, 0.0, Action.ROLL_BACK), (0.3, 0.3, None)])
def test_a_guard_without_control_share_first_gives_stable_some_traffic(
    bad: float, stable: float, ends: Action | None
) -> None:
    rollout = Rollout(Policy(steps_percent=(50.0,), min_step_seconds=5, control_percent=0, guard_seconds=900))
    rollout.serve(10, steady())
    assert rollout.state.weight_percent == 100
    rollout.serve(200, steady(bad=bad, good=stable))
    found = actions(rollout)
    assert found[:2] == [Action.ADVANCE, Action.OPEN_CONTROL]
    assert (Action.ROLL_BACK in found) == (ends is Action.ROLL_BACK)


@pytest.mark.parametrize(("bad", "told"), [(0.0, set()), (0.3, {Action.BRAKE, Action.ROLL_BACK})])
def test_observe_tells_and_does_not_act(bad: float, told: set[Action]) -> None:
    rollout = Rollout(Policy(mode=Mode.OBSERVE, min_step_seconds=60, guard_seconds=60))
    rollout.serve(1000, steady(bad=bad))
    fails = {verdict.action for verdict in rollout.verdicts if verdict.judgement is Judgement.FAIL}
    assert fails == told
    assert all(verdict.acts == (verdict.judgement is not Judgement.FAIL) for verdict in rollout.verdicts)
    assert (rollout.state.stage, rollout.state.weight_percent) == (Stage.ENDED, 100)


def test_arms_that_are_not_drawn_are_held_to_the_limit_alone() -> None:
    rollout = Rollout(replace(TEN, random_arms=False))
    rollout.serve(200, steady(bad=0.015, good=0.0))
    assert actions(rollout) == []
    rollout.serve(200, steady(bad=0.3, good=0.0))
    assert actions(rollout)[-1] is Action.ROLL_BACK
    assert rollout.verdicts[-1].reason is Reason.ERRORS_ABOVE_LIMIT


def test_a_slow_version_is_rolled_back_for_its_latency() -> None:
    rollout = Rollout(replace(TEN, max_slow_rate=0.01))
    rollout.serve(60, steady(), slow=(5, 0))
    assert actions(rollout) == [Action.BRAKE, Action.ROLL_BACK]
    assert rollout.verdicts[-1].reason is Reason.LATENCY_ABOVE_STABLE


def test_failures_that_stable_shares_count_against_nobody() -> None:
    rollout = Rollout(TEN)
    rollout.serve(100, lambda weight: (10, 5, 90, 0), shared=5)
    assert actions(rollout) == []


def test_the_verdict_says_what_it_waits_for() -> None:
    rollout = Rollout()
    verdict = rollout.serve(10, steady())
    assert (verdict.reason, verdict.requests, verdict.needed_requests) == (Reason.TOO_FEW_REQUESTS, 50, 150)
    assert verdict.eta_seconds == pytest.approx(20, abs=2)


def test_several_gateways_give_the_verdict_of_one() -> None:
    alone, parts = Rollout(TEN), [Gateway("a"), Gateway("b")]
    state = begin(TEN)
    for second in range(40):
        alone.clock = 1000.0 + second
        readings = tuple(gateway.reading(100.0 * i + second, 10) for i, gateway in enumerate(parts))
        state, verdict = decide(TEN, state, Sample(1000.0 + second, readings))
        for gateway in parts:
            gateway.serve((10, 2, 90, 0))
        if verdict.action is Action.BRAKE:
            return
    raise AssertionError("two gateways that both see a bad version were not enough to brake it")


def test_a_manual_step_waits_for_its_approval_and_no_deadline_runs() -> None:
    policy = Policy(steps_percent=(50.0,), min_step_seconds=5, needs=(Need(manual=True),), hold_deadline_seconds=60)
    rollout = Rollout(policy)
    last = rollout.serve(300, steady())
    assert (last.judgement, last.reason, last.step) == (Judgement.UNKNOWN, Reason.AWAITING_APPROVAL, 0)
    approved = rollout.look(orders=Orders(approve=True))
    assert (approved.action, approved.step, rollout.state.approved) == (Action.ADVANCE, 1, False)


def test_an_approval_that_comes_early_is_kept_until_the_step_has_what_it_needs() -> None:
    policy = Policy(steps_percent=(50.0,), min_step_seconds=5, needs=(Need(manual=True),))
    rollout = Rollout(policy)
    rollout.serve(2, steady())
    assert rollout.look(orders=Orders(approve=True)).action is Action.HOLD
    rollout.serve(10, steady())
    assert actions(rollout) == [Action.ADVANCE]


def test_an_approval_does_not_hide_evidence() -> None:
    rollout = Rollout(replace(TEN, needs=(Need(manual=True),)))
    rollout.look(orders=Orders(approve=True))
    rollout.serve(60, steady(bad=0.2, good=0.005))
    assert actions(rollout) == [Action.BRAKE, Action.ROLL_BACK]


@pytest.mark.parametrize(
    ("orders", "reason"),
    [(Orders(paused=True), Reason.PAUSED), (Orders(frozen=True), Reason.ROLLOUTS_FROZEN)],
)
def test_a_rollout_that_is_stopped_moves_nothing_and_goes_on_where_it_was(orders: Orders, reason: Reason) -> None:
    rollout = Rollout(Policy(hold_deadline_seconds=30))
    rollout.serve(10, steady())
    for _ in range(60):
        rollout.clock += 1
        last = rollout.look(orders=orders)
    assert (last.judgement, last.action, last.reason) == (Judgement.UNKNOWN, Action.HOLD, reason)
    rollout.serve(40, steady())
    assert actions(rollout) == [Action.ADVANCE]


HARMLESS: list[tuple[str, Any]] = [
    ("a duplicate", lambda rollout, sample: sample),
    ("an older one", lambda rollout, sample: replace(sample, at_seconds=sample.at_seconds - 30)),
    ("an empty one", lambda rollout, sample: Sample(sample.at_seconds)),
    (
        "a broken one",
        lambda rollout, sample: replace(
            sample,
            readings=(
                replace(sample.readings[0], candidate=replace(sample.readings[0].candidate, failures=float("nan"))),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("name", "change"), HARMLESS)
def test_samples_that_say_nothing_new_change_no_evidence(name: str, change: Any) -> None:
    rollout = Rollout(TEN)
    rollout.serve(3, steady(bad=0.1, good=0.005))
    sample = Sample(rollout.clock, (rollout.gateway.reading(rollout.clock + 90, 10),))
    before = rollout.state
    rollout.take(change(rollout, sample))
    assert rollout.state.tests == before.tests
    assert rollout.state.observed_seconds == before.observed_seconds
