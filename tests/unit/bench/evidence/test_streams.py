"""Simulated traffic."""

import numpy as np
import pytest
from tests.bench.evidence.streams import Scenario, Traffic

RUNS = 400


def totals(scenario: Scenario, seconds: int, weight: float = 0.2) -> tuple[float, float, float]:
    """Candidate's share of requests, its failure rate, and stable's, over the last second."""
    traffic, share = Traffic(scenario, RUNS, 1), np.full(RUNS, weight)
    for second in range(1, seconds + 1):
        new = traffic.second(second, share)
    mine, theirs = new.candidate.sum(), new.stable.sum()
    return mine / (mine + theirs), new.failures.sum() / mine, new.stable_failures.sum() / theirs


def test_requests_are_drawn_by_weight_and_failures_by_rate() -> None:
    share, bad, good = totals(Scenario(good=0.05, bad=0.3), 1)
    assert share == pytest.approx(0.2, abs=0.01)
    assert bad == pytest.approx(0.3, abs=0.03)
    assert good == pytest.approx(0.05, abs=0.01)


def test_a_version_turns_bad_at_its_moment() -> None:
    assert totals(Scenario(bad=0.5, bad_from_seconds=2), 2)[1] < 0.05
    assert totals(Scenario(bad=0.5, bad_from_seconds=2), 3)[1] > 0.4


def test_an_outage_hits_both_alike() -> None:
    _, bad, good = totals(Scenario(outage_seconds=(2, 4)), 3)
    assert bad == pytest.approx(0.5, abs=0.03)
    assert good == pytest.approx(0.5, abs=0.02)


def test_bursts_come_whole_and_leave_the_rate_alone() -> None:
    traffic = Traffic(Scenario(good=0.05, bad=0.05, burst=5), RUNS, 1)
    new = traffic.second(1, np.full(RUNS, 0.2))
    assert set(new.failures % 5) == {0}
    assert new.failures.sum() / new.candidate.sum() == pytest.approx(0.05, abs=0.02)
    assert (new.failures <= new.candidate).all()


def test_one_episode_hits_the_candidate_for_its_length() -> None:
    scenario = Scenario(episode_seconds=3.0, episode_once_at=2.0)
    rates = [totals(scenario, second, weight=0.1)[1] for second in (1, 2, 4, 5)]
    assert [rate > 0.5 for rate in rates] == [False, True, True, False]


def test_episodes_come_twice_an_hour_a_pod() -> None:
    traffic, share, begun = Traffic(Scenario(episode_seconds=1.0), RUNS, 1), np.full(RUNS, 0.1), 0
    for second in range(1, 181):
        traffic.second(second, share)
        begun += int((traffic._left > 0).sum())
    assert begun / (RUNS * 10) == pytest.approx(2 * 180 / 3600 * 1.58, rel=0.25)


def test_without_failover_no_failure_is_shared() -> None:
    shielded = Traffic(Scenario(outage_seconds=(0, 9), failover=True), RUNS, 1).second(1, np.full(RUNS, 0.2))
    bare = Traffic(Scenario(outage_seconds=(0, 9), failover=False), RUNS, 1).second(1, np.full(RUNS, 0.2))
    assert shielded.shared.sum() / shielded.failures.sum() == pytest.approx(0.5, abs=0.05)
    assert bare.shared.sum() == 0


def test_slowness_is_drawn_only_where_somebody_looks_at_it() -> None:
    assert Traffic(Scenario(slow=0.5, slow_bad=0.5), RUNS, 1).second(1, np.full(RUNS, 0.2)).slow.sum() == 0
    seen = Traffic(Scenario(slow=0.5, slow_bad=0.5, latency=True), RUNS, 1).second(1, np.full(RUNS, 0.2))
    assert seen.slow.sum() / seen.timed.sum() == pytest.approx(0.5, abs=0.03)


def test_a_good_version_stays_as_good_as_stable_when_the_day_swings() -> None:
    _, bad, good = totals(Scenario(requests_per_minute=60_000, diurnal=True), 900)
    assert bad == pytest.approx(good, rel=0.2)
    assert good < 0.002
