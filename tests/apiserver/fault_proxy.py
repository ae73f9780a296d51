"""A proxy in front of a real MLflow that does one request an injustice, and keeps a list of all of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import httpx
from aiohttp import web
from tests.apiserver.plain_http import NO_TLS

SILENT_SECONDS = 3.0
"""Longer than the caller waits."""


class Fault(StrEnum):
    """What becomes of the request."""

    BROKEN = "answered 500, and never reaches MLflow"
    FORBIDDEN = "answered 403, and never reaches MLflow"
    SILENT = "never answered, and never reaches MLflow"
    LOST = "done by MLflow, but the connection is reset before the answer"


@dataclass
class FaultProxy:
    """One proxy. `at` is the number of the request that goes wrong, from 0; None: all go well."""

    upstream: str
    fault: Fault
    at: int | None
    url: str = ""
    requests: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request, passed on or not."""
        body = await request.read()
        struck = len(self.requests) == self.at
        self.requests.append(f"{request.method} {request.path.removeprefix('/api/2.0/mlflow/')}")
        if struck and self.fault is Fault.BROKEN:
            return web.Response(status=500, text="<html><title>500 Internal Server Error</title></html>")
        if struck and self.fault is Fault.FORBIDDEN:
            return web.Response(status=403, text="Invalid Host header - possible DNS rebinding attack detected")
        if struck and self.fault is Fault.SILENT:
            await asyncio.sleep(SILENT_SECONDS)
            return self._reset(request)
        answer = await self._pass_on(request, body)
        if struck:
            return self._reset(request)
        return web.Response(status=answer.status_code, body=answer.content, content_type="application/json")

    async def _pass_on(self, request: web.Request, body: bytes) -> httpx.Response:
        kind = {"Content-Type": "application/json"} if body else {}
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=30) as http:
            return await http.request(request.method, self.upstream + request.path_qs, content=body, headers=kind)

    @staticmethod
    def _reset(request: web.Request) -> web.Response:
        if request.transport:
            request.transport.abort()
        return web.Response(status=500)


@asynccontextmanager
async def fault_proxy(upstream: str, fault: Fault, at: int | None) -> AsyncIterator[FaultProxy]:
    """A running proxy on a free loopback port."""
    proxy = FaultProxy(upstream, fault, at)
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
