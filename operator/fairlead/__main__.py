"""The composition root: settings -> adapters -> loop. `python -m fairlead [--config FILE]`.

`python -m fairlead replay FILE` and `python -m fairlead simulate` run no operator: see `fairlead.cli`.
"""

import argparse
import asyncio
import logging
import os
import random  # noqa: TID251 -- the one place that draws numbers
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import kopf
from aiohttp import web

from fairlead import __version__
from fairlead.adapters.clock import SystemClock
from fairlead.adapters.connection import Connection, connect
from fairlead.adapters.gateways import HttpGateways, TokenFile
from fairlead.adapters.kubernetes import KubernetesCluster
from fairlead.adapters.lease import Elector
from fairlead.api.kinds import MODEL_DEPLOYMENT, OWNED
from fairlead.cli import replay, simulate
from fairlead.from_settings import (
    allowed,
    gateway_defaults,
    lease_terms,
    mlflow,
    prometheus,
    render_defaults,
    rollout_limits,
    second_source,
)
from fairlead.ports import Cluster
from fairlead.settings import InvalidSettings, Settings, read_settings
from fairlead.shell.apply import Applier
from fairlead.shell.cache import Cache
from fairlead.shell.dependencies import INTERVAL_SECONDS, Check, Dependencies
from fairlead.shell.gateways import Gateways
from fairlead.shell.gather import Frame, Gatherer
from fairlead.shell.handlers import register, watch
from fairlead.shell.health import Probes, build_app
from fairlead.shell.keys import Key, gateway_key
from fairlead.shell.logs import configure_logs
from fairlead.shell.loop import Loop
from fairlead.shell.models import Models
from fairlead.shell.queue import WorkQueue
from fairlead.shell.reports import Reports
from fairlead.shell.resync import Resync
from fairlead.shell.rollouts import Rollouts
from fairlead.shell.signals import told_to_stop
from fairlead.shell.sweep import Sweep
from fairlead.shell.telemetry import Telemetry
from fairlead.shell.telling import Teller

log = logging.getLogger("fairlead")

HTTP_PORT = 8080
EVIDENCE_TOKEN = "/var/run/secrets/fairlead/evidence/token"  # noqa: S105 -- where it is
"""The token that gateways know the operator by; projected by the chart."""
JITTER = 0.2
READS_JITTER = 0.05
"""A look at a rollout that comes more than a tenth too early waits with what it saw for the next one."""
COMMANDS = {"replay": replay.main, "simulate": simulate.main}


def spread(seconds: float, most: float = JITTER) -> float:
    """A delay a little shorter or longer, so that many keys do not come back at the same moment."""
    return seconds * (1 + most * (2 * random.random() - 1))  # noqa: S311 -- no secret hangs on it


class Operator:
    """Everything wired together."""

    def __init__(self, settings: Settings, connection: Connection, port: int) -> None:
        self._settings = settings
        self._port = port
        clock = SystemClock()
        self._telemetry = Telemetry()
        always = KubernetesCluster(connection, may_write=lambda: True, observe=self._telemetry.requested)
        self._elector = Elector(always, clock, lease_terms(settings, os.environ))
        cluster = KubernetesCluster(connection, may_write=self._elector.holds, observe=self._telemetry.requested)
        self._registry = mlflow(settings, clock, self._telemetry.asked_registry)
        self._prometheus = prometheus(settings)
        self._dependencies = Dependencies(self._checks(), clock, self._telemetry)
        self._cache = Cache()
        self._queue = WorkQueue(clock, jitter=spread)
        self._resync = self._lists(cluster, clock)
        self._models = Models(self._registry, self._queue, poll_seconds=settings.registry.poll_seconds, jitter=spread)
        self._gateways = Gateways(self._queue)
        self._rollouts = Rollouts(self._cache, rollout_limits(settings))
        self._evidence = HttpGateways(TokenFile(Path(os.environ.get("EVIDENCE_TOKEN_FILE", EVIDENCE_TOKEN))))
        self._reports = self._follow_gateways(clock)
        self._gatherer = Gatherer(
            self._cache,
            cluster,
            self._registry,
            clock,
            self._models,
            gateways=self._gateways,
            rollouts=self._rollouts,
            reports=self._reports,
        )
        self._sweep = Sweep(self._registry, self._cache, clock)
        applier = self._writer(cluster, clock)
        self._teller = self._tell_registry(applier, clock)
        self._loop = Loop(
            queue=self._queue,
            cache=self._cache,
            gatherer=self._gatherer,
            applier=applier,
            clock=clock,
            telemetry=self._telemetry,
            frame=self._frame,
            gone=self._gone,
            gateways=self._gateways,
            rollouts=self._rollouts,
        )

    def _tell_registry(self, applier: Applier, clock: SystemClock) -> Teller:
        return Teller(
            cache=self._cache,
            queue=self._queue,
            rollouts=self._rollouts,
            registry=self._registry,
            applier=applier,
            clock=clock,
            allowed=allowed(self._settings),
            moved=self._models.ask_again,
        )

    def _writer(self, cluster: Cluster, clock: SystemClock) -> Applier:
        count = self._telemetry.rollout_counts.count
        return Applier(self._cache, cluster, self._registry, clock, self._models.ask_again, written=count)

    def _lists(self, cluster: Cluster, clock: SystemClock) -> Resync:
        return Resync(
            cluster=cluster,
            cache=self._cache,
            queue=self._queue,
            clock=clock,
            telemetry=self._telemetry,
            namespaces=self._settings.watch_namespaces,
        )

    def _follow_gateways(self, clock: SystemClock) -> Reports:
        return Reports(
            self._evidence,
            self._queue,
            clock,
            self._telemetry,
            pods=lambda namespace: self._cache.members(gateway_key(namespace)),
            jitter=partial(spread, most=READS_JITTER),
            second=second_source(self._settings, self._prometheus, clock, self._telemetry),
        )

    def _gone(self, key: Key) -> None:
        self._models.forget(key)
        self._gatherer.forget(key)
        if key.kind == MODEL_DEPLOYMENT.kind:
            self._gateways.gone(key)
        self._sweep.nudge(key)

    def _checks(self) -> dict[str, Check]:
        configured = {
            "mlflow": (self._settings.registry.url, self._registry.check),
            "prometheus": (self._settings.prometheus.url, self._prometheus.check),
        }
        return {name: check for name, (url, check) in configured.items() if url}

    def _frame(self) -> Frame:
        return Frame(
            defaults=render_defaults(self._settings),
            gateway=gateway_defaults(self._settings, os.environ),
            allowed=allowed(self._settings),
            retirement_grace_seconds=self._settings.retirement_grace_seconds,
            epoch=self._elector.epoch,
            operator_id=self._elector.uid,
        )

    def _phases(self) -> Iterator[tuple[str, str]]:
        for resource in OWNED:
            for body in self._cache.of_kind(resource.kind):
                yield resource.kind, str((body.get("status") or {}).get("phase", ""))

    def _metrics(self) -> bytes:
        return self._telemetry.render(
            self._queue,
            self._phases,
            deployments=lambda: self._cache.of_kind(MODEL_DEPLOYMENT.kind),
            leader=self._elector.holds(),
        )

    async def _serve_http(self) -> web.AppRunner:
        probes = Probes(
            synced=lambda: self._resync.synced,
            leading=self._elector.holds,
            oldest_seconds=self._queue.oldest_seconds,
            deaf_kinds=self._resync.deaf_kinds,
            metrics=self._metrics,
        )
        runner = web.AppRunner(build_app(probes), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, port=self._port).start()
        return runner

    async def _lead(self) -> None:
        """Fill the cache, wait for the lease, work. Ends when the lease is lost."""
        await self._resync.first()
        election = asyncio.create_task(self._elector.run(), name="elector")
        work = asyncio.create_task(self._work(), name="work")
        try:
            done, _ = await asyncio.wait({election, work}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (work, election):
                task.cancel()
            await asyncio.gather(work, election, return_exceptions=True)
            await self._elector.release()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._resync.run(spread(self._settings.resync_seconds)), name="resync")
            group.create_task(self._dependencies.run(spread(INTERVAL_SECONDS)), name="dependencies")
            await self._elector.elected.wait()
            await self._resync.renew(MODEL_DEPLOYMENT)
            group.create_task(self._models.run(), name="models")
            group.create_task(self._reports.run(), name="reports")
            group.create_task(self._loop.run(self._settings.concurrency), name="loop")
            group.create_task(self._teller.run(self._elector.uid), name="teller")
            group.create_task(self._sweep.run(self._elector.uid, self._settings.resync_seconds), name="sweep")

    async def run(self) -> int:
        """Until told to stop (0), or until the lease or a watch is lost (1): the kubelet starts the process anew."""
        runner = await self._serve_http()
        registry = kopf.get_default_registry()
        register(registry, self._cache, self._queue)
        lead = asyncio.create_task(self._lead(), name="lead")
        # Kopf ends every task that was started after its own; ours was started before.
        await asyncio.sleep(0)
        ready = asyncio.Event()
        watching = asyncio.create_task(watch(registry, self._settings.watch_namespaces, ready), name="watch")
        told = asyncio.create_task(told_to_stop(ready), name="signals")
        try:
            done, _ = await asyncio.wait({lead, watching, told}, return_when=asyncio.FIRST_COMPLETED)
            if lead in done:
                lead.result()
                return 1
            for task in done:
                task.result()
            return 0
        finally:
            # The lease goes back before the watch streams end: the standby waits for nothing else.
            for task in (told, lead, watching):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await self._registry.close()
            await self._prometheus.close()
            await self._evidence.close()
            await runner.cleanup()


def main() -> int:
    """Entry point."""
    if sys.argv[1:] and sys.argv[1] in COMMANDS:
        return COMMANDS[sys.argv[1]](sys.argv[2:])
    parser = argparse.ArgumentParser(
        prog="fairlead",
        description="The Fairlead operator.",
        epilog="fairlead replay FILE and fairlead simulate judge rollouts without a cluster (--help).",
    )
    parser.add_argument("--config", type=Path, help="settings file (YAML); the defaults when absent")
    parser.add_argument("--port", type=int, default=HTTP_PORT, help="port of /healthz, /readyz and /metrics")
    parser.add_argument("--version", action="version", version=__version__)
    arguments = parser.parse_args()
    try:
        settings = read_settings(arguments.config)
    except (InvalidSettings, OSError) as error:
        print(f"fairlead: {error}", file=sys.stderr)
        return 2
    configure_logs(settings.log_level)
    log.info("starting", extra={"version": __version__, "namespaces": list(settings.watch_namespaces) or "all"})
    return asyncio.run(_operate(settings, arguments.port))


async def _operate(settings: Settings, port: int) -> int:
    """An operator's whole life. Its HTTP clients belong to the event loop that they are made in."""
    return await Operator(settings, connect(), port).run()


if __name__ == "__main__":
    sys.exit(main())
