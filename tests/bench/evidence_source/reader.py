"""The operator's reader alone, in a process of its own: `... reader NAMESPACES SPLIT SECONDS PORT CORE TOKEN`.

The shell's own Reports over the real adapter, with the cache of an operator that has so many namespaces; prints a
`Reading` as JSON.
"""

import asyncio
import dataclasses
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fairlead.adapters.clock import SystemClock
from fairlead.adapters.gateways import HttpGateways, TokenFile
from fairlead.shell.keys import Key
from fairlead.shell.queue import WorkQueue
from fairlead.shell.reports import Reports
from fairlead.shell.telemetry import Telemetry
from tests.bench.evidence_source.endpoints import GENERATION, NAME

PODS_EACH = 2
WARM_SECONDS = 4.0
"""Until every connection is there and the eager reads after a traffic write are over."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """What reading cost. `share`: processor time by the clock's, 0 to 1."""

    namespaces: int
    split: bool
    seconds: float
    reads: int
    failures: int
    share: float

    @property
    def reads_per_second(self) -> float:
        return self.reads / self.seconds

    @property
    def microseconds_per_read(self) -> float:
        return self.share * self.seconds * 1e6 / self.reads if self.reads else 0.0


class Counting(Telemetry):
    """Counts on its own what the operator would count."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: Counter[str] = Counter()

    def read_evidence(self, outcome: str, seconds: float) -> None:
        """One more."""
        super().read_evidence(outcome, seconds)
        self.outcomes[outcome] += 1


def address(namespace: int, pod: int) -> str:
    """Each pod has an address of its own, and so a connection."""
    number = namespace * PODS_EACH + pod
    return f"127.1.{number // 250}.{number % 250 + 1}"


def pod_bodies(namespace: int, port: int) -> list[dict[str, Any]]:
    """The gateway's pods of a namespace, as the cache has them."""
    return [
        {
            "kind": "Pod",
            "metadata": {
                "name": f"fairlead-gateway-{pod}",
                "uid": f"{namespace}-{pod}",
                "ownerReferences": [{"kind": "ReplicaSet", "controller": True}],
            },
            "spec": {"initContainers": [{"ports": [{"name": "evidence", "containerPort": port}]}]},
            "status": {"podIP": address(namespace, pod), "conditions": [{"type": "Ready", "status": "True"}]},
        }
        for pod in range(PODS_EACH)
    ]


async def read(namespaces: int, *, split: bool, seconds: float, port: int, token: Path) -> Reading:
    """Follow one ModelDeployment in each namespace; what that cost once it runs evenly."""
    clock, telemetry = SystemClock(), Counting()
    pods = {f"team-{number}": pod_bodies(number, port) for number in range(namespaces)}
    gateways = HttpGateways(TokenFile(token))
    reports = Reports(
        gateways,
        WorkQueue(clock, jitter=lambda pause: pause),
        clock,
        telemetry,
        pods=pods.__getitem__,
        jitter=lambda pause: pause * random.uniform(0.8, 1.2),  # noqa: S311 -- no secret hangs on it
    )
    running = asyncio.create_task(reports.run())
    for namespace in pods:
        reports.follow(Key("ModelDeployment", namespace, NAME), generation=GENERATION, watched=split)
    await asyncio.sleep(WARM_SECONDS)
    telemetry.outcomes.clear()
    used, began = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    share = (time.process_time() - used) / took
    outcomes = Counter(telemetry.outcomes)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await gateways.close()
    return Reading(namespaces, split, took, outcomes.total(), outcomes.total() - outcomes["ok"], share)


def main(arguments: Sequence[str]) -> None:
    """Read, and print."""
    namespaces, split, seconds, port, core, token = arguments
    os.sched_setaffinity(0, {int(core)})
    found = asyncio.run(
        read(int(namespaces), split=split == "split", seconds=float(seconds), port=int(port), token=Path(token))
    )
    print(json.dumps(dataclasses.asdict(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
