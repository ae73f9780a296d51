"""/healthz, /readyz and /metrics.

Alive: the queue moves, the event loop turns, no watch is deaf. Ready: the cache is filled; a standby is ready, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

STUCK_SECONDS = 300.0
"""A key that has waited or worked for so long: the queue does not move. A reconcile may take 60 s."""


@dataclass(frozen=True, slots=True)
class Probes:
    """What the answers are made of."""

    synced: Callable[[], bool]
    leading: Callable[[], bool]
    oldest_seconds: Callable[[], float]
    deaf_kinds: Callable[[], Sequence[str]]
    metrics: Callable[[], bytes]


def alive(probes: Probes) -> str:
    """Why the process should be restarted; empty when it should not. A standby's queue may wait."""
    if deaf := probes.deaf_kinds():
        return f"the watch of {', '.join(deaf)} misses events"
    if probes.leading() and probes.oldest_seconds() > STUCK_SECONDS:
        return f"a key has waited for {probes.oldest_seconds():.0f} s: the queue does not move"
    return ""


def build_app(probes: Probes) -> web.Application:
    """The three routes."""

    async def healthz(_: web.Request) -> web.Response:
        why = alive(probes)
        return web.Response(text=why or "ok", status=503 if why else 200)

    async def readyz(_: web.Request) -> web.Response:
        ready = probes.synced()
        return web.Response(text="ok" if ready else "the cache is not filled yet", status=200 if ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=probes.metrics(), headers={"Content-Type": "text/plain; version=1.0.0; charset=utf-8"})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app
