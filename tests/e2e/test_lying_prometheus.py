"""Own eyes shut, and a Prometheus whose answers are wrong in the ways in which real ones are."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests import platform
from tests.cluster.interface import Cluster
from tests.e2e.blinding import assert_seen_by_prometheus, evidence_blocked
from tests.e2e.rollout import LONG_STEP, Watched
from tests.load import background_load

LIAR = Path(__file__).with_name("liar.py").read_text()
STALE_SECONDS = 15
"""The least that the chart allows, so that the tests need not wait for longer."""
BELIEVED_SECONDS = 12.0
MANIFEST = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "liar", "namespace": "prometheus", "labels": {"app": "liar"}},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "liar",
                "image": "localhost/fairlead-gateway:dev",
                "command": ["python", "-c", LIAR],
                "env": [{"name": "PROMETHEUS", "value": platform.PROMETHEUS_URL}],
                "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def liar(cluster: Cluster) -> Iterator[str]:
    """The address of what the operator takes for Prometheus."""
    there = ("-n", "prometheus")
    cluster.kubectl("apply", "-f", "-", input=json.dumps(MANIFEST))
    try:
        cluster.kubectl(*there, "wait", "pod/liar", "--for=condition=Ready", "--timeout=60s")
        url = f"http://{cluster.kubectl(*there, 'get', 'pod', 'liar', '-o', 'jsonpath={.status.podIP}')}:9090"
        other = {"prometheus.url": url, "prometheus.staleSeconds": str(STALE_SECONDS)}
        platform.install_fairlead(cluster, {**platform.SETTINGS, **other})
        yield url
    finally:
        platform.install_fairlead(cluster, platform.SETTINGS)
        cluster.kubectl(*there, "delete", "pod", "liar", "--wait=false")


def say(liar: str, how: str) -> None:
    """From now on."""
    httpx.get(f"{liar}/-/lie", params={"how": how}, timeout=5, trust_env=False).raise_for_status()


def has_kept(liar: str) -> bool:
    """Whether the operator has been told something that it will be told again."""
    return bool(httpx.get(f"{liar}/-/kept", timeout=5, trust_env=False).raise_for_status().json())


def test_numbers_that_are_none_late_or_stale_move_nothing(watched: Watched, liar: str) -> None:
    say(liar, "")
    impatient = {**LONG_STEP, "holdDeadline": "30s"}
    old = watched.serving(rollout=impatient)
    with background_load(watched.plan()) as load:
        new = watched.ship(2, rollout=impatient)
        watched.until("Canary", seconds=60)
        with evidence_blocked(watched.world):
            say(liar, "stale")
            watched.world.wait("an answer is kept", lambda: has_kept(liar), seconds=30)
            watched.behave(new, fail=0.2)  # which a source that tells the truth would show
            for how in ("stale", "late", "nan"):
                say(liar, how)
                started = time.monotonic()
                while time.monotonic() - started < BELIEVED_SECONDS:
                    assert watched.weights() == {old: 50, new: 50}, how
                    time.sleep(1)
            watched.until("Inconclusive", seconds=90)
        report = load.report()
    assert report.failed == 0, report.describe()
    watched.assert_inconclusive(new, old)


def test_a_clock_that_is_five_minutes_off_hides_no_failure(watched: Watched, liar: str) -> None:
    say(liar, "skewed")
    assert_seen_by_prometheus(watched)
