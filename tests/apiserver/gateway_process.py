"""The gateway as it runs in its pod: the renderer and Envoy, two processes that share a folder."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tests.apiserver.objects import eventually
from tests.apiserver.plain_http import NO_TLS, ask
from tests.cluster import ControlPlane
from tests.cluster.masters import free_ports
from tests.cluster.progress import last_lines
from tests.gateway.envoy import envoy_program

from fairlead_gateway.bootstrap import BOOTSTRAP_FILE

REPOSITORY = Path(__file__).parents[2]
CLUSTER_ROLE = "test-gateway"
OPERATOR_NAMESPACE = "fairlead-system"
EVIDENCE_SUBJECT = f"system:serviceaccount:{OPERATOR_NAMESPACE}:fairlead"
START_SECONDS = 20.0
STOP_SECONDS = 10.0


@dataclass
class GatewayProcesses:
    """Both processes of one gateway pod, for one namespace of a control plane."""

    plane: ControlPlane
    namespace: str
    folder: Path
    token_file: Path
    url: str = ""
    metrics_port: int = 0
    evidence_port: int = 0
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.url = self.url or self.plane.url
        self.metrics_port, self.evidence_port = free_ports(2)

    def start(self) -> None:
        """Both, in the pod's order, and wait until the pod would be ready."""
        self.start_renderer()
        self.start_envoy()
        self.wait_ready()

    def start_renderer(self) -> None:
        """`python -m fairlead_gateway`; returns when its probe would let Envoy start."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY / "serving"),
            "POD_NAMESPACE": self.namespace,
            "EVIDENCE_SUBJECT": EVIDENCE_SUBJECT,
            "FAIRLEAD_DIR": str(self.shared),
            "KUBE_API_URL": self.url,
            "KUBE_TOKEN_FILE": str(self.token_file),
            "KUBE_CA_FILE": str(self.plane.ca),
            "METRICS_PORT": str(self.metrics_port),
            "EVIDENCE_PORT": str(self.evidence_port),
        }
        self._start("renderer", [sys.executable, "-m", "fairlead_gateway"], environment)
        self._wait("the renderer lives", lambda: self.get("/livez") is not None)

    def start_envoy(self) -> None:
        """Envoy, as its container starts it."""
        bootstrap = str(self.shared / BOOTSTRAP_FILE)
        flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"]
        flags += ["--drain-strategy", "immediate", "--drain-time-s", "60"]
        self._start("envoy", [envoy_program(), "-c", bootstrap, *flags], {})

    def wait_ready(self) -> None:
        """Until users would be sent here."""
        self._wait("the gateway is ready", lambda: self.get("/readyz") is not None)

    def wait_applied(self, name: str, generation: int) -> None:
        """Until Envoy serves this generation of a ModelDeployment's traffic."""
        self._wait(f"{name} is served with generation {generation}", lambda: self.applied(name) == generation)

    def applied(self, name: str) -> int | None:
        """The generation that Envoy serves."""
        value = self.metrics().get(f'fairlead_gateway_traffic_generation{{modeldeployment="{name}"}}')
        return None if value is None else int(value)

    def metrics(self) -> dict[str, float]:
        """The series of /metrics by name and labels, as they are written."""
        lines = (self.get("/metrics") or "").splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    def get(self, path: str) -> str | None:
        """The text of a 200 on the metrics port."""
        return ask(f"http://127.0.0.1:{self.metrics_port}{path}")

    def evidence(self, token: str | None) -> httpx.Response:
        """GET /evidence with this token."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.evidence_port}/evidence"
        return httpx.get(url, headers=headers, timeout=5, verify=NO_TLS, trust_env=False)

    def kill(self, name: str) -> None:
        """SIGKILL `renderer` or `envoy`."""
        self._processes[name].kill()
        self._processes[name].wait()

    def stop(self, name: str) -> int:
        """SIGTERM, as the kubelet does it; the exit code."""
        self._processes[name].send_signal(signal.SIGTERM)
        return self._processes[name].wait(STOP_SECONDS)

    def close(self) -> None:
        """End both."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.shared, ignore_errors=True)

    @property
    def shared(self) -> Path:
        """The folder that both share."""
        return self.folder / "run"

    def pid(self, name: str) -> int:
        """The pid of `renderer` or `envoy`."""
        return self._processes[name].pid

    def log(self, name: str) -> str:
        """What a process has said."""
        return (self.folder / f"{name}.log").read_text()

    def drain(self) -> str:
        """`python -m fairlead_gateway drain`, as before Envoy's end; what it says."""
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "serving"), "FAIRLEAD_DIR": str(self.shared)}
        command = [sys.executable, "-m", "fairlead_gateway", "drain"]
        return subprocess.run(
            command, env=environment, check=True, timeout=120, stdout=subprocess.PIPE, text=True
        ).stdout

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as sink:
            self._processes[name] = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink)

    def _wait(self, what: str, look: Callable[[], object]) -> None:
        def alive_and() -> object:
            for name, process in self._processes.items():
                if process.poll() not in (None, -signal.SIGKILL):
                    raise AssertionError(f"{name} ended with {process.returncode}; {self.log(name)[-2000:]}")
            return look()

        eventually(what, alive_and, seconds=START_SECONDS, shows=self._shows)

    def _shows(self) -> str:
        logs = "\n".join(last_lines(self.folder / f"{name}.log") for name in self._processes)
        return f"{self.get('/metrics')}\n{logs}"
