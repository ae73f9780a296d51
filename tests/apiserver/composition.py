"""The operator's parts put together in this process, with a trap in its HTTP clients and a clock that can be moved.

What `__main__` wires up, less Kopf, the queue and the polls of the registry: `settle` plays the watch (by LISTs), the
queue and the passing of time, so that a run is the same each time and the writes of it can be numbered.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

import httpx
from tests.apiserver.plain_http import NO_TLS
from tests.cluster import ControlPlane

from fairlead.adapters.connection import Connection
from fairlead.adapters.kubernetes import KubernetesCluster
from fairlead.adapters.mlflow import MlflowRegistry
from fairlead.api.kinds import OWNED, WATCHED, ResourceType
from fairlead.api.names import MANAGED_SELECTOR
from fairlead.core.world import Allowed
from fairlead.errors import ReadAgain, RetryLater
from fairlead.from_settings import gateway_defaults
from fairlead.render.defaults import RenderDefaults
from fairlead.settings import Settings
from fairlead.shell.apply import Applier
from fairlead.shell.cache import Cache, ref_of
from fairlead.shell.gateways import Gateways
from fairlead.shell.gather import Frame, Gatherer
from fairlead.shell.keys import Key, gateway_key
from fairlead.shell.loop import Loop
from fairlead.shell.models import Models
from fairlead.shell.queue import WorkQueue
from fairlead.shell.rollouts import Rollouts
from fairlead.shell.telemetry import Telemetry
from fairlead.shell.telling import Teller

MOST_ROUNDS = 60
RETIREMENT_GRACE_SECONDS = 30.0
Mode = Literal["before", "after"]


class Killed(BaseException):
    """The operator is dead. Not an Exception: nothing may catch it and go on."""


@dataclass
class Trap:
    """Counts writes, and kills before the `kill_at`-th is sent or after it was answered (from 1; None: never)."""

    kill_at: int | None = None
    mode: Mode = "before"
    writes: list[str] = field(default_factory=list)

    def springs(self, mode: Mode) -> bool:
        """Whether this is the moment."""
        return mode == self.mode and len(self.writes) == self.kill_at


class TrappedTransport(httpx.AsyncBaseTransport):
    """An HTTP transport with a trap in it."""

    def __init__(self, inner: httpx.AsyncBaseTransport, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Forward the request; Killed when the trap springs."""
        if request.method == "GET" or request.url.path.endswith("/search"):
            return await self._inner.handle_async_request(request)
        self._trap.writes.append(describe(request))
        if self._trap.springs("before"):
            raise Killed
        response = await self._inner.handle_async_request(request)
        if self._trap.springs("after"):
            await response.aread()
            await response.aclose()
            raise Killed
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def describe(request: httpx.Request) -> str:
    """`PATCH deployments`, `PATCH modeldeployments/status`, `POST runs/create`: without names, which differ."""
    parts = request.url.path.strip("/").split("/")
    if "namespaces" in parts:
        tail = parts[parts.index("namespaces") + 2 :]
        return f"{request.method} {'/'.join([tail[0], *tail[2:]])}"
    return f"{request.method} {'/'.join(parts[-2:])}"


class MovedClock:
    """The real time, and as much later as it was told."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def now(self) -> datetime:
        """Wall-clock time."""
        return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=self.ahead_seconds)

    def wall_seconds(self) -> float:
        """The same with its fractions."""
        return time.time() + self.ahead_seconds

    def monotonic(self) -> float:
        """Seconds."""
        return time.monotonic() + self.ahead_seconds

    def pass_by(self, **length: float) -> None:
        """Move on."""
        self.ahead_seconds += timedelta(**length).total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Let others run; the time passes at once."""
        self.ahead_seconds += seconds
        await asyncio.sleep(0)


@lru_cache
def _trust(ca: Path, cert: Path, key: Path) -> ssl.SSLContext:
    trust = ssl.create_default_context(cafile=str(ca))
    trust.load_cert_chain(str(cert), str(key))
    return trust


def _http(plane: ControlPlane, trap: Trap) -> httpx.AsyncClient:
    trust = _trust(plane.ca, plane.admin_cert, plane.admin_key)
    transport = TrappedTransport(httpx.AsyncHTTPTransport(verify=trust, trust_env=False), trap)
    return httpx.AsyncClient(base_url=plane.url, transport=transport, timeout=10)


def _plain_http(trap: Trap) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=TrappedTransport(httpx.AsyncHTTPTransport(verify=NO_TLS), trap), timeout=10)


class Composition:
    """One life of the operator in one namespace: a cache that starts empty, until it is closed or killed."""

    def __init__(
        self,
        plane: ControlPlane,
        namespace: str,
        *,
        clock: MovedClock,
        registry_url: str,
        trap: Trap,
        epoch: int = 1,
        registry_timeout_seconds: float = 10.0,
    ) -> None:
        self._namespace = namespace
        self._clock = clock
        self._http = _http(plane, trap)
        self._cache = Cache()
        self._cluster = KubernetesCluster(
            Connection(self._http, lambda: ""), may_write=lambda: True, observe=lambda _verb, _code: None
        )
        self._registry = MlflowRegistry(
            registry_url, clock, _plain_http(trap), timeout_seconds=registry_timeout_seconds
        )
        queue = WorkQueue(clock, jitter=lambda seconds: seconds)
        models = Models(self._registry, queue, poll_seconds=15, jitter=lambda seconds: seconds)
        gateways, rollouts = Gateways(queue), Rollouts(self._cache)
        applier = Applier(self._cache, self._cluster, self._registry, clock, models.ask_again)
        self._teller = Teller(
            cache=self._cache,
            queue=queue,
            rollouts=rollouts,
            registry=self._registry,
            applier=applier,
            clock=clock,
            allowed=Allowed(),
            moved=models.ask_again,
        )
        self._loop = Loop(
            queue=queue,
            cache=self._cache,
            gatherer=Gatherer(
                self._cache, self._cluster, self._registry, clock, models, gateways=gateways, rollouts=rollouts
            ),
            applier=applier,
            clock=clock,
            telemetry=Telemetry(),
            frame=lambda: _frame(registry_url, epoch),
            gone=lambda _key: None,
            gateways=gateways,
            rollouts=rollouts,
        )

    async def __aenter__(self) -> "Composition":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._registry.close()
        await self._http.aclose()

    async def refresh(self) -> None:
        """Bring the cache to what the API server has: what the watch streams do."""
        await asyncio.gather(*(self._refresh(resource) for resource in WATCHED))

    async def _refresh(self, resource: ResourceType) -> None:
        selector = "" if resource in OWNED else MANAGED_SELECTOR
        listed = await self._cluster.list(resource, self._namespace, selector)
        names = {ref_of(body) for body in listed}
        for body in listed:
            self._cache.put(body)
        for body in self._cache.of_kind(resource.kind):
            if ref_of(body) not in names:
                self._cache.remove(body)

    async def tell(self) -> None:
        """One look at what the registry has to hear, on a fresh cache."""
        await self.refresh()
        await self._teller.once("operator")

    async def reconcile(self, key: Key) -> float | None:
        """One reconcile on a fresh cache. What the loop would retry is retried; the seconds until the next look."""
        for _ in range(MOST_ROUNDS):
            await self.refresh()
            try:
                waits = [await self._loop.reconcile(item) for item in self._line(key)]
                return min((wait for wait in waits if wait is not None), default=None)
            except (ReadAgain, RetryLater):
                continue
        raise AssertionError(f"{key} was retried {MOST_ROUNDS} times")

    def _line(self, key: Key) -> list[Key]:
        """A ModelDeployment brings the gateway of its namespace with it."""
        return [gateway_key(self._namespace), key] if key.kind == "ModelDeployment" else [key]

    async def settle(self, key: Key, play: Callable[[], bool]) -> None:
        """Reconcile until nothing is due. `play` is the rest of the world: it makes one move, or says False."""
        for _ in range(MOST_ROUNDS):
            wait = await self.reconcile(key)
            if play():
                continue
            if wait is None:
                return
            self._clock.ahead_seconds += wait
        raise AssertionError(f"{key} has not settled after {MOST_ROUNDS} rounds")


def _frame(registry_url: str, epoch: int) -> Frame:
    return Frame(
        defaults=RenderDefaults(
            serving_image="localhost/fairlead-serving:dev",
            image_pull_policy="IfNotPresent",
            registry_pod_url=registry_url,
        ),
        gateway=gateway_defaults(Settings(), {}),
        allowed=Allowed(),
        retirement_grace_seconds=RETIREMENT_GRACE_SECONDS,
        epoch=epoch,
        operator_id="operator",
    )
