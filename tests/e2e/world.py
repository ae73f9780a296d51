"""What the end-to-end tests do to the cluster and ask of it, with the real kubectl."""

import contextlib
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from tests.cluster.interface import Cluster
from tests.cluster.progress import patience
from tests.demo.state import answers_users

POLL_SECONDS = 0.5  # each look is a process of its own
PROXY_SECONDS = 30.0

WEB = """
import http.server, os, signal, threading
stopping = threading.Event()
def stop(*_):
    stopping.set()
    threading.Timer(3, os._exit, [0]).start()
signal.signal(signal.SIGTERM, stop)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = ("version " + os.environ.get("VERSION", "?")).encode()
        self.send_response(200)
        if stopping.is_set():
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
Server(("", 8080), Handler).serve_forever()
"""
"""A web server that says its version: any container that is not the built-in model server. At SIGTERM it closes the
kept connections with their next answer, as a well-behaved server does: a Service does not move open connections."""

CRASH = "import sys; print('the weights file is torn'); sys.exit(9)"
HOG = "x = []\nwhile True: x.append(bytearray(10_000_000))"


class TimedOut(AssertionError):
    """Something did not come about in time; the message holds what was there instead."""


@dataclass(frozen=True)
class World:
    """One namespace of the cluster."""

    cluster: Cluster
    namespace: str

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:
        """`kubectl -n NAMESPACE ...`."""
        return self.cluster.kubectl("-n", self.namespace, *args, input=input, check=check)

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """`kubectl apply`, strictly validated."""
        text = yaml.safe_dump_all([dict(item) for item in manifests])
        self.kubectl("apply", "--validate=strict", "-f", "-", input=text)

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """The object, or None."""
        text = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def items(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """All objects of a kind."""
        found = json.loads(self.kubectl("get", kind, "-o", "json", *(["-l", selector] if selector else [])))
        return list(found["items"])

    def wait(self, what: str, check: Callable[[], Any], *, seconds: float) -> Any:
        """The first true value of `check`; TimedOut with the namespace's resources and events otherwise.

        A busy machine gets longer: what takes how long is measured by the benches, on an idle one.
        """
        started = time.monotonic()
        while True:
            if value := check():
                return value
            if time.monotonic() - started > seconds * patience():
                raise TimedOut(f"{what}: not within {seconds} s\n{self.describe()}")
            time.sleep(POLL_SECONDS)

    def describe(self) -> str:
        """Where things stand, for a person who reads a failed test."""
        parts = [self.kubectl("get", "md,tj,deploy,job,pods,svc", "-o", "wide", check=False)]
        for item in self.items("md") + self.items("tj"):
            parts.append(f"{item['kind']} {item['metadata']['name']}: {json.dumps(item.get('status'), indent=1)}")
        parts.append(self.kubectl("get", "events", "--sort-by=.lastTimestamp", check=False)[-3000:])
        parts.append(self.cluster.kubectl("-n", "fairlead-system", "logs", "deploy/fairlead", "--tail=30", check=False))
        return "\n".join(parts)

    def condition(self, kind: str, name: str, type_: str) -> dict[str, Any]:
        """The condition, or an empty one."""
        found = self.get(kind, name) or {}
        return next((item for item in found.get("status", {}).get("conditions", ()) if item["type"] == type_), {})

    def reason(self, kind: str, name: str) -> str:
        """The headline: RolledOut's reason for a ModelDeployment, Ready's for a TrainingJob."""
        type_ = "RolledOut" if kind == "md" else "Ready"
        return str(self.condition(kind, name, type_).get("reason", ""))

    def wait_reason(self, kind: str, name: str, reason: str, *, seconds: float) -> None:
        """Until the headline says this."""
        self.wait(f"{kind} {name}: {reason}", lambda: self.reason(kind, name) == reason, seconds=seconds)

    def wait_rolled_out(self, name: str, *, seconds: float = 60) -> dict[str, Any]:
        """Until the spec's latest generation has all of the traffic, on probation or not; the ModelDeployment."""

        def done() -> dict[str, Any] | None:
            found = self.get("md", name) or {}
            return found if answers_users(found) else None

        found = self.wait(f"md {name} rolled out", done, seconds=seconds)
        assert isinstance(found, dict)
        return found

    def url(self, service: str) -> str:
        """The Service as the host reaches it, once a gateway pod is ready and kube-proxy passes on what comes."""
        found = self.get("svc", service)
        assert found is not None, f"Service {service} is missing"
        address = str(found["spec"]["clusterIP"])
        self.wait(f"{service} at {address}", lambda: _accepts(address, 80), seconds=PROXY_SECONDS)
        return f"http://{address}"

    def status(self, kind: str, name: str) -> dict[str, Any]:
        """The status; empty when there is none, or no such object."""
        return dict((self.get(kind, name) or {}).get("status", {}))

    def wait_ended(self, name: str, *, seconds: float) -> dict[str, Any]:
        """Until a TrainingJob has succeeded or failed; the TrainingJob."""

        def ended() -> dict[str, Any] | None:
            found = self.get("tj", name) or {}
            return found if found.get("status", {}).get("phase") in ("Succeeded", "Failed") else None

        found = self.wait(f"tj {name} ended", ended, seconds=seconds)
        assert isinstance(found, dict)
        return found

    def wait_served(self, name: str, version: str, *, seconds: float) -> dict[str, Any]:
        """Until a version of the model is what serves: an alias that moves changes no generation; the status."""

        def served() -> dict[str, Any] | None:
            status = self.status("md", name)
            return status if (status.get("stable") or {}).get("modelVersion") == version else None

        found = self.wait(f"md {name} serves version {version}", served, seconds=seconds)
        assert isinstance(found, dict)
        return found

    def events(self, name: str) -> list[str]:
        """Reasons of the events about a custom resource."""
        return [item["reason"] for item in self.items("events") if item["involvedObject"]["name"] == name]


def _accepts(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def namespaced(cluster: Cluster) -> Iterator[World]:
    """A namespace of its own, in which Pod Security `restricted` is enforced; removed afterwards."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    try:
        cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield World(cluster, name)
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def web(name: str, version: str, **spec: Any) -> dict[str, Any]:
    """A ModelDeployment of the web server."""
    container = {
        "image": "localhost/fairlead-serving:dev",
        "command": ["python", "-c", WEB],
        "env": [{"name": "VERSION", "value": version}],
        "readinessPath": "/",
    }
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "container": container | spec.pop("container", {}),
            "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
            "terminationGracePeriodSeconds": 10,
            **spec,
        },
    }


def training(name: str, model: str, *, container: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A TrainingJob of the example trainer."""
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name},
        "spec": {
            "container": {"image": "localhost/fairlead-trainer:dev", **(container or {})},
            "register": {"model": model, "alias": "candidate"},
            **spec,
        },
    }


def serving(name: str, model: str, **spec: Any) -> dict[str, Any]:
    """A ModelDeployment that serves what the alias `candidate` points at, with the built-in server."""
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": {"name": model, "alias": "candidate"}, **spec},
    }
