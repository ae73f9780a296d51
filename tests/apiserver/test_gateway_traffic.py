"""Hand-written statuses through the real renderer and the real Envoy."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import httpx
import pytest
from tests.apiserver.gateway_served import Served
from tests.apiserver.gateway_world import GatewayWorld, gateway_world
from tests.apiserver.objects import eventually
from tests.cluster import ControlPlane
from tests.cluster.progress import pause
from tests.gateway.traffic import next_port
from tests.load import binomial_band


@pytest.fixture(scope="module")
def world(
    control_plane: ControlPlane, api: httpx.Client, crds: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayWorld]:
    """One gateway for all tests of this file; each has a ModelDeployment and a port of its own."""
    namespace = f"gateway-{uuid4().hex[:8]}"
    api.post("/api/v1/namespaces", json={"metadata": {"name": namespace}}).raise_for_status()
    with gateway_world(control_plane, api, namespace, tmp_path_factory.mktemp("world")) as found:
        found.gateway.start()
        yield found


@pytest.fixture
def served(world: GatewayWorld) -> Iterator[Served]:
    """A ModelDeployment without traffic."""
    with ExitStack() as pods:
        found = Served(world, pods)
        yield found
        world.remove(found.name)


def test_weights_are_served_as_they_are_written(served: Served) -> None:
    served.pod("stable"), served.pod("canary")
    served.serve()
    assert served.ask(50) == {"stable": 50}
    served.serve(arms=served.arms(stable=50, canary=50))
    least, most = binomial_band(200, 0.5)
    assert least <= served.ask(200)["canary"] <= most
    served.serve(arms=served.arms(stable=0, canary=100))
    assert served.ask(50) == {"canary": 50}


def test_a_mirror_gets_copies_and_answers_nobody(served: Served) -> None:
    served.pod("stable")
    shadow = served.pod("shadow")
    served.serve(mirror={"revision": served.revision("shadow"), "percent": 100})
    assert served.ask(20) == {"stable": 20}
    eventually("20 copies", lambda: shadow.received == 20, seconds=5, shows=lambda: shadow.received)
    assert eventually(
        "they are counted", lambda: served.counters("shadow", "mirror").get("attempts_total") == 20, seconds=5
    )


def test_the_first_header_rule_that_matches_wins_and_is_counted_apart(served: Served) -> None:
    served.pod("stable"), served.pod("canary")
    rules = [
        {
            "revision": served.revision("canary"),
            "headers": [{"name": "x-team", "value": "a"}, {"name": "x-b", "value": "1"}],
        },
        {"revision": served.revision("stable"), "headers": [{"name": "x-team", "value": "a"}]},
    ]
    served.serve(arms=served.arms(stable=0, canary=100), match=rules)
    assert served.ask(10) == {"canary": 10}
    assert served.ask(10, **{"x-team": "a"}) == {"stable": 10}
    assert served.ask(10, **{"x-team": "a", "x-b": "1"}) == {"canary": 10}
    assert served.ask(10, **{"x-team": "A", "x-b": "1"}) == {"canary": 10}
    assert eventually("counted", lambda: counted(served, "canary", 20), seconds=5)["attempts_total"] == 20
    assert served.counters("canary", "matched")["attempts_total"] == 10
    assert served.counters("stable", "matched")["attempts_total"] == 10


def counted(served: Served, role: str, attempts: int) -> dict[str, float]:
    """The counters of a revision's share once they have got that far; nothing before."""
    found = served.counters(role, role)
    return found if found.get("attempts_total", 0) >= attempts else {}


def test_users_do_not_see_the_failures_of_a_canary_and_the_operator_does(served: Served) -> None:
    served.pod("stable")
    canary = served.pod("canary", fail_percent=100)
    served.serve(arms=served.arms(stable=50, canary=50))
    answered = served.ask(100)
    assert answered == {"stable": 100}
    failed = canary.received
    assert failed > 0
    found = eventually("counted", lambda: counted(served, "canary", failed), seconds=5)
    assert found["failovers_total"] == found["attempt_failures_total"] + found["absent_total"]
    assert (found["attempt_failures_total"], found["attempts_total"]) == (failed, failed)
    assert found["failover_failures_total"] == 0


def test_without_a_revision_users_are_told_why(served: Served) -> None:
    served.serve(arms=[], unavailableReason='version 3 is "loading"\n of 80 %')
    answer = served.world.ask(served.port)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] and answer.headers["x-fairlead-reason"]
    assert answer.json()["message"] == 'version 3 is "loading"\n of 80 %'
    assert answer.json()["reason"] == answer.headers["x-fairlead-reason"]


def test_without_a_ready_endpoint_users_are_told_so(served: Served) -> None:
    served.serve()
    answer = served.world.ask(served.port)
    assert (answer.status_code, answer.headers["x-fairlead-reason"]) == (503, answer.json()["reason"])
    assert answer.headers["retry-after"]
    served.pod("stable")
    eventually("answered", lambda: served.world.ask(served.port).status_code == 200, seconds=5)


def test_the_share_of_a_revision_without_endpoints_goes_to_stable(served: Served) -> None:
    served.pod("stable")
    served.serve(arms=served.arms(stable=0, canary=100))
    assert served.ask(20) == {"stable": 20}
    served.pod("canary")
    eventually("the canary is there", lambda: served.ask(1) == {"canary": 1}, seconds=5)


def test_endpoints_are_followed(served: Served) -> None:
    first = served.pod("stable")
    served.serve()
    served.ask(5)
    second = served.pod("stable")
    eventually("the new pod answers", lambda: served.ask(1) and second.received > 0, seconds=5)
    first.stop()
    assert served.ask(20) == {"stable": 20}
    served.world.endpoints(served.revision("stable"), [second], ready=False)
    eventually("nobody is ready", lambda: served.world.ask(served.port).status_code == 503, seconds=5)


def test_a_port_belongs_to_the_older_modeldeployment(served: Served) -> None:
    served.pod("stable")
    served.serve()
    with ExitStack() as pods:
        pause(1.1)  # an object's age is known by the second
        younger = Served(served.world, pods)
        younger.pod("stable")
        own, younger.port = younger.port, served.port
        younger.write()
        reason, message = younger.wait_rejected(1)
        assert reason == "PortTaken"
        assert message == f"port {served.port} belongs to ModelDeployment {served.name}, which is older"
        assert served.ask(5) == {"stable": 5}
        younger.port = own
        younger.serve()
        assert younger.ask(5) == {"stable": 5}
        served.world.remove(younger.name)


def test_what_envoy_refuses_is_told_and_spoils_nobody_elses(served: Served) -> None:
    served.pod("stable")
    served.serve()
    with ExitStack() as pods, socket.create_server(("0.0.0.0", next_port())) as taken:
        others = [Served(served.world, pods) for _ in range(2)]
        own, others[0].port = others[0].port, taken.getsockname()[1]
        others[1].pod("stable")
        others[0].write(), others[1].write()
        served.write(requestTimeout="11s")
        reason, message = others[0].wait_rejected(1)
        assert reason == "RefusedByEnvoy"
        assert "Address already in use" in message
        served.world.gateway.wait_applied(others[1].name, 1)
        served.world.gateway.wait_applied(served.name, served.generation)
        assert others[1].ask(3) == served.ask(3) == {"stable": 3}
        others[0].port = own
        others[0].pod("stable")
        others[0].serve()
        assert others[0].ask(3) == {"stable": 3}
        for other in others:
            served.world.remove(other.name)
