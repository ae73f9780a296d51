"""The gateway as the end-to-end tests steer it: a status written by hand, with no operator that would write another."""

import contextlib
import copy
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from tests import platform
from tests.cluster.interface import Cluster
from tests.e2e.world import World, web

ANSWERED_BY = "x-fairlead-revision"
DEPLOYMENT = "fairlead-gateway"
SELECTOR = "app.kubernetes.io/name=fairlead-gateway"
METRICS_PORT = 8081
NAME = "web"
CANARY = f"{NAME}-0badcafe"
SERVED_SECONDS = 10.0
BACKEND = (Path(__file__).resolve().parents[1] / "bench/gateway/backend.py").read_text()


def model(version: str, **spec: Any) -> dict[str, Any]:
    """A ModelDeployment of the benches' pod, which does as it is told."""
    container = {"command": ["python", "-c", BACKEND], "readinessPath": "/-/counts"}
    return web(NAME, version, container=container, **spec)


@contextlib.contextmanager
def operator_at_zero(cluster: Cluster) -> Iterator[None]:
    """No operator while the block runs."""
    scale = ("-n", platform.NAMESPACE, "scale", "deploy/fairlead")
    count = cluster.kubectl("-n", platform.NAMESPACE, "get", "deploy", "fairlead", "-o", "jsonpath={.spec.replicas}")
    cluster.kubectl(*scale, "--replicas=0")
    try:
        cluster.kubectl(
            *("-n", platform.NAMESPACE, "wait", "pod", "--for=delete", "--timeout=60s"),
            *("-l", "app.kubernetes.io/component=operator"),
        )
        yield
    finally:
        cluster.kubectl(*scale, f"--replicas={count}")
        cluster.kubectl("-n", platform.NAMESPACE, "rollout", "status", "deploy/fairlead", "--timeout=120s")


@dataclass(frozen=True)
class Gateway:
    """The gateway of one namespace, in front of one ModelDeployment with a stable revision and a canary."""

    world: World
    stable: str

    def pods(self) -> dict[str, str]:
        """Ready gateway pods that are to stay: name -> address."""
        return {
            item["metadata"]["name"]: item["status"]["podIP"]
            for item in self.world.items("pods", SELECTOR)
            if "deletionTimestamp" not in item["metadata"] and is_ready(item)
        }

    def wait_pods(self, *, seconds: float = 90) -> None:
        """Until as many are ready as there should be, and no other is left."""

        def settled() -> bool:
            wanted = (self.world.get("deploy", DEPLOYMENT) or {})["spec"]["replicas"]
            return len(self.pods()) == len(self.world.items("pods", SELECTOR)) == wanted

        self.world.wait("all gateway pods ready", settled, seconds=seconds)

    def write(self, **changes: Any) -> int:
        """A status.traffic as the operator would write it: these fields changed; its generation."""
        found = dict(self.world.status("md", NAME)["traffic"])
        found |= {**changes, "generation": found["generation"] + 1}
        removed: dict[str, Any] = {name: None for name, value in changes.items() if value is None}
        body = json.dumps({"status": {"traffic": {**found, **removed}}})
        self.world.kubectl("patch", "md", NAME, "--subresource=status", "--type=merge", "-p", body)
        return int(found["generation"])

    def split(self, canary_percent: int, **changes: Any) -> int:
        """This share to the canary, with failover to stable, and every gateway pod serves it; the generation."""
        arms = [{"revision": self.stable, "role": "stable", "weight": 100 - canary_percent, "failover": ""}]
        if canary_percent:
            arms.append({"revision": CANARY, "role": "canary", "weight": canary_percent, "failover": self.stable})
        generation = self.write(arms=arms, **changes)
        self.wait_served(generation)
        return generation

    def wait_served(self, generation: int, *, seconds: float = SERVED_SECONDS) -> None:
        """Until every ready gateway pod serves it."""

        def served() -> bool:
            told = self.per_pod("fairlead_gateway_traffic_generation")
            return bool(told) and all(value == generation for value in told.values())

        self.world.wait(f"generation {generation} is served", served, seconds=seconds)

    def per_pod(self, series: str, **labels: str) -> dict[str, float]:
        """A series of our ModelDeployment in every ready gateway pod, summed over the labels that are not given."""
        wanted = {"modeldeployment": NAME, **labels}
        return {
            pod: sum(
                sample.value
                for family in text_string_to_metric_families(_metrics(address))
                for sample in family.samples
                if sample.name == series and wanted.items() <= sample.labels.items()
            )
            for pod, address in self.pods().items()
        }

    def total(self, series: str, **labels: str) -> float:
        """The same over all pods."""
        return sum(self.per_pod(series, **labels).values())

    def model_pods(self, revision: str) -> dict[str, str]:
        """Ready pods of a revision: name -> address."""
        return {
            item["metadata"]["name"]: item["status"]["podIP"]
            for item in self.world.items("pods", f"fairlead.dev/revision={revision}")
            if "deletionTimestamp" not in item["metadata"] and is_ready(item)
        }

    def wait_model_pods(self, revision: str, count: int, *, other_than: Mapping[str, str] | None = None) -> None:
        """Until so many are ready, none of them one of those."""

        def there() -> bool:
            found = self.model_pods(revision)
            return len(found) == count and not found.keys() & (other_than or {}).keys()

        self.world.wait(f"{count} pods of {revision}", there, seconds=90)

    def tell(self, revision: str, **behaviour: float) -> None:
        """All pods of a revision do so from now on."""
        for address in self.model_pods(revision).values():
            _ask(address, "behave", behaviour)

    def counted(self, revision: str) -> dict[str, int]:
        """What the pods of a revision counted themselves: `answers` and the `failures` among them."""
        found = [_ask(address, "counts", {}) for address in self.model_pods(revision).values()]
        return {name: sum(sum(each[name].values()) for each in found) for name in ("answers", "failures")}


def _metrics(address: str) -> str:
    return httpx.get(f"http://{address}:{METRICS_PORT}/metrics", timeout=5, trust_env=False).text


def _ask(address: str, what: str, params: Mapping[str, float]) -> dict[str, dict[str, int]]:
    answer = httpx.get(f"http://{address}:8080/-/{what}", params=dict(params), timeout=5, trust_env=False)
    found: dict[str, dict[str, int]] = answer.raise_for_status().json()
    return found


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether the kubelet says so."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def add_canary(world: World, stable: str, *, replicas: int = 1) -> None:
    """A second revision as the operator names and labels it, made from the stable one's objects."""
    for kind in ("deploy", "svc"):
        found = world.get(kind, stable) or {}
        body = json.loads(json.dumps(copy.deepcopy(found)).replace(stable, CANARY))
        meta = body["metadata"]
        body["metadata"] = {"name": meta["name"], "labels": meta["labels"]}
        body.pop("status", None)
        if kind == "deploy":
            body["spec"]["replicas"] = replicas
        world.kubectl("apply", "-f", "-", input=json.dumps(body))
    world.kubectl("rollout", "status", f"deploy/{CANARY}", "--timeout=90s")


def settle(seconds: float = 1.5) -> None:
    """Envoy writes its counters down once a second."""
    time.sleep(seconds)
