"""The composition root: settings -> adapters -> loop. `python -m fairlead [--config FILE]`.

`python -m fairlead replay FILE` and `python -m fairlead simulate` run no operator: see `fairlead.cli`.
"""

import argparse
import asyncio
import logging
import os
import random  # noqa: TID251 -- the one place that draws numbers
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import kopf
from aiohttp import web

from fairlead import __version__
from fairlead.adapters.clock import SystemClock
from fairlead.adapters.connection import Connection, connect
from fairlead.adapters.credentials import metrics_credentials, registry_credentials
from fairlead.adapters.kubernetes import KubernetesCluster
from fairlead.adapters.lease import Elector, LeaseTerms
from fairlead.adapters.mlflow import MlflowRegistry
from fairlead.adapters.prometheus import PrometheusMetrics
from fairlead.api.kinds import OWNED
from fairlead.cli import replay, simulate
from fairlead.core.world import Allowed, ModelRule
from fairlead.render.defaults import RenderDefaults
from fairlead.settings import InvalidSettings, Settings, read_settings
from fairlead.shell.apply import Applier
from fairlead.shell.cache import Cache
from fairlead.shell.dependencies import INTERVAL_SECONDS, Check, Dependencies
from fairlead.shell.gather import Frame, Gatherer
from fairlead.shell.handlers import register, watch
from fairlead.shell.health import Probes, build_app
from fairlead.shell.keys import Key
from fairlead.shell.logs import configure_logs
from fairlead.shell.loop import Loop
from fairlead.shell.models import Models
from fairlead.shell.queue import WorkQueue
from fairlead.shell.resync import Resync
from fairlead.shell.sweep import Sweep
from fairlead.shell.telemetry import Telemetry

log = logging.getLogger("fairlead")

HTTP_PORT = 8080
JITTER = 0.2
COMMANDS = {"replay": replay.main, "simulate": simulate.main}


def spread(seconds: float) -> float:
    """A delay up to 20 % shorter or longer, so that many keys do not come back at the same moment."""
    return seconds * (1 + JITTER * (2 * random.random() - 1))  # noqa: S311 -- no secret hangs on it


class Operator:
    """Everything wired together."""

    def __init__(self, settings: Settings, connection: Connection, port: int) -> None:
        self._settings = settings
        self._port = port
        clock = SystemClock()
        self._telemetry = Telemetry()
        always = KubernetesCluster(connection, may_write=lambda: True, observe=self._telemetry.requested)
        self._elector = Elector(always, clock, _terms(settings))
        cluster = KubernetesCluster(connection, may_write=self._elector.holds, observe=self._telemetry.requested)
        self._registry = MlflowRegistry(
            settings.registry.url,
            clock,
            authorization=registry_credentials(settings.registry.credentials_dir).authorization,
            observe=self._telemetry.asked_registry,
        )
        self._prometheus = PrometheusMetrics(
            settings.prometheus.url,
            authorization=metrics_credentials(settings.prometheus.credentials_dir).authorization,
        )
        self._dependencies = Dependencies(self._checks(), clock, self._telemetry)
        self._cache = Cache()
        self._queue = WorkQueue(clock, jitter=spread)
        self._resync = Resync(
            cluster=cluster,
            cache=self._cache,
            queue=self._queue,
            clock=clock,
            telemetry=self._telemetry,
            namespaces=settings.watch_namespaces,
        )
        self._models = Models(self._registry, self._queue, poll_seconds=settings.registry.poll_seconds, jitter=spread)
        self._sweep = Sweep(self._registry, self._cache, clock)
        self._loop = Loop(
            queue=self._queue,
            cache=self._cache,
            gatherer=Gatherer(self._cache, cluster, self._registry, clock, self._models),
            applier=Applier(self._cache, cluster, self._registry, clock, self._models.ask_again),
            clock=clock,
            telemetry=self._telemetry,
            frame=self._frame,
            gone=self._gone,
        )

    def _gone(self, key: Key) -> None:
        self._models.forget(key)
        self._sweep.nudge(key)

    def _checks(self) -> dict[str, Check]:
        configured = {
            "mlflow": (self._settings.registry.url, self._registry.check),
            "prometheus": (self._settings.prometheus.url, self._prometheus.check),
        }
        return {name: check for name, (url, check) in configured.items() if url}

    def _frame(self) -> Frame:
        settings = self._settings
        return Frame(
            defaults=RenderDefaults(
                serving_image=settings.serving.image,
                image_pull_policy=settings.serving.image_pull_policy,
                registry_pod_url=settings.registry.pod_url or settings.registry.url,
                baseline_namespaces=settings.pod_security.baseline_namespaces,
                registry_pod_secret=settings.registry.pod_secret_name,
                allow_pickle=settings.serving.allow_pickle,
            ),
            allowed=_allowed(settings),
            retirement_grace_seconds=settings.retirement_grace_seconds,
            epoch=self._elector.epoch,
            operator_id=self._elector.uid,
        )

    def _phases(self) -> Iterator[tuple[str, str]]:
        for resource in OWNED:
            for body in self._cache.of_kind(resource.kind):
                yield resource.kind, str((body.get("status") or {}).get("phase", ""))

    def _metrics(self) -> bytes:
        return self._telemetry.render(self._queue, self._phases, leader=self._elector.holds())

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
            group.create_task(self._models.run(), name="models")
            group.create_task(self._loop.run(self._settings.concurrency), name="loop")
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
        told = asyncio.create_task(_told_to_stop(ready), name="signals")
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
            await runner.cleanup()


async def _told_to_stop(ready: asyncio.Event) -> None:
    """Returns at SIGTERM or SIGINT. Takes Kopf's place once it is set up: Kopf gives running tasks five seconds."""
    await ready.wait()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()
    log.info("told to stop")


def _allowed(settings: Settings) -> Allowed:
    return Allowed(
        settings.allowed.images,
        settings.allowed.secrets,
        settings.allowed.service_accounts,
        tuple(ModelRule(rule.namespaces, rule.models) for rule in settings.registry_rules()),
    )


def _terms(settings: Settings) -> LeaseTerms:
    return LeaseTerms(
        namespace=os.environ.get("POD_NAMESPACE", "default"),
        name=settings.lease.name,
        identity=f"{os.environ.get('POD_NAME', socket.gethostname())}-{os.getpid()}",
        duration_seconds=settings.lease.duration_seconds,
        renew_seconds=settings.lease.renew_seconds,
        retry_seconds=settings.lease.retry_seconds,
    )


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
    return asyncio.run(Operator(settings, connect(), arguments.port).run())


if __name__ == "__main__":
    sys.exit(main())
