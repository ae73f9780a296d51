"""Traffic that the API server would not let in: the gateway holds all the same, against a CRD without its rules."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import yaml
from tests.apiserver.conftest import CRDS, wait_until_served
from tests.apiserver.gateway_served import Served
from tests.apiserver.gateway_world import GatewayWorld, gateway_world, traffic
from tests.apiserver.objects import eventually
from tests.cluster import control_plane as start_control_plane

ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """A gateway at an API server that takes any status for a ModelDeployment."""
    folder = tmp_path_factory.mktemp("lax")
    crds = list(yaml.safe_load_all("---\n".join(path.read_text() for path in sorted(CRDS.glob("*.yaml")))))
    for crd in crds:
        for version in crd["spec"]["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            schema["properties"]["status"] = ANYTHING
            schema.pop("x-kubernetes-validations", None)
    with start_control_plane(folder / "plane") as plane, ExitStack() as stack:
        plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(crds))
        wait_until_served(plane)
        context = ssl.create_default_context(cafile=str(plane.ca))
        context.load_cert_chain(str(plane.admin_cert), str(plane.admin_key))
        api = stack.enter_context(httpx.Client(base_url=plane.url, verify=context, timeout=10, trust_env=False))
        found = stack.enter_context(gateway_world(plane, api, "default", folder))
        found.gateway.start()
        yield found


@pytest.fixture
def served(world: GatewayWorld) -> Iterator[Served]:
    """A ModelDeployment without traffic."""
    with ExitStack() as pods:
        found = Served(world, pods)
        yield found
        world.remove(found.name)


CORRUPT: list[dict[str, Any]] = [
    {"schema": 2},
    {"port": None},
    {"arms": [{"revision": "a", "role": "stable", "weight": 90}]},
    {"arms": [{"revision": "a", "role": "canary", "weight": 100}]},
    {"arms": [{"revision": 'a"}, {', "role": "stable", "weight": 100}]},
    {"arms": [{"revision": "a", "role": "stable", "weight": 100, "failover": "b"}]},
    {"mirror": {"revision": "../../etc", "percent": 5}},
    {"match": [{"revision": "nobody", "headers": [{"name": "x", "value": "y"}]}]},
    {"match": [{"revision": "stable", "headers": [{"name": "x\r\ny", "value": "y"}]}]},
    {"requestTimeout": "0s"},
    {"generation": -1},
]


def test_corrupt_traffic_of_any_kind_leaves_what_is_served_and_is_told(served: Served) -> None:
    served.pod("stable")
    served.serve()
    for number, change in enumerate(CORRUPT, start=1):
        written = {
            key: value
            for key, value in traffic(served.generation + 1, served.port, arms=served.arms(stable=100), **{}).items()
        }
        written |= change
        served.world.traffic(served.name, {key: value for key, value in written.items() if value is not None})
        eventually(f"{change} rejected", lambda wanted=number: served.rejections() == wanted, seconds=5)
        found = served.rejection()
        assert found and found[1] == "Invalid" and found[2].startswith("status.traffic"), change
        assert served.world.gateway.applied(served.name) == served.generation
        assert served.ask(3) == {"stable": 3}
    assert "message=" not in (served.world.gateway.get("/metrics") or "")
    served.serve()
    assert served.rejection() is None


def test_an_older_write_is_refused(served: Served) -> None:
    served.pod("stable")
    served.generation = 6
    served.serve()
    served.write(generation=3, arms=[])
    reason, message = served.wait_rejected(3)
    assert (reason, message) == ("Stale", "epoch 1, generation 3 after 1, 7")
    assert served.ask(3) == {"stable": 3}


def test_an_object_whose_traffic_is_gone_is_served_on_and_one_that_is_gone_is_not(served: Served) -> None:
    served.pod("stable")
    served.serve()
    served.world.traffic(served.name, None)
    with ExitStack() as pods:
        # When this one is served, what was written before it has been seen.
        other = Served(served.world, pods)
        other.serve(arms=[])
        assert served.ask(5) == {"stable": 5}
        served.world.remove(other.name)

        def closed() -> bool:
            try:
                served.world.ask(other.port)
            except httpx.ConnectError:
                return True
            return False

        eventually("the port is closed", closed, seconds=5)
    assert served.ask(5) == {"stable": 5}
