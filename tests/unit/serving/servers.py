"""The model server as a real process, and a registry on loopback that answers as it is told."""

import json
import os
import signal
import ssl
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
def server_process(tmp_path: Path, *, listens: bool = True, **env: str) -> Iterator[ServerProcess]:
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
        if listens:
            server.read_until("listening")
        yield server
    finally:
        process.kill()
        process.communicate(timeout=START_SECONDS)


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Certificates are not needed, and to read them takes seconds on a busy machine."""


def status(url: str) -> int:
    """The HTTP status of a GET."""
    return httpx.get(url, timeout=10, verify=_NO_TLS).status_code


Reply = tuple[int, bytes]
Script = Callable[[str], Reply]


@dataclass(frozen=True)
class Seen:
    """A request that came to a scripted registry."""

    method: str
    path: str
    authorization: str | None
    body: bytes


@contextmanager
def scripted_registry(script: Script, seen: list[Seen] | None = None) -> Iterator[str]:
    """An HTTP server that answers every GET and PUT with what script makes of its path and query; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if seen is not None:
                seen.append(Seen(self.command, self.path, self.headers.get("Authorization"), content))
            code, body = script(self.path)
            self.send_response(code)
            if code == 302:
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET

        def log_message(self, format: str, *args: object) -> None:
            return

    with _listening(Handler) as url:
        yield url


PROXY = "/api/2.0/mlflow-artifacts/artifacts"
MODEL_ROOT = "1/models/m-1/artifacts"
RUN_ROOT = "1/r-1/artifacts"


def folder_script(folder: Path, manifest: bytes | None = None) -> Script:
    """Answer as MLflow does for a version whose files are in folder, and the manifest in its run's artifacts."""
    api = "/api/2.0/mlflow"
    documents = {
        f"{api}/model-versions/get-download-uri": {"artifact_uri": f"mlflow-artifacts:/{MODEL_ROOT}"},
        f"{api}/model-versions/get": {"model_version": {"run_id": "r-1", "source": "models:/m-1"}},
        f"{api}/logged-models/m-1": {"model": {"info": {"artifact_uri": f"mlflow-artifacts:/{MODEL_ROOT}"}}},
        f"{api}/runs/get": {"run": {"info": {"artifact_uri": f"mlflow-artifacts:/{RUN_ROOT}"}}},
    }

    def listing(path: str) -> Reply:
        if path.startswith(RUN_ROOT):
            entries = [{"path": "manifest.json", "is_dir": False, "file_size": len(manifest)}] if manifest else []
            return 200, json.dumps({"files": entries}).encode()
        place = folder / path.removeprefix(MODEL_ROOT).lstrip("/")
        files = [
            {"path": file.name, "is_dir": file.is_dir(), "file_size": 0 if file.is_dir() else file.stat().st_size}
            for file in sorted(place.iterdir())
        ]
        return 200, json.dumps({"files": files}).encode()

    def script(path: str) -> Reply:
        url = httpx.URL(path)
        if url.path in documents:
            return 200, json.dumps(documents[url.path]).encode()
        if url.path == PROXY:
            return listing(url.params["path"])
        if url.path.startswith(f"{PROXY}/{RUN_ROOT}/"):
            return 200, manifest or b"{}"
        if url.path.startswith(f"{PROXY}/{MODEL_ROOT}/"):
            return 200, (folder / url.path.removeprefix(f"{PROXY}/{MODEL_ROOT}/")).read_bytes()
        return 404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST"}).encode()

    return script


@contextmanager
def faulty_proxy(upstream: str, fails: Callable[[str], bool]) -> Iterator[str]:
    """A proxy in front of a real server that answers 503 to the requests (method and path) that fails names."""
    client = httpx.Client(base_url=upstream, timeout=30, trust_env=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if fails(f"{self.command} {self.path}"):
                code, body = 503, b"out of order"
            else:
                answer = client.request(self.command, self.path, content=content)
                code, body = answer.status_code, answer.content
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET

        def log_message(self, format: str, *args: object) -> None:
            return

    with client, _listening(Handler) as url:
        yield url


@contextmanager
def _listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
