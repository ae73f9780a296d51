"""Runs the rounds: the pod directly, through a bare Envoy, the gateway, and it with a canary, in turn."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import httpx

from tests.bench.gateway.generator import Round, load
from tests.bench.gateway.plane import FIRST_PORT, plane, traffic
from tests.bench.gateway.process import Memory, backend, bare_envoy, gateway, url
from tests.cluster.masters import free_ports
from tests.cluster.progress import pause

CONNECTIONS = 64
THINK_MS = 64
DIRECT, BARE = "the pod directly", "through an Envoy with one route and nothing else"
THROUGH, CANARY = "through the gateway", "through the gateway, a canary at 50 %"
WAYS = (DIRECT, BARE, THROUGH, CANARY)
FLEETS = (1, 20, 200)
SETTLE_SECONDS = 3.0
TOUCHED = 20
"""ModelDeployments that are asked once before memory is read, so that each has had a connection."""


@dataclass(frozen=True)
class Cost:
    """The rounds of one way: `paced` far below the limit, `full` as fast as it goes."""

    paced: tuple[Round, ...]
    full: tuple[Round, ...]

    @property
    def p50_ms(self) -> float:
        """The median round's median."""
        return median(found.p50_ms for found in self.paced)

    @property
    def p99_ms(self) -> float:
        """The median round's 99th percentile."""
        return median(found.p99_ms for found in self.paced)

    @property
    def requests_per_second(self) -> float:
        """The median round's."""
        return median(found.requests_per_second for found in self.full)

    @property
    def failed(self) -> int:
        """Requests of all rounds that were not answered well."""
        return sum(found.failed for found in (*self.paced, *self.full))


@dataclass(frozen=True)
class Size:
    """A gateway with `count` ModelDeployments: memory by process when it has settled, and its start."""

    count: int
    canaries: bool
    start_seconds: float
    memory: Mapping[str, Memory]

    @property
    def both(self) -> Memory:
        """Envoy and renderer together."""
        return self.memory["envoy"] + self.memory["renderer"]


def measure_cost(rounds: int, seconds: int) -> dict[str, Cost]:
    """Way -> what it cost. The ways take turns, so that a noisy moment does not hit one alone."""
    (port,) = free_ports(1)
    paced: dict[str, list[Round]] = {way: [] for way in WAYS}
    full: dict[str, list[Round]] = {way: [] for way in WAYS}
    with ExitStack() as stack:
        found = stack.enter_context(plane())
        direct = stack.enter_context(backend(port))
        found.fleet(2, {"stable": port, "canary": port})
        found.write_traffic("model-001", traffic("model-001", FIRST_PORT + 1, canary_percent=50, generation=2))
        stack.enter_context(gateway(found))
        pause(1.0)
        bare = stack.enter_context(bare_envoy(found.folder, port))
        urls = {DIRECT: f"{direct}/", BARE: bare, THROUGH: url(0), CANARY: url(1)}
        for _ in range(rounds):
            for way in WAYS:
                paced[way].append(load(urls[way], seconds=seconds, connections=CONNECTIONS, think_ms=THINK_MS))
            for way in WAYS:
                full[way].append(load(urls[way], seconds=seconds, connections=CONNECTIONS))
            print(
                f"[gateway] {', '.join(f'{way}: {_told(paced[way][-1], full[way][-1])}' for way in WAYS)}", flush=True
            )
    return {way: Cost(tuple(paced[way]), tuple(full[way])) for way in WAYS}


def _told(paced: Round, full: Round) -> str:
    return f"p50 {paced.p50_ms:.2f} ms, p99 {paced.p99_ms:.2f} ms, {full.requests_per_second:.0f}/s"


def measure_size(count: int, *, canaries: bool = False) -> Size:
    """A gateway that starts with so many ModelDeployments."""
    (port,) = free_ports(1)
    roles = ("stable", "canary") if canaries else ("stable",)
    with ExitStack() as stack:
        found = stack.enter_context(plane())
        stack.enter_context(backend(port))
        found.fleet(count, dict.fromkeys(roles, port), canary_percent=50 if canaries else 0)
        running = stack.enter_context(gateway(found))
        for index in range(min(count, TOUCHED)):
            httpx.get(url(index), timeout=10, trust_env=False).raise_for_status()
        pause(SETTLE_SECONDS)
        running.metrics()
        size = Size(count, canaries, running.start_seconds, running.memory())
    print(f"[gateway] {count} ModelDeployments: {size.both.private_mib:.1f} MiB, ready in {size.start_seconds:.1f} s")
    return size
