"""One sample in, the state's numbers brought up to date."""

from dataclasses import replace

import pytest
from tests.unit.core.evidence.streams import Rollout, reading, steady

from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.sample import Counters, Sample
from fairlead.core.evidence.state import Kind, Recent, Stage, State
from fairlead.core.evidence.weighing import fast_evidence, split_alpha, stable_keeps, sure_evidence, weigh
from fairlead.core.rollout.decide import begin

POLICY = Policy()
ZERO = Counters()


def at(seconds: float, attempts: float = 0, failures: float = 0, stable: float = 0, weight: float = 5) -> Sample:
    """A sample at a moment of the operator's clock."""
    one = reading(Counters(attempts, failures), Counters(stable, 0), at=seconds, weight=weight)
    return Sample(seconds, (one,))


def weighed(*samples: Sample, policy: Policy = POLICY) -> State:
    """The state after these samples."""
    state = begin(policy)
    for sample in samples:
        state = weigh(policy, state, sample)
    return state


@pytest.mark.parametrize(
    ("policy", "kinds"),
    [
        (Policy(), [Kind.ERRORS_RELATIVE, Kind.ERRORS_ABSOLUTE]),
        (Policy(max_slow_rate=0.01), list(Kind)),
        (Policy(random_arms=False), [Kind.ERRORS_ABSOLUTE]),
        (Policy(random_arms=False, max_slow_rate=0.01), [Kind.ERRORS_ABSOLUTE, Kind.LATENCY_ABSOLUTE]),
    ],
)
def test_the_parts_of_alpha_add_up_to_all_of_it(policy: Policy, kinds: list[Kind]) -> None:
    tests = split_alpha(policy)
    assert [test.kind for test in tests] == kinds
    assert sum(test.share for test in tests) == pytest.approx(1)


def test_time_is_that_between_looks_and_starts_with_the_first() -> None:
    state = weighed(at(1000), at(1001), at(1003.5))
    assert (state.clock_seconds, state.observed_seconds) == (1003.5, 3.5)


def test_a_look_out_of_order_takes_no_time() -> None:
    state = weighed(at(1000), at(1010), at(1008), at(1011))
    assert state.observed_seconds == 11


def test_a_new_leader_whose_clock_is_minutes_behind_goes_on_from_there() -> None:
    state = weighed(at(1000), at(1010), at(700), at(701), at(702))
    assert (state.clock_seconds, state.observed_seconds) == (702, 12)


def test_a_long_gap_is_not_time_under_observation() -> None:
    assert weighed(at(1000), at(5000)).observed_seconds == 15


def test_blind_time_is_not_time_under_observation_either() -> None:
    state = weighed(at(1000), at(1001), *(Sample(1001.0 + second) for second in range(1, 100)))
    assert (state.observed_seconds, state.blind_seconds) == (16, 99)


def test_a_hold_is_waiting_when_the_step_s_own_time_is_over_or_nothing_is_seen() -> None:
    assert weighed(at(1000), at(1010), at(1020)).waited_seconds == 0
    assert weighed(at(1000), at(1010), at(1020), at(1030), at(1040)).waited_seconds == 20
    assert weighed(at(1000), Sample(1010.0), Sample(1020.0)).waited_seconds == 10


def test_a_sample_without_news_makes_blind_and_one_with_news_ends_it() -> None:
    state = weighed(at(1000), at(1001), Sample(1011.0), Sample(1021.0))
    assert state.blind_seconds == 20
    assert weigh(POLICY, state, at(1022)).blind_seconds == 0


def test_evidence_of_a_step_starts_when_every_gateway_applies_its_weight() -> None:
    state = weighed(at(1000), at(1001, 10, weight=1), at(1002, 17))
    assert state.step_count.attempts == 7


def test_the_first_attempts_are_followed_until_the_first_success() -> None:
    failing = weighed(at(1000), at(1001, 4, 4), at(1002, 4, 4), at(1003, 9, 9))
    assert (failing.first_count.attempts, failing.first_count.failures, failing.first_count.looks) == (9, 9, 2)
    mended = weigh(POLICY, failing, at(1004, 12, 9))
    assert weigh(POLICY, mended, at(1005, 99, 99)).first_count == mended.first_count


def test_recent_requests_fade_within_minutes() -> None:
    state = weighed(at(1000), at(1001, 10, 0, 90))
    assert (state.recent.attempts, state.recent.stable_attempts) == (10, 90)
    for second in range(2, 400):
        state = weigh(POLICY, state, at(1000 + second, 10, 0, 90))
    assert state.recent.stable_attempts < 1


def test_a_look_after_more_than_a_minute_forgets_what_was_recent() -> None:
    state = weighed(at(1000), at(1001, 10, 0, 90), at(1200, 10, 0, 90))
    assert state.recent.stable_attempts == 0


def test_looks_closer_than_a_second_share_one_window() -> None:
    half = weighed(at(1000), at(1000.5, 10, 9, 90))
    assert half.tests[0].capital.fast == begin(POLICY).tests[0].capital.fast
    assert half.tests[0].capital.short.hits == 9
    assert weigh(POLICY, half, at(1001, 20, 18, 180)).tests[0].capital.fast[0] > 1


def test_a_late_sample_counts_what_it_missed_as_one_window() -> None:
    late = weighed(at(1000), at(1010, 100, 100, 900))
    steps = weighed(*(at(1000 + i, 10 * i, 10 * i, 90 * i) for i in range(11)))
    assert 1 < sure_evidence(late) < sure_evidence(steps)


def test_requests_of_the_greater_weight_that_are_under_way_are_expected() -> None:
    state = replace(begin(POLICY), floor_percent=50.0, floor_until_seconds=1.0)
    samples = [
        Sample(1000.0, (reading(ZERO, ZERO),)),
        Sample(1001.0, (reading(Counters(5, 5), Counters(95, 5), at=1),)),
    ]
    guarded, open_ = state, begin(POLICY)
    for sample in samples:
        guarded, open_ = weigh(POLICY, guarded, sample), weigh(POLICY, open_, sample)
    assert fast_evidence(guarded) < 1 < fast_evidence(open_)


def test_what_is_scraped_seldom_is_expected_of_the_greater_weight_for_longer() -> None:
    state = replace(begin(POLICY), floor_percent=50.0, floor_until_seconds=1.0)
    first = Sample(1000.0, (reading(ZERO, ZERO),))
    late = Sample(1030.0, (reading(Counters(5, 5), Counters(5, 5), at=1),), stale_seconds=75.0)
    scraped = weigh(POLICY, weigh(POLICY, state, first), late)
    direct = weigh(POLICY, weigh(POLICY, state, first), replace(late, stale_seconds=15.0))
    assert fast_evidence(scraped) <= 1 < fast_evidence(direct), (
        "half of them failed: what chance at the old weight does"
    )


def test_a_source_without_news_makes_blind_after_its_own_time() -> None:
    quiet = [Sample(1001.0 + 5 * look, stale_seconds=75.0) for look in range(1, 30)]
    state = weighed(at(1000), at(1001), *quiet)
    assert (state.blind_seconds, state.observed_seconds) == (145, 76)
    assert weighed(at(1000), replace(at(1060), stale_seconds=75.0)).observed_seconds == 60


def test_the_limit_is_tested_only_while_stable_keeps_it() -> None:
    good, bad = Rollout(), Rollout()
    for rollout, stable in ((good, 0.0), (bad, 0.5)):
        rollout.serve(2, steady(1000, bad=0.0, good=stable))
        before = rollout.state.tests[1].capital.fast[0]
        rollout.gateway.serve((50, 25, 950, int(950 * stable)))
        rollout.clock += 1
        rollout.look()
        assert (rollout.state.tests[1].capital.fast[0] > 2 * before) == (stable == 0.0)


def test_latency_is_judged_on_the_requests_that_have_one() -> None:
    rollout = Rollout(Policy(max_slow_rate=0.01))
    rollout.serve(3, steady(), slow=(4, 0))
    by_kind = {test.kind: test.capital for test in rollout.states[-1].tests}
    assert by_kind[Kind.LATENCY_RELATIVE].sure[0] > 1
    assert by_kind[Kind.ERRORS_RELATIVE].fast[0] < 1


def test_a_slow_limit_that_stable_breaks_too_is_not_tested() -> None:
    rollout = Rollout(Policy(max_slow_rate=0.01))
    rollout.serve(3, steady(), slow=(0, 50))
    before = {test.kind: test.capital for test in rollout.state.tests}[Kind.LATENCY_ABSOLUTE]
    rollout.serve(1, steady(), slow=(5, 50))
    after = {test.kind: test.capital for test in rollout.state.tests}[Kind.LATENCY_ABSOLUTE]
    assert after.fast[0] - before.fast[0] < 1e-3


def test_a_stable_of_which_little_is_known_shows_nothing() -> None:
    assert not stable_keeps(0, 20, 0.02, POLICY)
    assert stable_keeps(0, 60, 0.02, POLICY)
    assert not stable_keeps(1, 60, 0.02, POLICY)


def test_arms_that_are_not_drawn_have_no_common_traffic_to_show_it_on() -> None:
    policy = Policy(random_arms=False)
    assert stable_keeps(0, 0, 0.02, policy)
    assert stable_keeps(1, 50, 0.02, policy)
    assert not stable_keeps(2, 50, 0.02, policy)


def test_a_burst_of_failures_starts_the_clean_count_anew() -> None:
    state = replace(begin(POLICY), stage=Stage.BRAKED)
    state = weigh(POLICY, state, at(1000))
    state = weigh(POLICY, state, at(1001, 100, 3))
    assert state.clean_count.attempts == 100
    assert weigh(POLICY, state, at(1002, 110, 4)).clean_count.attempts == 0


def test_a_burst_of_slow_answers_does_too() -> None:
    policy = Policy(max_slow_rate=0.01)
    state = replace(begin(policy), stage=Stage.BRAKED)
    for second, slow in ((0, 0), (1, 3), (2, 4)):
        counters = Counters(100.0 * second, 0, 0, 100.0 * second, slow)
        state = weigh(policy, state, Sample(1000.0 + second, (reading(counters, ZERO, at=second),)))
    assert state.clean_count.attempts == 0


def test_a_state_begins_with_nothing_seen() -> None:
    assert begin(POLICY).recent == Recent()
    assert sure_evidence(begin(POLICY)) == pytest.approx(1)
