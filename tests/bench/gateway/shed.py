"""A canary that turns bad with no operator anywhere: how many requests it still gets, second by second."""

import json
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import httpx

from tests.bench.evidence.drawing import Axis, Line, chart
from tests.bench.gateway.plane import FIRST_PORT, plane, traffic
from tests.bench.gateway.process import backend, gateway, url
from tests.cluster.masters import free_ports
from tests.cluster.progress import pause
from tests.load import LoadPlan, background_load

NAME = "model-000"
RATE = 200
CANARY_PERCENT = 50
GOOD_SECONDS, BAD_SECONDS, HEALED_SECONDS = 8, 24, 14
SHARES = (0.3, 1.0)


@dataclass(frozen=True)
class Shedding:
    """One run. attempts: what the canary's own pod counted in each second; it failed `fail_share` of them while bad.

    bad_from, bad_until: seconds after the start. sent, failed: the users' requests, as the load counted them.
    """

    fail_share: float
    bad_from: int
    bad_until: int
    attempts: tuple[int, ...]
    failures: tuple[int, ...]
    sent: int
    failed: int
    load_average: float
    """Of the machine, over the minute before."""

    @property
    def before_per_second(self) -> float:
        """Attempts on the canary while it was good."""
        return sum(self.attempts[1 : self.bad_from]) / (self.bad_from - 1)

    @property
    def while_bad_per_second(self) -> float:
        """Attempts on the canary from the third second on that it was bad: by then it has been ejected."""
        seen = self.attempts[self.bad_from + 2 : self.bad_until]
        return sum(seen) / len(seen)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Shedding":
        """Read what `to_json` wrote."""
        found = json.loads(text)
        return cls(**{**found, "attempts": tuple(found["attempts"]), "failures": tuple(found["failures"])})


def by_second(counts: Mapping[str, int], started: float, seconds: int) -> tuple[int, ...]:
    """A pod's counts by the second since 1970 as counts by the second since the start."""
    return tuple(counts.get(str(int(started) + second), 0) for second in range(seconds))


def measure_shedding(fail_share: float) -> Shedding:
    """The gateway, a good stable and a canary with half of the requests; no operator is there to act."""
    stable_port, canary_port = free_ports(2)
    seconds = GOOD_SECONDS + BAD_SECONDS + HEALED_SECONDS
    load_average = os.getloadavg()[0]
    with ExitStack() as stack:
        found = stack.enter_context(plane())
        stack.enter_context(backend(stable_port, core=None))
        canary = stack.enter_context(backend(canary_port, core=None))
        found.fleet(1, {"stable": stable_port, "canary": canary_port})
        found.write_traffic(NAME, traffic(NAME, FIRST_PORT, canary_percent=CANARY_PERCENT, generation=2))
        stack.enter_context(gateway(found, core=None))
        pause(1.0 - time.time() % 1.0)  # the pods count by whole seconds
        started = time.time()
        plan = LoadPlan(url=url(), rate=RATE, seconds=seconds, keepalive_connections=40)
        load = stack.enter_context(background_load(plan))
        _until(started + GOOD_SECONDS)
        _tell(canary, fail=fail_share)
        _until(started + GOOD_SECONDS + BAD_SECONDS)
        _tell(canary, fail=0)
        report = load.finish()
        print(f"[gateway] the canary fails {fail_share:.0%}: {report.describe()}", flush=True)
        counts = httpx.get(f"{canary}/-/counts", timeout=10, trust_env=False).json()
    attempts, failures = (by_second(counts[name], started, seconds) for name in ("answers", "failures"))
    until = GOOD_SECONDS + BAD_SECONDS
    return Shedding(
        fail_share, GOOD_SECONDS, until, attempts, failures, report.sent, report.failed, round(load_average, 1)
    )


def _until(moment: float) -> None:
    pause(max(0.0, moment - time.time()))


def _tell(canary: str, *, fail: float) -> None:
    httpx.get(f"{canary}/-/behave", params={"fail": fail}, timeout=10, trust_env=False).raise_for_status()


def picture(runs: list[Shedding]) -> str:
    """Attempts on the canary over time, as an SVG."""
    seconds = len(runs[0].attempts)
    lines = [
        Line(
            f"fails {run.fail_share * 100:.0f} % of them",
            [(second, count) for second, count in enumerate(run.attempts)],
        )
        for run in runs
    ]
    top = max(max(run.attempts) for run in runs)
    lines += [
        Line(name, [(moment, 0.0), (moment, float(top))], dashed=True)
        for name, moment in (("turns bad", runs[0].bad_from), ("is good again", runs[0].bad_until))
    ]
    return chart(
        f"A bad canary with {CANARY_PERCENT} % of {RATE} requests/s, no operator running",
        Axis("seconds", 0, seconds, range(0, seconds + 1, 10)),
        Axis("attempts on the canary, a second", 0, top, range(0, top + 1, 20)),
        lines,
    )


def table(runs: list[Shedding]) -> str:
    """Before and after, and what users saw."""
    head = (
        "| the canary fails | attempts/s on it before | while bad, from the third second | users' requests | failed |"
    )
    rows = [
        f"| {run.fail_share * 100:.0f} % | {run.before_per_second:.0f} | {run.while_bad_per_second:.1f} "
        f"| {run.sent:,} | {run.failed} |"
        for run in runs
    ]
    return "\n".join([head, "| ---: |" + " ---: |" * 4, *rows]) + "\n"
