"""What says nothing of a version holds its rollout: an outage that both share, no traffic, a gateway that is silent."""

import pytest
from tests.e2e.blinding import one_renderer_stopped
from tests.e2e.rollout import SHORT, Watched
from tests.load import background_load, run_load

pytestmark = [pytest.mark.together, pytest.mark.long(3)]


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
    run_load(watched.plan(seconds=4))  # so that the first version is Ready; then its users go
    new = watched.ship(2, rollout=rollout)
    watched.until("Canary", seconds=60)
    assert "0 of 150 requests" in watched.world.condition("md", "web", "RolledOut")["message"]
    watched.until("Inconclusive", seconds=90)
    watched.assert_inconclusive(new, old)


def test_a_gateway_that_tells_nothing_holds_nobody_up(watched: Watched) -> None:
    watched.serving()
    with background_load(watched.plan()):
        new = watched.ship(2)
        watched.until("Canary", seconds=60)
        with one_renderer_stopped(watched.world):
            watched.until("Guard", seconds=90)
        assert watched.status["stable"]["revision"] == new
