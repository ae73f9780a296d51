"""A proxy in front of a real MLflow that does requests an injustice, each of them once, and keeps a list of all."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import httpx
from aiohttp import web
from tests.apiserver.plain_http import NO_TLS


class Fault(StrEnum):
    """What becomes of a request."""

    BROKEN = "answered 500, and never reaches MLflow"
    FORBIDDEN = "answered 403, and never reaches MLflow"
    SILENT = "not answered in time, and never reaches MLflow"
    LOST = "done by MLflow, but the connection is reset before the answer"


@dataclass
class FaultProxy:
    """One proxy. A request is known by itself, the `stage` of the story and the number of writes done before it.

    Each of the `targets` goes wrong when it is met for the first time.
    """

    upstream: str
    http: httpx.AsyncClient
    fault: Fault
    stage: Callable[[], str]
    targets: frozenset[str]
    silent_seconds: float
    url: str = ""
    count: int = 0
    met: list[str] = field(default_factory=list)
    _done: int = 0

    def _strikes(self, request: web.Request) -> bool:
        self.count += 1
        what = f"{request.method} {request.path.removeprefix('/api/2.0/mlflow/')} after {self._done} in {self.stage()}"
        if what in self.met:
            return False
        self.met.append(what)
        return what in self.targets

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request, passed on or not."""
        body = await request.read()
        struck = self._strikes(request)
        if struck and self.fault is Fault.BROKEN:
            return web.Response(status=500, text="<html><title>500 Internal Server Error</title></html>")
        if struck and self.fault is Fault.FORBIDDEN:
            return web.Response(status=403, text="Invalid Host header - possible DNS rebinding attack detected")
        if struck and self.fault is Fault.SILENT:
            await asyncio.sleep(self.silent_seconds)
            return _reset(request)
        answer = await self._pass_on(request, body)
        return _reset(request) if struck else answer

    async def _pass_on(self, request: web.Request, body: bytes) -> web.Response:
        kind = {"Content-Type": "application/json"} if body else {}
        done = await self.http.request(request.method, self.upstream + request.path_qs, content=body, headers=kind)
        if request.method == "POST" and not request.path.endswith("/search") and done.is_success:
            self._done += 1
        return web.Response(status=done.status_code, body=done.content, content_type="application/json")


def _reset(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response(status=500)


@asynccontextmanager
async def fault_proxy(
    upstream: str, fault: Fault, stage: Callable[[], str], *, targets: frozenset[str], silent_seconds: float
) -> AsyncIterator[FaultProxy]:
    """A running proxy on a free loopback port."""
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=30) as http:
        proxy = FaultProxy(upstream, http, fault, stage, targets, silent_seconds)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield proxy
        finally:
            await runner.cleanup()
