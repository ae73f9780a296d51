"""A canary that fails in every way, at half of the traffic: what users see, and whether every count is exact.

`python -m tests.gateway.failover --seconds 20` writes its part of docs/measurements/gateway.md.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fairlead_gateway.endpoints import Endpoint
from tests.bench.page import with_part
from tests.gateway.backend import Backend
from tests.gateway.envoy import Envoy
from tests.gateway.traffic import canary, counted, serving, stable
from tests.load import LoadPlan, LoadReport, run_load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "measurements" / "gateway.md"
REQUESTS_PER_SECOND = 200.0
ATTEMPT_TIMEOUT_SECONDS = 0.5
NOBODY = Endpoint("127.0.0.1", 1)


@dataclass(frozen=True)
class Variant:
    """One way to fail. pods: none (no endpoint), refused (no process), or one that behaves so."""

    title: str
    fail_percent: int = 0
    fail_status: int = 500
    after_seconds: float = 0.005
    connections: int = 40
    pod: str = "answers"
    hang: bool = False
    stable_fail_percent: int = 0


VARIANTS = (
    *(
        Variant(
            f"{percent} % errors, {after * 1000:.0f} ms, {connections} connections",
            fail_percent=percent,
            after_seconds=after,
            connections=connections,
        )
        for percent in (30, 100)
        for after in (0.005, 0.2)
        for connections in (40, 200)
    ),
    Variant("30 % of connections ended before the answer", fail_percent=30, fail_status=0),
    Variant("30 % answered 429", fail_percent=30, fail_status=429),
    Variant("30 % errors, stable fails 20 % as well", fail_percent=30, stable_fail_percent=20),
    Variant("process gone", pod="refused"),
    Variant("hanging", hang=True),
    Variant("no endpoint", pod="none"),
)


@dataclass(frozen=True)
class Outcome:
    """What one run showed. counts: of the canary and of stable, as the gateway tells them."""

    variant: Variant
    report: LoadReport
    counts: dict[str, float]
    stable_counts: dict[str, float]
    differences: tuple[str, ...]

    def row(self) -> str:
        """A line of the table."""
        latency = self.report.latency
        slowest = "-" if latency is None else f"{latency.p99_seconds * 1000:.0f} / {latency.max_seconds * 1000:.0f}"
        cells: list[Any] = [self.variant.title, self.report.sent, self.report.failed, slowest]
        names = ("attempts_total", "attempt_failures_total", "failovers_total", "failover_failures_total")
        cells += [int(self.counts[name]) for name in names]
        cells.append("yes" if not self.differences else "; ".join(self.differences))
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


HEAD = (
    "| canary | requests | failed | p99 / max ms | attempts | failures | failovers | paired | exact |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def run_variant(envoy: Envoy, variant: Variant, seconds: float) -> Outcome:
    """Half of the load to the canary, half to stable; then every count held against the others.

    The clusters are gone afterwards, and their counters with them, so that the next run counts from 0.
    """
    behaviour: dict[str, Any] = {"after_seconds": variant.after_seconds}
    with (
        Backend(**behaviour, fail_percent=variant.stable_fail_percent) as old,
        Backend(
            **behaviour, fail_percent=variant.fail_percent, fail_status=variant.fail_status, hang=variant.hang
        ) as new,
    ):
        pods: Sequence[Backend | Endpoint] = {"refused": [NOBODY], "none": []}.get(variant.pod, [new])
        arms = [stable("m-old", 50), canary("m-new", 50, failover="m-old")]
        # Off elsewhere: on a busy machine it would cut attempts of which the pod knows nothing yet.
        timeout = f"{ATTEMPT_TIMEOUT_SECONDS * 1000:.0f}ms" if variant.hang else "off"
        deployment = serving("m", arms, {"m-old": [old], "m-new": pods}, attemptTimeout=timeout)
        envoy.apply([deployment])
        report = run_load(
            LoadPlan(
                f"http://127.0.0.1:{deployment.traffic.port}/",
                rate=REQUESTS_PER_SECOND,
                seconds=seconds,
                keepalive_connections=variant.connections,
            )
        )
        found = counted(envoy, deployment)
        envoy.apply([], forget=True)
    outcome = Outcome(variant, report, found["m-new", "canary"], found["m-old", "stable"], ())
    return replace(outcome, differences=tuple(_differences(outcome, old, new)))


def _differences(outcome: Outcome, old: Backend, new: Backend) -> list[str]:
    """Every pair of numbers that should be equal and is not, by name."""
    counts, stable_counts, report = outcome.counts, outcome.stable_counts, outcome.report
    gone = outcome.variant.pod == "refused"
    failed = new.answered[500] + new.answered[0] + (new.received if outcome.variant.hang else 0)
    second = counts["failovers_total"]
    reached_nobody = second - counts["absent_total"]
    pairs = {
        "canary attempts, as its pod saw them": (counts["attempts_total"], reached_nobody if gone else new.received),
        "canary failures, as its pod saw them": (counts["attempt_failures_total"], reached_nobody if gone else failed),
        "canary 429": (counts["throttled_total"], new.answered[429]),
        "canary cut": (counts["attempts_timed_out_total"], new.received if outcome.variant.hang else 0),
        "second attempts": (
            second,
            counts["attempt_failures_total"] + counts["throttled_total"] + counts["absent_total"],
        ),
        "first attempts": (
            counts["attempts_total"] + counts["absent_total"] + stable_counts["attempts_total"],
            report.sent,
        ),
        "what stable's pod saw": (stable_counts["attempts_total"] + second, old.received),
        "what stable's pod failed": (
            stable_counts["attempt_failures_total"] + counts["failover_failures_total"],
            old.answered[500],
        ),
        "what users saw failing": (old.answered[500], report.failed),
    }
    return [f"{name}: {left:.0f} and {right:.0f}" for name, (left, right) in pairs.items() if left != right]


def describe(outcomes: Sequence[Outcome], seconds: float, load_average: float) -> str:
    """The part of the page."""
    head = (
        f"`python -m tests.gateway.failover --seconds {seconds:g}`; half of {REQUESTS_PER_SECOND:g} requests/s to the "
        f"canary, which fails over to stable. Load average before it ran: {load_average:.1f}.\n"
    )
    tail = (
        "\nFailed: users' requests without a good answer. Attempts, failures, second attempts and those that stable "
        "failed as well are the\ngateway's counts; exact means that they equal the generator's and the pods' own, each "
        f"of them. A hanging canary is cut after {ATTEMPT_TIMEOUT_SECONDS * 1000:.0f} ms\n(`attemptTimeout`)."
    )
    return "\n".join([head, HEAD, *(outcome.row() for outcome in outcomes), tail])


def main(arguments: Sequence[str]) -> int:
    """Write the table; 1 when a user saw a failure of the canary, or a count is not exact."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.failover")
    parser.add_argument("--seconds", type=float, default=10.0, help="of load in each variant")
    seconds = parser.parse_args(arguments).seconds
    load_average = os.getloadavg()[2]
    outcomes: list[Outcome] = []
    with Envoy() as envoy:
        for variant in VARIANTS:
            outcomes.append(run_variant(envoy, variant, seconds))
            print(outcomes[-1].row(), flush=True)
    PAGE.write_text(with_part(PAGE.read_text(), "failover", describe(outcomes, seconds, load_average)))
    bad = [
        outcome
        for outcome in outcomes
        if outcome.differences or (outcome.report.failed and not outcome.variant.stable_fail_percent)
    ]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
