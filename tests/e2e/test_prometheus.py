"""The example platform's Prometheus finds operator, gateways and serving pods by itself, and the operator finds it."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests import platform
from tests.cluster.binaries import binary
from tests.cluster.interface import Cluster
from tests.e2e.world import World, training, web

SEEN_SECONDS = 30
"""Discovery is at once; then a scrape every five seconds."""


@pytest.fixture
def prometheus(cluster: Cluster) -> str:
    """The running Prometheus, as the tests reach it."""
    return platform.prometheus_url(cluster)


def query(url: str, text: str) -> list[dict[str, Any]]:
    """The vector that a query gives."""
    with urllib.request.urlopen(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': text})}", timeout=10) as answer:
        found = json.load(answer)
    assert found["status"] == "success"
    return list(found["data"]["result"])


def operator_pods(cluster: Cluster) -> set[str]:
    """Names of the operator's pods."""
    label, names = "app.kubernetes.io/component=operator", "jsonpath={.items[*].metadata.name}"
    return set(cluster.kubectl("get", "pods", "-n", platform.NAMESPACE, "-l", label, "-o", names).split())


def test_every_operator_pod_is_scraped_and_says_that_mlflow_and_prometheus_answer(
    prometheus: str, world: World
) -> None:
    mine = f'namespace="{platform.NAMESPACE}"'

    def pods_that_are_up() -> bool:
        found = query(prometheus, f'up{{job="fairlead-operator",{mine}}} == 1')
        return {item["metric"]["pod"] for item in found} == operator_pods(world.cluster)

    def dependencies_that_are_up() -> bool:
        found = query(prometheus, f"fairlead_dependency_up{{{mine}}} == 1")
        return {item["metric"]["dependency"] for item in found} == {"mlflow", "prometheus"}

    world.wait("the operator is up", pods_that_are_up, seconds=SEEN_SECONDS)
    world.wait("what it stands on is up", dependencies_that_are_up, seconds=2 * SEEN_SECONDS)


def test_a_model_s_requests_are_counted_by_namespace_modeldeployment_and_revision(
    prometheus: str, world: World
) -> None:
    model = f"{world.namespace}-m"
    world.apply(training("counted", model, params={"seed": "7"}))
    world.apply(web("quiet", "1", podMetadata={"annotations": {"prometheus.io/scrape": "false"}}))
    world.apply({
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "counted"},
        "spec": {"model": {"name": model, "alias": "candidate"}},
    })  # fmt: skip
    for name in ("counted", "quiet"):
        world.wait_rolled_out(name, seconds=180)
    request = urllib.request.Request(f"{world.url('counted')}/v2/models/counted/infer", data=b"{}", method="POST")
    for _ in range(3):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=10)
    mine = f'namespace="{world.namespace}"'
    counter = f'fairlead_serving_requests_total{{{mine},error_class="client"}} > 0'

    def counted() -> list[dict[str, Any]]:
        found = query(prometheus, counter)
        return found if sum(float(item["value"][1]) for item in found) == 3 else []

    (found,) = world.wait("the pod's own counter", counted, seconds=SEEN_SECONDS)
    (pod,) = world.items("pods", "fairlead.dev/modeldeployment=counted")
    labels = {name: found["metric"][name] for name in ("namespace", "modeldeployment", "revision", "pod")}
    assert labels == {
        "namespace": world.namespace,
        "modeldeployment": "counted",
        "revision": pod["metadata"]["labels"]["fairlead.dev/revision"],
        "pod": pod["metadata"]["name"],
    }
    up = query(prometheus, f'up{{job="fairlead-serving",{mine}}}')
    assert [(item["metric"]["modeldeployment"], item["value"][1]) for item in up] == [("counted", "1")], (
        "all that is scraped here answers, and what asks to be left alone is"
    )


def test_a_gateway_s_attempts_are_counted_by_pod_and_its_evidence_is_not_scraped(prometheus: str, world: World) -> None:
    world.apply(web("through", "1"))
    world.wait_rolled_out("through")
    for _ in range(20):
        urllib.request.urlopen(world.url("through"), timeout=10).close()
    mine = f'job="fairlead-gateway",namespace="{world.namespace}"'
    counter = f'fairlead_gateway_attempts_total{{{mine},modeldeployment="through",use="stable"}}'

    def pods() -> set[str]:
        found = world.items("pods", "app.kubernetes.io/name=fairlead-gateway")
        return {str(pod["metadata"]["name"]) for pod in found}

    def counted() -> list[dict[str, Any]]:
        found = query(prometheus, counter)
        whole = sum(float(item["value"][1]) for item in found) == 20
        return found if whole and {item["metric"]["pod"] for item in found} == pods() else []

    found = world.wait("the gateways' own counters", counted, seconds=SEEN_SECONDS)
    revision = world.status("modeldeployment", "through")["stable"]["revision"]
    assert {item["metric"]["revision"] for item in found} == {revision}
    up = query(prometheus, f"up{{{mine}}}")
    assert {(item["metric"]["pod"], item["value"][1]) for item in up} == {(name, "1") for name in pods()}
    assert {item["metric"]["instance"].rpartition(":")[2] for item in up} == {"8081"}


def test_promtool_finds_nothing_to_say_about_the_configuration(tmp_path: Path) -> None:
    documents = yaml.safe_load_all((platform.ROOT / "examples/platform/prometheus.yaml").read_text())
    (config,) = (item["data"]["prometheus.yml"] for item in documents if item["kind"] == "ConfigMap")
    path = tmp_path / "prometheus.yml"
    path.write_text(config)
    command = [binary("promtool"), "check", "config", "--lint=all", "--lint-fatal", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
