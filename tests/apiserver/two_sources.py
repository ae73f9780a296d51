"""The operator's reader with both of its sources, and what a rollout counts of what it says."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping

from tests.apiserver.gateway_served import Served
from tests.apiserver.gateway_world import GatewayWorld

from fairlead.adapters.clock import SystemClock
from fairlead.adapters.gateways import HttpGateways
from fairlead.adapters.prometheus import PrometheusMetrics
from fairlead.api.gateway_evidence import PodEvidence
from fairlead.core.evidence.counting import Kept, absorb
from fairlead.core.rollout.arms import Contest
from fairlead.core.rollout.looks import make_sample
from fairlead.shell.queue import WorkQueue
from fairlead.shell.reports import Reports
from fairlead.shell.second_source import SecondSource
from fairlead.shell.telemetry import Telemetry

POD = "gateway-1"
STALE_SECONDS = 6.0


class Ledger:
    """Counts as a rollout does, one look after the other."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._contest = Contest(served.revision("canary"), served.revision("stable"))
        self._kept: tuple[Kept, ...] = ()
        self.attempts = 0
        self.failures = 0

    def look(self, pods: Mapping[str, PodEvidence]) -> int:
        """One look; all attempts so far."""
        sample = make_sample(pods, self._served.name, self._contest, now_seconds=time.time())
        self._kept, looks, _ = absorb(self._kept, sample.readings)
        self.attempts += sum(one.candidate.attempts + one.stable.attempts for one in looks)
        self.failures += sum(one.candidate.failures for one in looks)
        return self.attempts


@contextlib.asynccontextmanager
async def reading(world: GatewayWorld, gateways: HttpGateways, metrics: PrometheusMetrics) -> AsyncIterator[Reports]:
    """The leader's reader, with both sources."""
    body = {
        "kind": "Pod",
        "metadata": {"name": POD, "uid": "u-1", "ownerReferences": [{"kind": "ReplicaSet", "controller": True}]},
        "spec": {
            "containers": [{"ports": [{"name": "evidence", "containerPort": world.gateway.evidence_port}]}],
        },
        "status": {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    clock, telemetry = SystemClock(), Telemetry()
    reports = Reports(
        gateways,
        WorkQueue(clock, jitter=lambda seconds: seconds),
        clock,
        telemetry,
        pods=lambda _: [body],
        jitter=lambda seconds: seconds,
        second=SecondSource(metrics, clock, telemetry, stale_seconds=STALE_SECONDS),
    )
    running = asyncio.create_task(reports.run())
    yield reports
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
