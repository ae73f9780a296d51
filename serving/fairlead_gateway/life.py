"""The process beside Envoy: its parts put together, from start to SIGTERM."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any

import aiohttp

from fairlead_gateway.answering import Answer, Bounds, Port, Request
from fairlead_gateway.api import ApiError, KubeApi
from fairlead_gateway.bootstrap import BOOTSTRAP_FILE, render_bootstrap
from fairlead_gateway.claims import parse_claim
from fairlead_gateway.envoy_admin import SOCKET, AdminError, EnvoyAdmin
from fairlead_gateway.evidence import Evidence
from fairlead_gateway.files import read_file, write_file
from fairlead_gateway.gateway import Gateway
from fairlead_gateway.heard import slim_slice
from fairlead_gateway.probes import Probes
from fairlead_gateway.settings import Settings
from fairlead_gateway.tokens import Issuer, KeysUnavailable, TokenCheck, parse_issuer
from fairlead_gateway.watching import Watcher

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_log = logging.getLogger(__name__)


async def serve(settings: Settings) -> int:
    """Render until SIGTERM or SIGINT; the exit code. Raises OSError for a port or a folder that is not to be had."""
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    admin = EnvoyAdmin(settings.directory / SOCKET)
    gateway = Gateway(settings.directory, admin, time.monotonic, listen_address())
    gateway.prepare()
    _write_bootstrap(settings)  # last: Envoy may start as soon as it is there
    async with aiohttp.ClientSession() as session:
        api = KubeApi(session, settings.api)
        watchers = _watchers(settings, api, gateway)
        metrics, evidence = _ports(settings, api, admin, gateway, watchers)
        try:
            port = await metrics.open(settings.metrics_port)
            _log.info("listening", extra={"metrics": port, "evidence": await evidence.open(settings.evidence_port)})
            code = await _until_stopped(stop, [gateway.run(), *(watcher.run() for watcher in watchers)])
        finally:
            await metrics.close()
            await evidence.close()
            await admin.close()
    _log.info("stopped", extra={"exit_code": code})
    return code


def listen_address() -> str:
    """All of the pod's addresses: of both families where there are two."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return "0.0.0.0"
    return "::"


def _write_bootstrap(settings: Settings) -> None:
    path, text = settings.directory / BOOTSTRAP_FILE, render_bootstrap(str(settings.directory))
    if read_file(path) != text:
        write_file(path, text)


def _watchers(settings: Settings, api: KubeApi, gateway: Gateway) -> list[Watcher]:
    claims = f"/apis/fairlead.dev/v1alpha1/namespaces/{settings.namespace}/modeldeployments"
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{settings.namespace}/endpointslices"
    return [
        Watcher(api, claims, parse_claim, gateway.claims, time.monotonic),
        Watcher(api, slices, slim_slice, gateway.slices, time.monotonic),
    ]


def _ports(
    settings: Settings, api: KubeApi, admin: EnvoyAdmin, gateway: Gateway, watchers: list[Watcher]
) -> tuple[Port, Port]:
    """The ports `metrics` and `evidence`."""
    evidence = Evidence(admin, gateway, time.monotonic)
    probes = Probes(settings.directory, admin, gateway, watchers)
    tokens = TokenCheck(settings.evidence_subject, lambda: fetch_issuer(api), time.monotonic)

    async def answer_metrics(request: Request) -> Answer:
        match request.path:
            case "/metrics":
                return await _exposed(evidence.metrics)
            case "/livez":
                return probes.live()
            case "/readyz":
                return await probes.ready()
        return _NOT_FOUND

    async def answer_evidence(request: Request) -> Answer:
        if request.path != "/evidence":
            return _NOT_FOUND
        if refusal := await tokens.check(request.headers.get("authorization")):
            _log.warning("evidence refused", extra={"reason": refusal})
            headers = {"WWW-Authenticate": "Bearer"}
            return Answer(HTTPStatus.UNAUTHORIZED, f"{refusal}\n", headers=headers)
        return await _exposed(evidence.evidence)

    bounds = Bounds()
    return Port(answer_metrics, bounds), Port(answer_evidence, bounds)


_NOT_FOUND = Answer(HTTPStatus.NOT_FOUND, "not found\n")


async def _exposed(read: Callable[[], Awaitable[str]]) -> Answer:
    try:
        return Answer(HTTPStatus.OK, await read(), METRICS_TYPE)
    except AdminError as error:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, f"Envoy does not answer: {error}\n")


async def fetch_issuer(api: KubeApi) -> Issuer:
    """The cluster's name and keys as every ServiceAccount may read them. Raises KeysUnavailable."""
    try:
        return parse_issuer(await api.get("/.well-known/openid-configuration"), await api.get("/openid/v1/jwks"))
    except ApiError as error:
        _log.warning("keys unavailable", extra={"cause": str(error)})
        raise KeysUnavailable(str(error)) from error


async def _until_stopped(stop: asyncio.Event, parts: list[Coroutine[Any, Any, None]]) -> int:
    """0 when told to stop; 1 when a part has ended, which none should."""
    stopping = asyncio.create_task(stop.wait())
    tasks = [asyncio.create_task(part) for part in parts]
    await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    code = 0 if stop.is_set() else 1
    for task in tasks:
        if task.done() and (error := task.exception()) is not None:
            _log.error("a part has failed", exc_info=error)
        task.cancel()
    stopping.cancel()
    await asyncio.gather(stopping, *tasks, return_exceptions=True)
    return code
