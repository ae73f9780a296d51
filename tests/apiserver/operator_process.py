"""The operator as it is deployed: a process of its own, and a user of its own in the audit log."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml
from tests.apiserver.objects import eventually
from tests.apiserver.plain_http import ask
from tests.cluster import ControlPlane, Request, writes
from tests.cluster.masters import free_ports
from tests.cluster.progress import last_lines

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 30.0
STOP_SECONDS = 15.0
SHORT_LEASE = {"durationSeconds": 3, "renewSeconds": 1, "retrySeconds": 0.5}


@dataclass
class OperatorProcess:
    """`python -m fairlead` against a control plane. `user` is who it is in the audit log."""

    user: str
    plane: ControlPlane
    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls,
        plane: ControlPlane,
        folder: Path,
        *,
        user: str,
        namespace: str,
        settings: Mapping[str, Any],
        group: str = "system:masters",
    ) -> "OperatorProcess":
        """Start it with `settings`, its Lease in `namespace`, and wait until its cache is filled."""
        masters, port = plane.masters, free_ports(1)[0]
        file = user.rpartition(":")[2]  # KUBECONFIG is a list with colons
        kubeconfig = masters.kubeconfig(file, masters.authority.issue(file, f"/O={group}/CN={user}"))
        config = folder / f"{file}.yaml"
        config.write_text(yaml.safe_dump(dict(settings)))
        log = folder / f"{file}.log"
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "POD_NAMESPACE": namespace,
            "POD_NAME": user,
            "PYTHONPATH": str(REPOSITORY / "operator"),
        }
        command = [sys.executable, "-m", "fairlead", "--config", str(config), "--port", str(port)]
        with log.open("ab") as sink:
            process = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink, start_new_session=True)
        operator = cls(user, plane, port, log, process)
        try:
            eventually(f"{user} is ready", operator.ready, seconds=READY_SECONDS, shows=lambda: last_lines(log))
        except BaseException:
            operator.kill()
            raise
        return operator

    def ready(self) -> bool:
        """Whether /readyz says so. AssertionError with its log when the process has ended."""
        if not self.alive:
            raise AssertionError(f"{self.user} ended with {self.process.returncode}; {last_lines(self.log)}")
        return self._get("/readyz") is not None

    @property
    def leading(self) -> bool:
        """Whether its metrics say that it holds the Lease."""
        return "\nfairlead_leader 1.0" in (self._get("/metrics") or "")

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def _get(self, path: str) -> str | None:
        return ask(f"http://127.0.0.1:{self.port}{path}")

    def writes(self, since: int) -> list[Request]:
        """Everything it has written, Kopf included, but for the Lease; `since` is a mark of the audit log."""
        found = writes(self.plane.audit_log, since=since)
        return [item for item in found if item.user == self.user and item.resource != "leases"]

    def stop(self) -> int:
        """SIGTERM, as the kubelet does it; the exit code."""
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.user} outlives SIGTERM by {STOP_SECONDS} s; {last_lines(self.log)}") from None

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP: it stands still, as under a memory squeeze or a live migration."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # until then its other threads go on

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)


class StartOperator(Protocol):
    """The fixture `start_operator`: `start_operator("operator-b", retirementGraceSeconds=5)`."""

    def __call__(self, user: str = "operator-a", **settings: Any) -> OperatorProcess:
        """A running operator, its cache filled; `settings` as in the settings file."""
        ...
