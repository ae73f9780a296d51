"""The operator is killed again and again while versions are judged: the verdicts are the same, and no user notices."""

import os
import queue
import signal
import time

import pytest
from tests.cluster.audit import mark, writes
from tests.e2e.gateway import NAME
from tests.e2e.killing import Killer, leading, operators, phases
from tests.e2e.rollout import Watched, version
from tests.load import background_load

FOUND_AGAIN_SECONDS = 60.0
AWAKE_SECONDS = 5.0
ALL_SECONDS = 240.0
QUIET_WRITES_PER_MINUTE = 12


def test_the_operator_killed_at_every_phase_change_judges_all_the_same(watched: Watched) -> None:
    old = watched.serving()
    killer = Killer(watched.world.cluster)
    with background_load(watched.plan(seconds=600)) as load:
        good = watched.ship(2)
        assert _kill_until(watched, killer, "Stable") >= {"Canary", "Guard"}
        bad = watched.ship(3, env={"FAIL": "0.2"})
        assert _kill_until(watched, killer, "RolledBack") >= {"Canary"}
        report = load.report()
    assert report.failed == 0, report.describe()
    assert [(item["revision"], item["outcome"]) for item in watched.status["history"]] == [
        (good, "Promoted"), (bad, "RolledBack"),
    ]  # fmt: skip
    assert watched.weights() == {good: 100}
    assert old not in watched.weights()
    assert killer.kills >= 5


def _kill_until(watched: Watched, killer: Killer, last: str) -> set[str]:
    """Kill the operator at every phase until this one comes; those that came."""
    seen: set[str] = set()
    limit = time.monotonic() + ALL_SECONDS
    with phases(watched.world, "md") as told:
        while True:
            assert time.monotonic() < limit, f"{seen}\n{watched.world.describe()}"
            try:
                phase = told.get(timeout=0.5)
            except queue.Empty:
                killer.look()
                continue
            if phase == last and "Canary" in seen:
                return seen
            if phase not in seen:
                killer.kill()
            seen.add(phase)


def test_a_leader_that_freezes_in_a_rollout_changes_nothing_when_it_wakes_after_its_successor(watched: Watched) -> None:
    world = watched.world
    log = world.cluster.audit_log
    with operators(world.cluster, 2):
        old = watched.serving()
        leader, pid = leading(world.cluster)
        with background_load(watched.plan()) as load, phases(world, "md") as told:
            bad = watched.ship(2, env={"FAIL": "1"})
            while told.get(timeout=60) != "Canary":
                pass
            os.kill(pid, signal.SIGSTOP)
            watched.until("RolledBack", seconds=60)
            since = mark(log)
            os.kill(pid, signal.SIGCONT)
            time.sleep(AWAKE_SECONDS)
            report = load.report()
        assert leading(world.cluster)[0] != leader
        mine = [item for item in writes(log, since) if item.pod == leader and item.namespace == world.namespace]
        # An event may tell late of what it had written before it froze; that moves nothing.
        late = [item for item in mine if item.resource != "events"]
        assert [item for item in late if item.code < 400] == []
        print(f"{len(late)} writes of the frozen leader were refused")
    assert report.failed == 0, report.describe()
    assert watched.ended()[:2] == (bad, "RolledBack")
    assert watched.weights() == {old: 100}


@pytest.mark.together
def test_a_rollout_that_waits_writes_its_status_every_ten_seconds_at_most(watched: Watched) -> None:
    rollout = {"canary": {"steps": [{"weight": 10, "minDuration": "10m"}], "failover": True}}
    watched.serving(rollout=rollout)
    with background_load(watched.plan()):
        watched.ship(2, rollout=rollout)
        watched.until("Canary", seconds=60)
        time.sleep(5)
        since = mark(watched.world.cluster.audit_log)
        time.sleep(30)
        found = [
            item for item in writes(watched.world.cluster.audit_log, since)
            if item.namespace == watched.world.namespace and item.resource == "modeldeployments"
        ]  # fmt: skip
    assert len(found) <= QUIET_WRITES_PER_MINUTE / 2, [item.received for item in found]


@pytest.mark.together
def test_what_a_backup_without_status_brings_back_finds_stable_and_quarantine_again(watched: Watched) -> None:
    world = watched.world
    old = watched.serving()
    broken = {"env": {"FAIL": "1"}}
    with background_load(watched.plan()) as load:
        bad = watched.ship(2, **broken)
        watched.until("RolledBack", seconds=120)
        pods = pods_of(watched, old)
        report = load.report()
    assert report.failed == 0, report.describe()
    # A backup brings the object back under a new UID and without its status; what belonged to it belongs to nobody.
    world.kubectl("delete", "md", NAME, "--cascade=orphan")
    assert pods_of(watched, old) == pods, "nothing was deleted with it"
    world.apply(version(2, **broken))
    found_again(watched, old, bad)
    uid = (world.get("md", NAME) or {})["metadata"]["uid"]
    owners = {item["uid"] for item in (world.get("deploy", old) or {})["metadata"]["ownerReferences"]}
    assert owners == {uid}
    assert pods_of(watched, old) == pods, "no pod was restarted"


def pods_of(watched: Watched, revision: str) -> set[str]:
    """The UIDs of its pods."""
    return {pod["metadata"]["uid"] for pod in watched.world.items("pods", f"fairlead.dev/revision={revision}")}


def found_again(watched: Watched, stable: str, bad: str) -> None:
    """Until the status knows both again, and all traffic is stable's."""

    def known() -> bool:
        status = watched.status
        quarantined = [item["revision"] for item in status.get("quarantine", ())]
        return (status.get("stable") or {}).get("revision") == stable and quarantined == [bad]

    watched.world.wait("stable and quarantine", known, seconds=FOUND_AGAIN_SECONDS)
    time.sleep(3)  # in which it would try the bad one again
    assert watched.weights() == {stable: 100}
    assert watched.status["phase"] == "RolledBack"
