"""Versions that turn out bad in ways that take a while to see, and one that only seems so."""

import time

import pytest
from tests.e2e.rollout import LONG_STEP, Watched
from tests.load import background_load

pytestmark = pytest.mark.together

ERRORS = ("ErrorsAboveStable", "ErrorsAboveLimit")
"""Where both are true, the one is told whose test had won more by then: chance."""
HICCUP_SECONDS = 3.0
RESUMED_SECONDS = 120.0


def test_a_version_that_turns_bad_after_good_minutes_is_hauled_back_while_answers_are_slow(watched: Watched) -> None:
    old = watched.serving(rollout=LONG_STEP, env={"AFTER_MS": "200"})
    with background_load(watched.plan()) as load:
        bad = watched.ship(2, rollout=LONG_STEP, env={"AFTER_MS": "200"})
        watched.until("Canary", seconds=60)
        time.sleep(20)
        assert watched.weights() == {old: 50, bad: 50}
        watched.behave(bad, fail=0.2)
        watched.until("RolledBack", seconds=120)
        report = load.report()
    assert report.failed == 0, report.describe()
    revision, outcome, reason = watched.ended()
    assert (revision, outcome) == (bad, "RolledBack")
    assert reason in ERRORS, reason
    assert watched.weights() == {old: 100}
    assert [item["revision"] for item in watched.status["quarantine"]] == [bad]


def test_a_slow_version_is_hauled_back(watched: Watched) -> None:
    rollout = {**LONG_STEP, "checks": {"maxLatencyP99": "150ms"}}
    old = watched.serving(rollout=rollout)
    with background_load(watched.plan()) as load:
        bad = watched.ship(2, rollout=rollout, env={"AFTER_MS": "400"})
        watched.until("RolledBack", seconds=120)
        report = load.report()
    assert report.failed == 0, report.describe()
    revision, outcome, reason = watched.ended()
    assert (revision, outcome) == (bad, "RolledBack")
    assert reason.startswith("LatencyAbove")
    assert watched.weights() == {old: 100}


def test_a_good_version_whose_pod_hiccups_is_braked_and_goes_on(watched: Watched) -> None:
    old = watched.serving(rollout=LONG_STEP)
    with background_load(watched.plan(rate=200)) as load:
        new = watched.ship(2, rollout=LONG_STEP)
        watched.until("Canary", seconds=60)
        time.sleep(10)
        watched.behave(new, fail=0.8)
        time.sleep(HICCUP_SECONDS)
        watched.behave(new, fail=0)
        watched.until("Braked", seconds=5)
        assert watched.weights()[new] <= 5
        watched.until("Canary", seconds=RESUMED_SECONDS)
        assert watched.weights() == {old: 50, new: 50}
        report = load.report()
    assert report.failed == 0, report.describe()
    assert not watched.status.get("quarantine")
