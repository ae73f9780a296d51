"""Takes the operator's eyes: its way to the gateways' evidence, or the process that tells it."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from tests.e2e.gateway import SELECTOR
from tests.e2e.killing import processes
from tests.e2e.rollout import LONG_STEP, Watched
from tests.e2e.world import World
from tests.load import background_load

EVIDENCE_PORT = "8082"


def _renderers(world: World) -> list[int]:
    """The renderer of each gateway pod, as this machine numbers them; never the Envoy beside it."""
    return [processes(pod["metadata"]["uid"], b"fairlead_gateway")[0] for pod in world.items("pods", SELECTOR)]


@contextmanager
def evidence_blocked(world: World) -> Iterator[None]:
    """No packet reaches the evidence endpoint of any gateway pod; users' requests do."""
    found = _renderers(world)

    def rule(action: str, pid: int) -> None:
        drop = ("INPUT", "-p", "tcp", "--dport", EVIDENCE_PORT, "-j", "DROP")
        subprocess.run(["nsenter", "-t", str(pid), "-n", "iptables", action, *drop], check=True)

    for pid in found:
        rule("-I", pid)
    try:
        yield
    finally:
        for pid in found:
            rule("-D", pid)


def assert_seen_by_prometheus(watched: Watched) -> None:
    """With the operator's own eyes shut a bad version is rolled back all the same, and no user notices."""
    old = watched.serving(rollout=LONG_STEP)
    with background_load(watched.plan()) as load:
        new = watched.ship(2, rollout=LONG_STEP)
        watched.until("Canary", seconds=60)
        with evidence_blocked(watched.world):
            watched.behave(new, fail=0.3)
            watched.until("RolledBack", seconds=150)
        report = load.report()
    assert report.failed == 0, report.describe()
    assert watched.weights() == {old: 100}


@contextmanager
def prometheus_away(world: World) -> Iterator[None]:
    """No Prometheus while the block runs."""
    there = ("-n", "prometheus")
    world.cluster.kubectl(*there, "scale", "deploy/prometheus", "--replicas=0")
    try:
        world.cluster.kubectl(*there, "wait", "pod", "--all", "--for=delete", "--timeout=60s")
        yield
    finally:
        world.cluster.kubectl(*there, "scale", "deploy/prometheus", "--replicas=1")
        world.cluster.kubectl(*there, "rollout", "status", "deploy/prometheus", "--timeout=120s")


@contextmanager
def scraped_every(world: World, interval: str) -> Iterator[None]:
    """Prometheus looks as often as this, such as `15s`, while the block runs."""
    there = ("-n", "prometheus")
    before = json.loads(world.cluster.kubectl(*there, "get", "configmap", "prometheus", "-o", "json"))["data"]

    def configure(data: dict[str, str]) -> None:
        patch = json.dumps({"data": data})
        world.cluster.kubectl(*there, "patch", "configmap", "prometheus", "--type=merge", "-p", patch)
        world.cluster.kubectl(*there, "rollout", "restart", "deploy/prometheus")
        world.cluster.kubectl(*there, "rollout", "status", "deploy/prometheus", "--timeout=120s")

    changed = {name: re.sub(r"scrape_interval: \w+", f"scrape_interval: {interval}", t) for name, t in before.items()}
    assert changed != before, before
    configure(changed)
    try:
        yield
    finally:
        configure(before)


@contextmanager
def _stopped(pids: Iterable[int]) -> Iterator[None]:
    """These processes stand still, as under a memory squeeze: they take connections and answer nothing."""
    found = list(pids)
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in found:
            with suppress(ProcessLookupError):  # the kubelet may have ended it meanwhile, because it did not answer
                os.kill(pid, signal.SIGCONT)


@contextmanager
def one_renderer_stopped(world: World) -> Iterator[None]:
    """The renderer of one gateway pod stands still."""
    with _stopped(_renderers(world)[:1]):
        yield


@contextmanager
def every_renderer_stopped(world: World) -> Iterator[None]:
    """The renderer of every gateway pod stands still."""
    with _stopped(_renderers(world)):
        yield


@contextmanager
def prometheus_stopped(world: World) -> Iterator[None]:
    """Prometheus stands still."""
    pods = json.loads(world.cluster.kubectl("-n", "prometheus", "get", "pods", "-o", "json"))["items"]
    with _stopped(pid for pod in pods for pid in processes(pod["metadata"]["uid"], b"prometheus")):
        yield
