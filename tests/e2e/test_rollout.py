"""New versions under traffic on the whole cluster: good ones, bad ones, and some that turn bad."""

import pytest
from tests.e2e.rollout import Watched
from tests.load import background_load

pytestmark = [pytest.mark.together, pytest.mark.long(2.5)]

MANY = 10_000
"""Requests: of the 25 s that the steps and the guard take at least, at 400 a second."""


def test_a_good_version_is_promoted_and_no_pod_is_restarted(watched: Watched) -> None:
    old = watched.serving()
    with background_load(watched.plan(rate=400)) as load:
        new = watched.ship(2)
        watched.until("Canary", seconds=60)
        assert watched.weights() == {old: 90, new: 10}
        watched.until("Guard", seconds=90)
        pods = {pod["metadata"]["uid"] for pod in watched.world.items("pods", f"fairlead.dev/revision={new}")}
        watched.until("Stable", seconds=60)
        report = load.report()
    assert report.failed == 0, report.describe()
    assert report.sent >= MANY
    status = watched.status
    assert status["stable"]["revision"] == new
    assert [(entry["revision"], entry["outcome"]) for entry in status["history"]] == [(new, "Promoted")]
    assert {pod["metadata"]["uid"] for pod in watched.world.items("pods", f"fairlead.dev/revision={new}")} == pods


@pytest.mark.parametrize("share", ["0.2", "1"])
def test_a_worse_version_is_hauled_back_and_no_user_sees_a_failure(watched: Watched, share: str) -> None:
    old = watched.serving()
    with background_load(watched.plan()) as load:
        bad = watched.ship(2, env={"FAIL": share})
        watched.until("RolledBack", seconds=120)
        report = load.report()
    assert report.failed == 0, report.describe()
    status = watched.status
    assert watched.weights() == {old: 100}
    assert [item["revision"] for item in status["quarantine"]] == [bad]
    assert status["conditions"][0]["status"] == "True"


def test_a_version_that_turns_bad_in_its_guard_gives_way(watched: Watched) -> None:
    old = watched.serving()
    with background_load(watched.plan()) as load:
        bad = watched.ship(2, rollout={**SLOW_GUARD})
        watched.until("Guard", seconds=120)
        watched.behave(bad, fail=0.2)
        watched.until("RolledBack", seconds=120)
        report = load.report()
    assert report.failed == 0, report.describe()
    assert watched.weights() == {old: 100}
    assert watched.status["stable"]["revision"] == old


SLOW_GUARD = {
    "canary": {"steps": [{"weight": 50, "minRequests": 50, "minDuration": "5s"}], "failover": True},
    "guard": {"duration": "5m"},
}
