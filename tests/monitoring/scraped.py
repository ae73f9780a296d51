"""A real Prometheus with the example platform's configuration, that scrapes real code of all three programs.

The operator is its Telemetry, fed by hand; the gateway is a real Envoy with a rollout behind it and the gateway's own
text; the built-in server is its Metrics. Only the discovery of pods is replaced: what it would have found stands there.
"""

import json
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from fairlead_gateway.counters import PREFIX, STATS_PATH, Series, read_counters
from fairlead_gateway.evidence import render_text, standing_series
from fairlead_gateway.render import Deployment
from fairlead_serving.metrics import ErrorClass, Protocol
from tests.cluster.binaries import binary
from tests.cluster.masters import free_ports
from tests.cluster.progress import last_lines, pause
from tests.gateway.backend import Backend
from tests.gateway.envoy import Envoy
from tests.gateway.traffic import canary, serving, stable
from tests.monitoring.exposed import (
    CANDIDATE,
    STABLE,
    operator_telemetry,
    operator_text,
    rollout,
    serving_metrics,
    standing,
)

REPOSITORY = Path(__file__).parents[2]
NAMESPACE, NAME = "team", "churn"
OPERATOR_NAMESPACE = "fairlead-system"
SCRAPE_SECONDS = 0.5
READY_SECONDS = 30.0
PORT_NAMES = {"fairlead-operator": "http", "fairlead-serving": "serving", "fairlead-gateway": "metrics"}
_META = "__meta_kubernetes_"


@dataclass(frozen=True)
class Prometheus:
    """The HTTP API of one that runs."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        """`data` of an answer. AssertionError with Prometheus' words when it refuses."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as found:
                return json.load(found)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()[:500]}") from None

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The vector that an expression gives now."""
        return list(self.get("/api/v1/query", query=expr)["result"])

    def label_values(self, label: str, expr: str) -> list[str]:
        """The values that a label has in the series of a selector."""
        return list(self.get(f"/api/v1/label/{label}/values", **{"match[]": expr}))


class Programs:
    """Operator, gateway and built-in server: what each tells, and requests that keep them busy."""

    def __init__(self, envoy: Envoy, deployment: Deployment) -> None:
        self._envoy = envoy
        self._deployment = deployment
        self._body = rollout(datetime.now(UTC))
        self._operator = operator_telemetry(self._body)
        self._server = serving_metrics()
        self._started = datetime.now(UTC).timestamp()

    def texts(self) -> dict[str, Callable[[], bytes]]:
        """Job -> what a scrape gets."""
        return {
            "fairlead-operator": lambda: operator_text(self._operator, self._body),
            "fairlead-gateway": self._gateway,
            "fairlead-serving": self._server.render,
        }

    def _gateway(self) -> bytes:
        times = [
            Series(f"{PREFIX}time_seconds", (), datetime.now(UTC).timestamp()),
            Series(f"{PREFIX}start_time_seconds", (), self._started),
        ]
        counted = read_counters(self._envoy.json(STATS_PATH), [self._deployment])
        told = standing_series(standing(self._deployment), messages=False)
        return render_text([*times, *told, *counted]).encode()

    def work(self) -> None:
        """A user's request, and something of everything that the operator does."""
        url = f"http://127.0.0.1:{self._deployment.traffic.port}/"
        urllib.request.urlopen(url, timeout=10).close()
        self._server.answered(Protocol.OIP, 200, ErrorClass.NONE, 0.01)
        for kind in ("ModelDeployment", "TrainingJob"):
            self._operator.reconciled(kind, "settled", 0.02)
        self._operator.requested("patch", 200)
        self._operator.asked_registry("ok", 0.03)
        self._operator.read_evidence("ok", 0.004)


def configuration(ports: dict[str, int]) -> dict[str, Any]:
    """The example platform's own, with these ports on loopback instead of the pods that it would discover."""
    documents = yaml.safe_load_all((REPOSITORY / "examples/platform/prometheus.yaml").read_text())
    (text,) = (item["data"]["prometheus.yml"] for item in documents if item["kind"] == "ConfigMap")
    config: dict[str, Any] = yaml.safe_load(text)
    often = f"{SCRAPE_SECONDS * 1000:.0f}ms"
    config["global"] |= {"scrape_interval": often, "scrape_timeout": "450ms", "evaluation_interval": often}
    config["rule_files"] = [str(REPOSITORY / "helm/fairlead/files/rules.yaml")]
    for job in config["scrape_configs"]:
        name = job["job_name"]
        del job["kubernetes_sd_configs"]
        labels = {
            f"{_META}namespace": OPERATOR_NAMESPACE if name == "fairlead-operator" else NAMESPACE,
            f"{_META}pod_name": f"{name}-1",
            f"{_META}pod_phase": "Running",
            f"{_META}pod_container_port_name": PORT_NAMES[name],
            f"{_META}pod_label_fairlead_dev_modeldeployment": NAME,
            f"{_META}pod_label_fairlead_dev_revision": CANDIDATE,
        }
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[name]}"], "labels": labels}]
    return config


@contextmanager
def scraped(folder: Path) -> Iterator[Prometheus]:
    """All of it, once every query over the last seconds has something to go by."""
    with ExitStack() as stack:
        old, new = stack.enter_context(Backend()), stack.enter_context(Backend(fail_percent=20))
        arms = [stable(STABLE, 75), canary(CANDIDATE, 25, failover=STABLE)]
        deployment = serving(NAME, arms, {STABLE: [old], CANDIDATE: [new]}, latencyLimit="100ms")
        envoy = stack.enter_context(Envoy())
        envoy.apply([deployment])
        programs = Programs(envoy, deployment)
        ports = {job: stack.enter_context(_served(text)) for job, text in programs.texts().items()}
        stack.enter_context(_repeated(programs.work))
        prometheus = stack.enter_context(_running(folder, configuration(ports)))
        looks = f"min(count_over_time(up[1m])) >= 8 and count(up == 1) == {len(ports)}"
        for _ in range(int(READY_SECONDS / 0.1)):
            if prometheus.query(looks):
                break
            pause(0.1)
        else:
            raise AssertionError(f"not scraped: {prometheus.get('/api/v1/targets')['activeTargets']}")
        yield prometheus


@contextmanager
def _served(text: Callable[[], bytes]) -> Iterator[int]:
    """Answers every GET with the text; the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _repeated(work: Callable[[], None]) -> Iterator[None]:
    """Some fifty times a second, in a thread of its own."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.02):
            work()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _running(folder: Path, config: dict[str, Any]) -> Iterator[Prometheus]:
    """Prometheus with this configuration, when it answers."""
    (port,) = free_ports(1)
    path, log = folder / "prometheus.yml", folder / "prometheus.log"
    path.write_text(yaml.safe_dump(config))
    command = [binary("prometheus"), f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
    try:
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        for _ in range(int(READY_SECONDS / 0.1)):
            assert process.poll() is None, last_lines(log)
            if _answers(f"{prometheus.url}/-/ready"):
                break
            pause(0.1)
        else:
            raise AssertionError(last_lines(log))
        yield prometheus
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.URLError:
        return False
    return True
