"""What says nothing about a version holds its rollout: an outage that both share, no evidence, no traffic."""

import pytest
from tests.e2e.blinding import (
    assert_seen_by_prometheus,
    every_renderer_stopped,
    evidence_blocked,
    one_renderer_stopped,
    prometheus_away,
    prometheus_stopped,
)
from tests.e2e.rollout import LONG_STEP, SHORT, Watched
from tests.load import Connections, background_load

pytestmark = pytest.mark.together

IMPATIENT = {**LONG_STEP, "holdDeadline": "10s"}
"""So that a hung renderer is not yet started anew by the kubelet when it is over."""


def test_an_outage_that_both_share_and_inputs_that_nobody_can_take_hold_nothing_against_it(watched: Watched) -> None:
    rollout = {
        **SHORT,
        "canary": {"steps": [{"weight": 50, "minRequests": 200, "minDuration": "30s"}], "failover": True},
    }
    old = watched.serving(rollout=rollout)
    with background_load(watched.plan()), background_load(watched.plan(rate=1, path="/poison")) as poisoned:
        new = watched.ship(2, rollout=rollout)
        watched.until("Canary", seconds=60)
        for revision in (old, new):
            watched.behave(revision, fail=0.5)
        watched.until("Held", seconds=20)
        assert watched.status["evidence"]["reason"] == "StableUnhealthy"
        for revision in (old, new):
            watched.behave(revision, fail=0)
        watched.until("Stable", seconds=180)
        report = poisoned.report()
    assert report.non2xx_by_code == {"500": report.sent}
    assert watched.ended() == (new, "Promoted", "Promoted")


def test_without_traffic_it_ends_at_the_deadline_without_a_verdict(watched: Watched) -> None:
    rollout = {"canary": {}, "holdDeadline": "20s"}
    old = watched.serving(rollout=rollout)
    new = watched.ship(2, rollout=rollout)
    watched.until("Canary", seconds=60)
    assert "0 of 150 requests" in watched.world.condition("md", "web", "RolledOut")["message"]
    watched.until("Inconclusive", seconds=90)
    assert watched.ended() == (new, "Inconclusive", "AnalysisInconclusive")
    assert watched.weights() == {old: 100}
    assert not watched.status.get("quarantine")


def test_without_its_own_eyes_the_operator_sees_by_prometheus(watched: Watched) -> None:
    assert_seen_by_prometheus(watched)


BLIND = {
    "blocked and gone": (evidence_blocked, prometheus_away),
    "both hang": (every_renderer_stopped, prometheus_stopped),
}


@pytest.mark.parametrize("how", BLIND)
def test_blind_it_neither_promotes_nor_rolls_back_and_ends_at_the_deadline(watched: Watched, how: str) -> None:
    own_eyes_shut, no_prometheus = BLIND[how]
    old = watched.serving(rollout=IMPATIENT)
    newcomers = watched.plan(connections=Connections.FRESH)  # whom a Service without ready gateways turns away
    with no_prometheus(watched.world), background_load(newcomers) as load:
        new = watched.ship(2, rollout=IMPATIENT)
        watched.until("Canary", seconds=60)
        with own_eyes_shut(watched.world):
            watched.behave(new, fail=0.1)  # which nobody sees
            watched.until("Held", seconds=40)
            assert watched.status["evidence"]["reason"] == "NoEvidence"
            assert watched.weights() == {old: 50, new: 50}
            watched.until("Inconclusive", seconds=60)
        report = load.report()
    assert report.failed == 0, report.describe()
    assert watched.ended() == (new, "Inconclusive", "AnalysisInconclusive")
    assert watched.weights() == {old: 100}
    assert not watched.status.get("quarantine")


def test_a_gateway_that_tells_nothing_holds_nobody_up(watched: Watched) -> None:
    watched.serving()
    with background_load(watched.plan()):
        new = watched.ship(2)
        watched.until("Canary", seconds=60)
        with one_renderer_stopped(watched.world):
            watched.until("Guard", seconds=90)
        assert watched.status["stable"]["revision"] == new
