"""What goes on being served when a part is away: the API server, the renderer, Envoy, the pod itself."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from tests.apiserver.gateway_served import Served
from tests.apiserver.gateway_world import GatewayWorld, gateway_world
from tests.apiserver.objects import eventually
from tests.apiserver.plain_http import NO_TLS
from tests.cluster import ControlPlane
from tests.cluster.progress import pause
from tests.load import BackgroundLoad, LoadPlan

PRIVATE_KIB = 60 * 1024


@pytest.fixture
def world(control_plane: ControlPlane, api: httpx.Client, namespace: str, tmp_path: Path) -> Iterator[GatewayWorld]:
    """A gateway that has not been started."""
    with gateway_world(control_plane, api, namespace, tmp_path) as found:
        yield found


@pytest.fixture
def served(world: GatewayWorld) -> Iterator[Served]:
    """A ModelDeployment behind a gateway that runs."""
    world.gateway.start()
    with ExitStack() as pods:
        yield Served(world, pods)


def test_without_the_api_server_everything_is_served_on(served: Served, control_plane: ControlPlane) -> None:
    gateway = served.world.gateway
    served.pod("stable"), served.pod("canary")
    served.serve(arms=served.arms(stable=50, canary=50))
    files = {path: path.stat().st_mtime_ns for path in gateway.shared.rglob("*.json")}
    plan = LoadPlan(f"http://127.0.0.1:{served.port}/", rate=100, seconds=120)
    load = BackgroundLoad(plan)
    try:
        control_plane.stop_apiserver()
        pause(0.5)
        assert gateway.get("/readyz") and gateway.get("/livez")
        gateway.kill("renderer")
        pause(0.5)
        gateway.start_renderer()
        gateway.wait_ready()
        assert gateway.applied(served.name) == served.generation
        assert {path: path.stat().st_mtime_ns for path in gateway.shared.rglob("*.json")} == files
        control_plane.start_apiserver()
        served.serve(arms=served.arms(stable=100, canary=0))
        report = load.report()
    finally:
        load.close()
        control_plane.start_apiserver()
    assert (report.failed, report.unsent) == (0, 0), report.describe()
    assert served.ask(20) == {"stable": 20}


def test_a_new_envoy_finds_its_files_without_anybodys_help(served: Served, control_plane: ControlPlane) -> None:
    gateway = served.world.gateway
    served.pod("stable"), served.pod("canary")
    served.serve(arms=served.arms(stable=0, canary=100))
    gateway.kill("renderer")
    gateway.kill("envoy")
    gateway.start_envoy()
    eventually("served again", lambda: _answers(served), seconds=10)
    assert served.ask(10) == {"canary": 10}
    gateway.start_renderer()
    gateway.wait_applied(served.name, served.generation)
    served.serve()
    assert served.ask(10) == {"stable": 10}


def _answers(served: Served) -> bool:
    try:
        return served.world.ask(served.port).is_success
    except httpx.TransportError:
        return False


def test_what_was_missed_while_the_renderer_was_away_is_made_up_for(served: Served) -> None:
    gateway = served.world.gateway
    served.pod("stable"), served.pod("canary")
    served.serve()
    gateway.kill("renderer")
    assert served.ask(10) == {"stable": 10}
    served.write(arms=served.arms(stable=0, canary=100))
    with ExitStack() as pods:
        other = Served(served.world, pods)
        other.pod("stable")
        other.write()
        gateway.start_renderer()
        gateway.wait_applied(served.name, served.generation)
        gateway.wait_applied(other.name, 1)
        assert (served.ask(10), other.ask(10)) == ({"canary": 10}, {"stable": 10})


def test_a_watch_whose_version_is_too_old_is_made_up_for(served: Served, control_plane: ControlPlane) -> None:
    served.pod("stable"), served.pod("canary")
    served.serve()
    control_plane.stop_apiserver()
    control_plane.start_apiserver()  # with an empty watch cache
    served.serve(arms=served.arms(stable=0, canary=100))
    assert served.ask(10) == {"canary": 10}


def test_a_pod_that_goes_answers_everybody_first(served: Served) -> None:
    gateway = served.world.gateway
    slow = served.pod("stable", after_seconds=7.0)
    served.serve()
    found: list[httpx.Response] = []
    url = f"http://127.0.0.1:{served.port}/"
    asking = threading.Thread(target=lambda: found.append(httpx.get(url, timeout=20, trust_env=False, verify=NO_TLS)))
    asking.start()
    eventually("in flight", lambda: slow.received == 1, seconds=5)
    said: list[str] = []
    draining = threading.Thread(target=lambda: said.append(gateway.drain()))
    draining.start()
    eventually("no longer ready", lambda: gateway.get("/readyz") is None, seconds=20)
    assert gateway.get("/livez")
    slow.behaviour.after_seconds = 0.0
    eventually("users are told to go elsewhere", lambda: _is_last(served), seconds=20)
    asking.join(30)
    draining.join(60)
    assert [answer.status_code for answer in found] == [200]
    drained = json.loads(said[0].splitlines()[-1])
    assert (drained["message"], drained["in_flight"]) == ("drained", 0)
    assert drained["seconds"] >= 5  # however idle: proxies have to forget the pod
    assert gateway.stop("envoy") == 0
    gateway.start_envoy()
    gateway.wait_ready()  # a container that was started anew is no longer on its way out
    assert gateway.stop("renderer") == 0


def _is_last(served: Served) -> bool:
    answer = served.world.ask(served.port)
    assert answer.status_code == 200
    return answer.headers.get("connection") == "close"


def test_draining_an_envoy_that_is_gone_takes_no_time(served: Served) -> None:
    served.world.gateway.kill("envoy")
    assert '"message": "nothing to drain"' in served.world.gateway.drain()


def test_ready_comes_with_the_first_complete_configuration(world: GatewayWorld) -> None:
    gateway = world.gateway
    with ExitStack() as pods:
        many = [Served(world, pods) for _ in range(20)]
        for served in many:
            served.pod("stable"), served.pod("canary")
            served.write(arms=served.arms(stable=95, canary=5))
        gateway.start_renderer()
        assert gateway.get("/readyz") is None
        gateway.start_envoy()
        gateway.wait_ready()
        for served in many:
            assert gateway.applied(served.name) == 1
            assert sum(served.ask(1).values()) == 1
        world.gateway.evidence(world.token("fairlead", "fairlead-evidence")).raise_for_status()
        private = {name: _private_kib(gateway.pid(name)) for name in ("renderer", "envoy")}
        assert sum(private.values()) <= PRIVATE_KIB, private


def _private_kib(pid: int) -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])
