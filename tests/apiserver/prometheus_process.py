"""A real Prometheus that scrapes one gateway's metrics port, as the example platform's does it in a cluster."""

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.apiserver.objects import eventually
from tests.apiserver.plain_http import ask
from tests.cluster.binaries import binary
from tests.cluster.masters import free_ports
from tests.cluster.progress import last_lines

START_SECONDS = 30.0
SCRAPE_SECONDS = 1


@dataclass
class PrometheusProcess:
    """`targets` by pod: the ports of their metrics. `web`: Prometheus' own web configuration."""

    folder: Path
    namespace: str
    targets: dict[str, int]
    web: dict[str, Any] = field(default_factory=dict)
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.port,) = free_ports(1)
        # JSON is YAML.
        (self.folder / "prometheus.yml").write_text(json.dumps(self._config()))
        (self.folder / "web.yml").write_text(json.dumps(self.web))

    @property
    def url(self) -> str:
        """What comes before `/api/v1`."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, or start it anew with what it has stored. Returns when it answers; with `web`, at once."""
        command: list[str | Path] = [binary("prometheus"), f"--config.file={self.folder / 'prometheus.yml'}"]
        command += [f"--web.config.file={self.folder / 'web.yml'}", f"--web.listen-address=127.0.0.1:{self.port}"]
        command += [f"--storage.tsdb.path={self.folder / 'data'}"]
        with (self.folder / "log").open("ab") as sink:
            self._process = subprocess.Popen(command, stdout=sink, stderr=sink)
        if not self.web:
            look = f"{self.url}/-/ready"
            eventually("Prometheus is ready", lambda: ask(look), seconds=START_SECONDS, shows=self._log)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def hang(self) -> None:
        """SIGSTOP: it takes connections and answers nothing."""
        pid = self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED)  # until then its other threads may answer

    def go_on(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, and forget what it has stored."""
        self.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _signal(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.pid

    def _log(self) -> str:
        return last_lines(self.folder / "log")

    def _config(self) -> dict[str, Any]:
        targets = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": self.namespace, "pod": pod}}
            for pod, port in self.targets.items()
        ]
        times = {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"}
        return {"global": times, "scrape_configs": [{"job_name": "fairlead-gateway", "static_configs": targets}]}
