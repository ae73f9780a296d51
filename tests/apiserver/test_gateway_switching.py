"""The short form of `python -m tests.bench.gateway.switching`."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from tests.apiserver.gateway_served import Served
from tests.apiserver.gateway_world import gateway_world
from tests.bench.gateway.switching import GOAL_P99_MS, WEIGHTS, measure_split, measure_switches
from tests.cluster import ControlPlane

CHANGES = 40
REQUESTS = 1000
SPARE = 5
"""The tests share the machine with each other; the goal itself is held by the bench, on an idle one."""


@pytest.fixture
def served(control_plane: ControlPlane, api: httpx.Client, namespace: str, tmp_path: Path) -> Iterator[Served]:
    """A ModelDeployment with two revisions, all of it with the canary."""
    with gateway_world(control_plane, api, namespace, tmp_path) as world, ExitStack() as pods:
        world.gateway.start()
        found = Served(world, pods)
        found.pod("stable"), found.pod("canary")
        found.serve(arms=found.arms(stable=0, canary=100))
        yield found


def test_a_weight_is_served_at_once_and_fails_no_request(served: Served) -> None:
    def write(percent: int) -> None:
        served.write(arms=served.arms(stable=100 - percent, canary=percent))

    url = f"http://127.0.0.1:{served.port}/"
    switches = measure_switches(url, write, served.revision("canary"), CHANGES)
    assert switches.load.failed == 0, switches.load.describe()
    assert switches.rank(0.5) <= SPARE * GOAL_P99_MS, sorted(switches.milliseconds)


def test_shares_are_kept(served: Served) -> None:
    url = f"http://127.0.0.1:{served.port}/"
    for percent in WEIGHTS:
        served.serve(arms=served.arms(stable=100 - percent, canary=percent))
        split = measure_split(url, served.revision("canary"), percent, REQUESTS)
        assert split.honest, (split, split.band)
