"""What a shadow costs the users of stable: `make bench-shadow` writes docs/measurements/shadow.md within 90 seconds.

A real API server, the real renderer and Envoy, one pod that answers users and one that gets the copies.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from fairlead.api.gateway_evidence import ArmCounts
from fairlead.api.gateway_text import parse_evidence
from tests.bench.__main__ import circumstances
from tests.bench.gateway.generator import CORE as USERS_CORE
from tests.bench.gateway.generator import Round, load
from tests.bench.gateway.plane import FIRST_PORT, Plane, own_address, plane, revision, traffic
from tests.bench.gateway.process import Gateway, backend, gateway, url
from tests.cluster.masters import free_ports
from tests.cluster.progress import pause

PAGE = Path(__file__).resolve().parents[3] / "docs" / "measurements" / "shadow.md"
CONNECTIONS, THINK_MS = 32, 128
ATTEMPT_TIMEOUT = "1s"


@dataclass(frozen=True)
class Way:
    """A ModelDeployment of the bench. percent: of its requests that are copied; hangs: no copy is answered."""

    name: str
    percent: int = 0
    hangs: bool = False


ALONE, AGAIN = Way("no shadow"), Way("no shadow, once more")
WAYS = (
    ALONE,
    AGAIN,
    Way("a shadow with 20 %", 20),
    Way("a shadow with 20 % that hangs", 20, hangs=True),
    Way("a shadow with 100 % that hangs", 100, hangs=True),
)


@dataclass(frozen=True)
class Found:
    """The rounds of one way, and what became of its copies."""

    rounds: tuple[Round, ...]
    copies: ArmCounts

    @property
    def failed(self) -> int:
        """Users' requests that were not answered well."""
        return sum(one.failed for one in self.rounds)


def differences(found: Sequence[Round], alone: Sequence[Round]) -> tuple[float, ...]:
    """Milliseconds that the 99th percentile is above that without a shadow, round by round."""
    return tuple(one.p99_ms - other.p99_ms for one, other in zip(found, alone, strict=True))


def measure(rounds: int, seconds: int) -> dict[Way, Found]:
    """Way -> what it cost. The ways take turns, so that a noisy moment does not hit one alone."""
    stable, shadow, hanging = free_ports(3)
    made: dict[Way, list[Round]] = {way: [] for way in WAYS}
    with ExitStack() as stack:
        found = stack.enter_context(plane())
        stack.enter_context(backend(stable))
        stack.enter_context(backend(shadow, core=USERS_CORE))
        told = stack.enter_context(backend(hanging, core=USERS_CORE))
        httpx.get(f"{told}/-/behave", params={"hang": 1}, timeout=10, trust_env=False).raise_for_status()
        found.fleet(len(WAYS), {"stable": stable})
        for number, way in enumerate(WAYS):
            if way.percent:
                _copy(found, number, way, hanging if way.hangs else shadow)
        running = stack.enter_context(gateway(found))
        pause(1.0)
        for _ in range(rounds):
            for number, way in enumerate(WAYS):
                made[way].append(load(url(number), seconds=seconds, connections=CONNECTIONS, think_ms=THINK_MS))
                print(f"[shadow] {way.name}: p99 {made[way][-1].p99_ms:.2f} ms", flush=True)
        pause(2.0)  # the last copies are cut
        return {way: Found(tuple(made[way]), _copies(running, number)) for number, way in enumerate(WAYS)}


def _name(number: int) -> str:
    return f"model-{number:03}"


def _copy(found: Plane, number: int, way: Way, port: int) -> None:
    """Tell the gateway to copy this share of the requests to the pod on this port."""
    name = _name(number)
    found.endpoints(revision(name, "canary"), [own_address()], port)
    mirror = {"revision": revision(name, "canary"), "percent": way.percent}
    asked = {**traffic(name, FIRST_PORT + number, generation=2), "mirror": mirror, "attemptTimeout": ATTEMPT_TIMEOUT}
    found.write_traffic(name, asked)


def _copies(running: Gateway, number: int) -> ArmCounts:
    name = _name(number)
    arms = parse_evidence(running.metrics().encode()).deployments[name].arms
    return arms.get((revision(name, "canary"), "mirror"), ArmCounts(*[0.0] * 13))


def table(found: Mapping[Way, Found]) -> str:
    """A row for each way."""
    lines = [
        "| | p50, ms | p99, ms | p99 above no shadow, ms: median of the rounds (least, most) | users' requests failed "
        "| copies answered | cut after " + ATTEMPT_TIMEOUT + " | dropped |",
        "| --- |" + " ---: |" * 7,
    ]
    for way, one in found.items():
        above = sorted(differences(one.rounds, found[ALONE].rounds))
        told = "" if way is ALONE else f"{median(above):+.2f} ({above[0]:+.2f}, {above[-1]:+.2f})"
        copies = one.copies
        lines.append(
            f"| {way.name} | {median(each.p50_ms for each in one.rounds):.2f} "
            f"| {median(each.p99_ms for each in one.rounds):.2f} | {told} | {one.failed} "
            f"| {copies.attempts - copies.attempts_timed_out:.0f} | {copies.attempts_timed_out:.0f} "
            f"| {copies.overflows:.0f} |"
        )
    return "\n".join(lines) + "\n"


def verdict(found: Mapping[Way, Found]) -> str:
    """Whether the goal is met: what a shadow adds in the median is no more than two runs without one usually differ by.

    Usually, not at most: on a machine with other work to do the greatest difference would hide anything.
    """
    noise = median(abs(one) for one in differences(found[AGAIN].rounds, found[ALONE].rounds))
    over = [
        f"{way.name} {added:+.2f} ms"
        for way, one in found.items()
        if way.percent and (added := median(differences(one.rounds, found[ALONE].rounds))) > noise
    ]
    return f"Noise: {noise:.2f} ms. " + (f"Goal missed: {'; '.join(over)}." if over else "Goal met.")


_TEXT = """\
# What a shadow costs the users of stable

`make bench-shadow`, {circumstances} Load average before and after it ran: {load}.

Goal: stable's p99 with a shadow, also with one that hangs, is above that without one by no more than two runs without a
shadow usually differ by (the median of the rounds, either way). {verdict}

{table}
Users of one gateway with the real Envoy over the loopback: {connections} connections, each asks again after a random
time around {think_ms} ms, so that nothing is near its limit. The ways take turns, {rounds} rounds of {seconds} s each;
p50 and p99 are the medians of the rounds, the difference is taken round by round. The row *no shadow, once more* is
noise alone. Gateway and stable's pod have core 0, the load generator and the shadows' pods core 1; both cores also have
whatever else the machine does.

A shadow that hangs holds 64 copies at most, each for `attemptTimeout`; what comes meanwhile is not copied at all. Users
wait for none of it.
"""


def text(found: Mapping[Way, Found], *, rounds: int, seconds: int, load_before: float, load_after: float) -> str:
    """The page."""
    return _TEXT.format(
        circumstances=circumstances(),
        load=f"{load_before:.1f} and {load_after:.1f}",
        verdict=verdict(found),
        table=table(found),
        connections=CONNECTIONS,
        think_ms=THINK_MS,
        rounds=rounds,
        seconds=seconds,
    )


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gateway.shadow", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=1, help="of one round of one way")
    parser.add_argument("--out", type=Path, default=PAGE)
    given = parser.parse_args(arguments)
    load_before = os.getloadavg()[0]
    found = measure(given.rounds, given.seconds)
    load_after = os.getloadavg()[0]
    written = text(found, rounds=given.rounds, seconds=given.seconds, load_before=load_before, load_after=load_after)
    given.out.write_text(written)
    print(table(found))
    print(verdict(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
