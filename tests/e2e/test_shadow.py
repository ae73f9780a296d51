"""New versions that answer copies of requests first, on the whole cluster."""

from typing import Any

import pytest
from tests.e2e.rollout import SHORT, Watched
from tests.e2e.world import World
from tests.load import background_load

pytestmark = pytest.mark.together

SHADOW = {"percent": 50, "minRequests": 200, "minDuration": "10s"}
SHADOWED: dict[str, Any] = {**SHORT, "shadow": SHADOW, "canary": {**SHORT["canary"], "attemptTimeout": "1s"}}


@pytest.fixture
def watched(world: World) -> Watched:
    """Nothing is deployed yet."""
    return Watched(world)


def copies(watched: Watched) -> dict[str, Any] | None:
    """Who gets copies, and of how much."""
    found: dict[str, Any] | None = watched.status["traffic"].get("mirror")
    return found


def test_a_good_shadow_goes_out_as_a_canary_and_is_promoted(watched: Watched) -> None:
    old = watched.serving()
    with background_load(watched.plan()) as load:
        new = watched.ship(2, rollout=SHADOWED)
        watched.until("Shadow", seconds=60)
        assert watched.weights() == {old: 100}
        assert copies(watched) == {"revision": new, "percent": 50}
        watched.until("Canary", seconds=60)
        assert (watched.weights(), copies(watched)) == ({old: 90, new: 10}, None)
        watched.until("Stable", seconds=150)
        report = load.report()
    assert report.failed == 0, report.describe()
    assert watched.weights() == {new: 100}
    assert [(entry["revision"], entry["outcome"]) for entry in watched.status["history"]] == [(new, "Promoted")]


@pytest.mark.parametrize("env", [{"FAIL": "0.3"}, {"FAIL": "1"}, {"HANG": "1"}], ids=["some", "all", "hangs"])
def test_a_shadow_that_fails_or_hangs_is_rolled_back_and_no_user_notices(watched: Watched, env: dict[str, str]) -> None:
    old = watched.serving()
    with background_load(watched.plan()) as load:
        bad = watched.ship(2, rollout=SHADOWED, env=env)
        watched.until("RolledBack", seconds=120)
        report = load.report()
    assert report.failed == 0, report.describe()
    assert report.answers_by_header.keys() == {old}, "nobody was answered by the shadow"
    assert report.latency is not None and report.latency.p50_seconds < 0.2
    status = watched.status
    assert (watched.weights(), copies(watched)) == ({old: 100}, None)
    assert [item["revision"] for item in status["quarantine"]] == [bad]
    assert "as a shadow" in status["history"][-1]["message"]


def test_a_shadow_that_is_to_hold_waits_until_somebody_approves(watched: Watched) -> None:
    old = watched.serving()
    with background_load(watched.plan()) as load:
        new = watched.ship(2, rollout={**SHADOWED, "shadow": {**SHADOW, "onPass": "hold"}})
        watched.until("AwaitingApproval", seconds=90)
        assert watched.weights() == {old: 100}
        watched.ask("approve", new)
        watched.until("Canary", seconds=30)
        report = load.report()
    assert report.failed == 0, report.describe()
