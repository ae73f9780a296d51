"""One operator writes at a time: who follows a leader that dies, leaves or stands still, and how soon."""

import time

from tests.apiserver.controllers import Controllers
from tests.apiserver.objects import Objects, eventually
from tests.apiserver.operator_process import SHORT_LEASE, OperatorProcess, StartOperator
from tests.cluster import mark
from tests.cluster.progress import pause

AFTER_CRASH_SECONDS = SHORT_LEASE["durationSeconds"] + 5
AFTER_RELEASE_SECONDS = 3.0
WEB = {
    "kind": "ModelDeployment",
    "metadata": {"name": "web"},
    "spec": {"container": {"image": "registry.example/web:1"}},
}


def pair(start_operator: StartOperator, **settings: object) -> tuple[OperatorProcess, OperatorProcess]:
    """The leader and the standby."""
    leader = start_operator("operator-a", **settings)
    eventually("operator-a leads", lambda: leader.leading, seconds=10)
    standby = start_operator("operator-b", **settings)
    assert not standby.leading
    return leader, standby


def seconds_until_leading(operator: OperatorProcess, *, within: float) -> float:
    """How long it took."""
    started = time.monotonic()
    eventually(f"{operator.user} leads", lambda: operator.leading, seconds=within)
    return time.monotonic() - started


def epoch(objects: Objects) -> int:
    """The leadership that last wrote where the traffic of `web` goes."""
    traffic = (objects.get("ModelDeployment", "web").get("status") or {}).get("traffic") or {}
    return int(traffic.get("epoch", 0))


def stable(objects: Objects) -> str:
    """The revision of `web` that serves, as its status says it."""
    status = objects.get("ModelDeployment", "web").get("status") or {}
    return str((status.get("stable") or {}).get("revision", ""))


def test_the_standby_follows_a_leader_that_is_killed(start_operator: StartOperator, objects: Objects) -> None:
    leader, standby = pair(start_operator)
    leader.kill()
    took = seconds_until_leading(standby, within=AFTER_CRASH_SECONDS)
    # It may not take a lease that has not run out; the last renewal is at most `renewSeconds` old.
    assert took > SHORT_LEASE["durationSeconds"] - SHORT_LEASE["renewSeconds"] - 1
    objects.create(WEB)
    eventually("the standby works", objects.workload_names, seconds=5)


def test_a_leader_that_is_stopped_hands_its_lease_over(start_operator: StartOperator) -> None:
    leader, standby = pair(start_operator)
    started = time.monotonic()
    assert leader.stop() == 0
    eventually("operator-b leads", lambda: standby.leading, seconds=AFTER_RELEASE_SECONDS)
    assert time.monotonic() - started <= AFTER_RELEASE_SECONDS


def test_a_leader_that_stood_still_past_its_lease_writes_nothing_when_it_wakes(
    start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    leader, standby = pair(start_operator)
    objects.create(WEB)
    eventually("a Deployment", objects.workload_names, seconds=5)
    controllers.all_ready()
    # A revision that never was stable goes at once when the spec changes; this one has to stay beside the second.
    eventually("web is stable", lambda: stable(objects), seconds=5)
    before = epoch(objects)
    pause(1)  # its events are written, too: a request that is under way when it freezes arrives when it wakes
    leader.freeze()
    # Work for the one that sleeps: it will find the event on its connection when it wakes.
    objects.merge("ModelDeployment", "web", {"spec": {"container": {"image": "registry.example/web:2"}}})
    seconds_until_leading(standby, within=AFTER_CRASH_SECONDS)
    eventually("a second revision", lambda: len(objects.workload_names()) == 2, seconds=5)
    assert epoch(objects) > before
    since = mark(leader.plane.audit_log)
    leader.thaw()
    eventually("the deposed leader ends itself", lambda: not leader.alive, seconds=10)
    controllers.all_ready()
    pause(1)
    assert leader.writes(since) == []
    assert leader.process.returncode == 1


def test_a_leader_that_slept_past_an_appointment_does_not_keep_it(
    start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    leader, standby = pair(start_operator, retirementGraceSeconds=6)
    objects.create(WEB)
    eventually("a Deployment", objects.workload_names, seconds=5)
    controllers.all_ready()
    first = eventually("web is stable", lambda: stable(objects), seconds=5)
    objects.merge("ModelDeployment", "web", {"spec": {"container": {"image": "registry.example/web:2"}}})
    eventually("a second revision", lambda: len(objects.workload_names()) == 2, seconds=5)
    controllers.all_ready()
    eventually("the second is stable", lambda: stable(objects) != first, seconds=5)
    pause(1)  # as above; the first revision is to be retired five seconds from now, and the leader knows when
    leader.freeze()
    seconds_until_leading(standby, within=AFTER_CRASH_SECONDS)
    eventually("the standby retires the first", lambda: first not in objects.names("Service"), seconds=10)
    pause(1)
    since = mark(leader.plane.audit_log)
    leader.thaw()  # its appointment is long due, and is on before any request can tell it that it is deposed
    eventually("the deposed leader ends itself", lambda: not leader.alive, seconds=10)
    assert leader.writes(since) == []
