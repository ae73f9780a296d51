"""The tables as text, and which goals were missed. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from tests.bench.gateway.measure import CANARY, DIRECT, THROUGH, WAYS, Cost, Size

GOAL_ADDED_MS = 0.5
GOAL_SHARE = 0.7
GOAL_MIB = 60.0
GOAL_FLEET = 20


def added_ms(costs: Mapping[str, Cost], way: str = THROUGH) -> float:
    """What the gateway adds to the median."""
    return costs[way].p50_ms - costs[DIRECT].p50_ms


def share(costs: Mapping[str, Cost], way: str = THROUGH) -> float:
    """Requests/s as a share of those of the pod directly."""
    return costs[way].requests_per_second / costs[DIRECT].requests_per_second


def private_mib(sizes: Sequence[Size]) -> float:
    """Private memory with 20 ModelDeployments."""
    return next(size.both.private_mib for size in sizes if size.count == GOAL_FLEET and not size.canaries)


def cost_table(costs: Mapping[str, Cost]) -> str:
    """Latency and requests/s by way."""
    lines = [
        "| | p50, ms | added | p99, ms | added | requests/s at the limit | of direct | failed |",
        "| --- |" + " ---: |" * 7,
    ]
    for way in WAYS:
        cost, direct = costs[way], costs[DIRECT]
        lines.append(
            f"| {way} | {cost.p50_ms:.2f} | {cost.p50_ms - direct.p50_ms:+.2f} | {cost.p99_ms:.2f} "
            f"| {cost.p99_ms - direct.p99_ms:+.2f} | {cost.requests_per_second:,.0f} | {share(costs, way):.2f} "
            f"| {cost.failed} |"
        )
    return "\n".join(lines) + "\n"


def size_table(sizes: Sequence[Size]) -> str:
    """Memory and start by the number of ModelDeployments."""
    lines = [
        "| ModelDeployments | private, MiB | of Envoy | of the renderer | working set, MiB | ready after, s |",
        "| --- |" + " ---: |" * 5,
    ]
    for size in sizes:
        name = f"{size.count}, each with a canary" if size.canaries else f"{size.count}"
        own = {name: found.private_mib for name, found in size.memory.items()}
        lines.append(
            f"| {name} | {size.both.private_mib:.1f} | {own['envoy']:.1f} | {own['renderer']:.1f} "
            f"| {size.both.resident_mib:.1f} | {size.start_seconds:.1f} |"
        )
    return "\n".join(lines) + "\n"


def missed_goals(costs: Mapping[str, Cost], sizes: Sequence[Size]) -> Iterator[str]:
    """Each goal that was not met, with its figure."""
    if added_ms(costs) > GOAL_ADDED_MS:
        yield f"{added_ms(costs):+.2f} ms at the median, goal +{GOAL_ADDED_MS} ms"
    for way in (THROUGH, CANARY):
        if share(costs, way) < GOAL_SHARE:
            yield f"{way}: {share(costs, way):.2f} of direct requests/s, goal {GOAL_SHARE}"
    if private_mib(sizes) > GOAL_MIB:
        yield f"{private_mib(sizes):.0f} MiB with {GOAL_FLEET} ModelDeployments, goal {GOAL_MIB:.0f} MiB"
    if failed := sum(cost.failed for cost in costs.values()):
        yield f"{failed} requests of the rounds failed, goal 0"


def last_line(costs: Mapping[str, Cost], sizes: Sequence[Size]) -> str:
    """The three figures in one line."""
    return (
        f"gateway: {added_ms(costs):+.2f} ms p50, {share(costs):.2f} of direct requests/s, {private_mib(sizes):.0f} MiB"
    )
