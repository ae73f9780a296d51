"""The server's life: listen, load, serve, drain."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from fairlead_serving.app import build_app
from fairlead_serving.download import ensure_model
from fairlead_serving.errors import LoadError
from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.metrics import Metrics
from fairlead_serving.mlmodel import read_mlmodel
from fairlead_serving.settings import Settings
from fairlead_serving.termination import LOAD_FAILED_EXIT_CODE, write_termination

if TYPE_CHECKING:
    from fairlead_serving.backend import Model

KEEP_ALIVE_SECONDS = 75
"""Longer than clients' pools usually keep an idle connection: the side that closes first loses no request."""

_log = logging.getLogger(__name__)


class _Http(uvicorn.Server):
    """Uvicorn without its signal handlers: by itself it closes the listener as soon as SIGTERM comes."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(port: int) -> socket.socket:
    """A listening socket on all addresses, of both families where the machine has both. Raises OSError."""
    if socket.has_dualstack_ipv6():
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048)
    else:
        listener = socket.create_server(("0.0.0.0", port), backlog=2048)
    # Connections inherit it. asyncio sets it only where the protocol is given by number; without, every answer that
    # takes two writes waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. The exit code: 0 after a drain, LOAD_FAILED_EXIT_CODE without a model."""
    lifecycle = Lifecycle()
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    with ThreadPoolExecutor(1, "predict") as threads, listen(settings.port) as listener:
        app = build_app(settings, lifecycle, Metrics(settings, lifecycle), threads)
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_keep_alive=KEEP_ALIVE_SECONDS)
        http = _Http(config)
        answering = asyncio.create_task(http.serve([listener]))
        _log.info("listening", extra={"port": listener.getsockname()[1]})
        code = await _load_then_wait(settings, lifecycle, threads, stop)
        http.should_exit = True
        await answering
    _log.info("stopped", extra={"exit_code": code})
    return code


async def _load_then_wait(settings: Settings, lifecycle: Lifecycle, threads: Executor, stop: asyncio.Event) -> int:
    loading = asyncio.create_task(_load(settings, threads))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not loading.done():
        # Nobody was sent here yet, so there is nobody to wait for.
        loading.cancel()
        return 0
    try:
        lifecycle.loaded(loading.result())
    except LoadError as error:
        stopping.cancel()
        _log.error("model not loaded", extra={"reason": error.reason, "cause": str(error)})
        write_termination(settings.termination_log, error.reason, str(error))
        return LOAD_FAILED_EXIT_CODE
    _log.info("ready", extra={"model": settings.model_name, "version": settings.model_version})
    await stopping
    lifecycle.drain()
    _log.info("draining", extra={"delay_seconds": settings.drain_delay_seconds})
    await asyncio.sleep(settings.drain_delay_seconds)
    return 0


async def _load(settings: Settings, threads: Executor) -> "Model":
    await ensure_model(settings, settings.model_dir)
    return await asyncio.get_running_loop().run_in_executor(threads, _load_from_disk, settings)


def _load_from_disk(settings: Settings) -> "Model":
    # Imported here, in the thread: pandas and scikit-learn take seconds, and liveness has to answer meanwhile.
    from fairlead_serving.backend import load_model, warm_up  # noqa: PLC0415

    spec = read_mlmodel(settings.model_dir)
    model = load_model(settings.model_dir, spec, allow_pickle=settings.allow_pickle, max_bytes=settings.max_model_bytes)
    rows = warm_up(model, settings.model_dir, spec)
    _log.info("model loaded", extra={"warm_up_rows": rows, "sklearn_version": spec.sklearn_version})
    return model
