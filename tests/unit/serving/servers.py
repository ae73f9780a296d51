"""The model server as a real process, and a registry on loopback that answers as it is told."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 60.0


@dataclass
class ServerProcess:
    """A running `python -m fairlead_serving`."""

    process: subprocess.Popen[str]
    lines: list[dict[str, object]] = field(default_factory=list)

    def read_until(self, message: str) -> dict[str, object]:
        """Read the log up to a line with that message."""
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line = json.loads(text)
            self.lines.append(line)
            if line["message"] == message:
                return line
        raise AssertionError(f"expected {message!r} in the log, got {self.lines}")

    @property
    def url(self) -> str:
        listening = next(line for line in self.lines if line["message"] == "listening")
        return f"http://127.0.0.1:{listening['port']}"

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait for the end; the rest of the log is read, so that the process never blocks on it."""
        output, _ = self.process.communicate(timeout=START_SECONDS)
        self.lines += [json.loads(text) for text in output.splitlines()]
        return self.process.returncode


@contextmanager
def server_process(tmp_path: Path, **env: str) -> Iterator[ServerProcess]:
    """Start the server with these variables on a free port; it is killed at the end if it still runs."""
    path = f"{ROOT}/serving"
    full = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": path,
        "PORT": "0",
        "TERMINATION_LOG": str(tmp_path / "last-words"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "fairlead_serving"],
        env=full | env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = ServerProcess(process)
    try:
        server.read_until("listening")
        yield server
    finally:
        process.kill()
        process.communicate(timeout=START_SECONDS)


def status(url: str) -> int:
    """The HTTP status of a GET."""
    return httpx.get(url, timeout=10).status_code


Reply = tuple[int, bytes]
Script = Callable[[str], Reply]


@contextmanager
def scripted_registry(script: Script) -> Iterator[str]:
    """An HTTP server that answers every GET with what script makes of its path and query; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, body = script(self.path)
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def folder_script(folder: Path, root: str = "1/models/m-1/artifacts") -> Script:
    """Answer as MLflow does for a version whose files are in folder."""
    proxy = "/api/2.0/mlflow-artifacts/artifacts"

    def script(path: str) -> Reply:
        if path.startswith("/api/2.0/mlflow/model-versions/get-download-uri"):
            return 200, json.dumps({"artifact_uri": f"mlflow-artifacts:/{root}"}).encode()
        if path.startswith(proxy + "?path="):
            place = folder / httpx.URL(path).params["path"].removeprefix(root).lstrip("/")
            files = [
                {"path": file.name, "is_dir": file.is_dir(), "file_size": 0 if file.is_dir() else file.stat().st_size}
                for file in sorted(place.iterdir())
            ]
            return 200, json.dumps({"files": files}).encode()
        if path.startswith(proxy + "/"):
            return 200, (folder / httpx.URL(path).path.removeprefix(f"{proxy}/{root}/")).read_bytes()
        return 404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST"}).encode()

    return script
