"""A proxy in front of a real MLflow, with the ways in which networks and servers fail: it refuses, hangs or says no."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx
from tests.apiserver.plain_http import NO_TLS

HANG_SECONDS = 60.0
"""How long a request is kept at most; every client gives up before."""


class RegistryProxy:
    """Forwards to `upstream`. `requests` counts what came by path, whatever became of it."""

    def __init__(self, upstream: str) -> None:
        self._http = httpx.Client(base_url=upstream, timeout=30, verify=NO_TLS, trust_env=False)
        self._answering = threading.Event()
        self._answering.set()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.requests: Counter[str] = Counter()
        self.demanded = ""
        """The Authorization header that is let through; empty: any."""
        self.start()

    @property
    def url(self) -> str:
        """Where it listens; the same after an outage."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections, as a server that is down does."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def hang(self) -> None:
        """Take connections, and answer nothing."""
        self._answering.clear()

    def answer(self) -> None:
        """Answer again, what waits too."""
        self._answering.set()

    def close(self) -> None:
        """The end."""
        self.answer()
        self.stop()
        self._http.close()

    def _reply(self, method: str, target: str, authorization: str, body: bytes) -> tuple[int, bytes]:
        self.requests[urlsplit(target).path.removeprefix("/api/2.0/mlflow/")] += 1
        self._answering.wait(HANG_SECONDS)
        if self.demanded and authorization != self.demanded:
            return 401, b'{"error_code": "UNAUTHENTICATED", "message": "who are you?"}'
        found = self._http.request(method, target, content=body, headers={"Content-Type": "application/json"})
        return found.status_code, found.content

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    code, content = proxy._reply(self.command, self.path, self.headers.get("Authorization", ""), body)
                    self.send_response(code)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except (OSError, httpx.HTTPError, RuntimeError):
                    return  # the client has given up, or the test is over

            do_GET = do_POST = do_PATCH = _forward

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: `requests` has it."""

        return Handler


@contextmanager
def registry_proxy(upstream: str) -> Iterator[RegistryProxy]:
    """A proxy that listens on a loopback port."""
    proxy = RegistryProxy(upstream)
    try:
        yield proxy
    finally:
        proxy.close()
