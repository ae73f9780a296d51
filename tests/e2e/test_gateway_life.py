"""The gateway as its users and its operator meet it: every way in, its reasons, its refusals, its end."""

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest
from tests.cluster.binaries import binary
from tests.cluster.interface import Cluster
from tests.e2e.gateway import ANSWERED_BY, DEPLOYMENT, NAME, SELECTOR, Gateway
from tests.e2e.world import namespaced, web

WORDS = "version 1"
RESTRICTED = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> Iterator[Gateway]:
    """A namespace with one ModelDeployment that serves."""
    with namespaced(cluster) as world:
        world.apply(web(NAME, "1"))
        found = world.wait_rolled_out(NAME, seconds=120)
        gateway = Gateway(world, found["status"]["stable"]["revision"])
        gateway.wait_pods()
        yield gateway


def _answers(served: Gateway, url: str) -> None:
    answer = httpx.get(url, timeout=10, trust_env=False)
    assert (answer.status_code, answer.text) == (200, WORDS)
    assert answer.headers[ANSWERED_BY] == served.stable


def test_the_services_address_answers_whatever_the_host_header_says(served: Gateway) -> None:
    url = served.world.url(NAME)
    for host in (NAME, "models.example", "10.0.0.1:80"):
        answer = httpx.get(url, headers={"Host": host}, timeout=10, trust_env=False)
        assert (answer.status_code, answer.text) == (200, WORDS)


def test_its_name_answers_inside_the_cluster(served: Gateway) -> None:
    world = served.world
    ask = "import sys, urllib.request as u; [print(u.urlopen(url, timeout=10).read().decode()) for url in sys.argv[1:]]"
    urls = [f"http://{NAME}/", f"http://{NAME}.{world.namespace}.svc/", f"http://{NAME}.{world.namespace}:80/"]
    said = world.kubectl("exec", f"deploy/{served.stable}", "--", "python", "-c", ask, *urls)
    assert said.split("\n")[:3] == [WORDS] * 3


def test_a_forwarded_port_answers(served: Gateway) -> None:
    command = [str(binary("kubectl")), "--kubeconfig", str(served.world.cluster.kubeconfig)]
    command += ["-n", served.world.namespace, "port-forward", f"svc/{NAME}", ":80"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+) ->", process.stdout.readline())
            assert found is not None
            _answers(served, f"http://127.0.0.1:{found.group(1)}/")
        finally:
            process.terminate()


def test_a_node_port_of_ones_own_answers(served: Gateway, cluster: Cluster) -> None:
    world = served.world
    (port,) = (world.get("svc", NAME) or {})["spec"]["ports"]
    world.kubectl(
        *("expose", "service", NAME, "--name=outside", "--type=NodePort", "--port=80"),
        f"--target-port={port['targetPort']}",
    )
    (outside,) = (world.get("svc", "outside") or {})["spec"]["ports"]

    def there() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://{cluster.address}:{outside['nodePort']}/", timeout=2, trust_env=False).is_success
        return False

    world.wait("the node's port answers", there, seconds=10)
    _answers(served, f"http://{cluster.address}:{outside['nodePort']}/")


def test_its_pods_run_where_only_restricted_pods_may(served: Gateway, cluster: Cluster) -> None:
    labels = json.loads(cluster.kubectl("get", "ns", served.world.namespace, "-o", "json"))["metadata"]["labels"]
    assert labels[RESTRICTED] == "restricted"
    pods = served.world.items("pods", SELECTOR)
    assert len(served.pods()) == len(pods) == 2
    for pod in pods:
        for container in [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]:
            assert container["resources"].keys() >= {"requests", "limits"}, container["name"]
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_it_says_that_every_pod_serves_the_newest_traffic(served: Gateway) -> None:
    generation = served.world.status("md", NAME)["traffic"]["generation"]
    served.world.wait("Programmed", lambda: _programmed(served)["status"] == "True", seconds=20)
    assert _programmed(served)["reason"] == "Programmed"
    assert set(served.per_pod("fairlead_gateway_traffic_generation").values()) == {generation}


def _programmed(served: Gateway, name: str = NAME) -> dict[str, str]:
    return served.world.condition("md", name, "Programmed") or {"status": "", "reason": "", "message": ""}


def test_without_a_ready_pod_it_says_why_and_when_to_come_back(served: Gateway) -> None:
    world = served.world
    world.apply(web("late", "1", container={"command": ["sleep", "1000"]}))
    world.wait("its Service", lambda: world.get("svc", "late"), seconds=20)

    def told() -> httpx.Response | None:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(world.url("late"), timeout=5, trust_env=False)
            return answer if answer.status_code == 503 else None
        return None

    answer = world.wait("503", told, seconds=20)
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json().keys() == {"reason", "message"}
    assert answer.headers["x-fairlead-reason"] == answer.json()["reason"]
    world.kubectl("delete", "md", "late")


def test_a_port_that_envoy_cannot_have_becomes_a_condition_and_the_others_serve_on(served: Gateway) -> None:
    world = served.world
    taken = int(world.status("md", NAME)["traffic"]["port"])
    hold = (
        "import socket, sys\n"
        "held = []\n"
        f"for port in {{*range(10000, 11000)}} - {{{taken}}}:\n"
        "    sock = socket.socket(); held.append(sock)\n"
        "    sock.bind(('0.0.0.0', port)); sock.listen()\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with contextlib.ExitStack() as stack:
        for pod in served.pods():
            stack.enter_context(_running_in(served, pod, hold))
        world.apply(web("second", "1"))

        def rejected() -> bool:
            return _programmed(served, "second")["reason"] == "GatewayRejected"

        world.wait("Programmed is False", rejected, seconds=60)
        condition = _programmed(served, "second")
        assert condition["status"] == "False"
        assert "address" in condition["message"].lower(), condition
        _answers(served, world.url(NAME))
    world.wait("it heals", lambda: _programmed(served, "second")["status"] == "True", seconds=60)
    world.wait_rolled_out("second", seconds=60)
    world.kubectl("delete", "md", "second")


@contextlib.contextmanager
def _running_in(served: Gateway, pod: str, script: str) -> Iterator[None]:
    """A program inside a gateway's pod; it has printed a line when the block begins and is gone when it ends."""
    command = [str(binary("kubectl")), "--kubeconfig", str(served.world.cluster.kubeconfig)]
    command += ["-n", served.world.namespace, "exec", "-i", pod, "-c", "envoy", "--"]
    with subprocess.Popen(
        [*command, "python", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "held"
        yield
        process.communicate(timeout=20)


def test_the_gateway_goes_with_the_last_model_deployment(cluster: Cluster) -> None:
    with namespaced(cluster) as world:
        world.apply(web("one", "1"), web("two", "1"))
        for name in ("one", "two"):
            world.wait_rolled_out(name, seconds=120)
        world.kubectl("delete", "md", "one")
        time.sleep(3)
        assert world.get("deploy", DEPLOYMENT) is not None
        assert httpx.get(world.url("two"), timeout=10, trust_env=False).text == WORDS
        world.kubectl("delete", "md", "two")

        def gone() -> bool:
            return all(world.get(kind, DEPLOYMENT) is None for kind in ("deploy", "serviceaccount", "pdb"))

        world.wait("the gateway is gone", gone, seconds=60)
