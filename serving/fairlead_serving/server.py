"""The server's life: listen, load, serve, drain."""

import asyncio
import importlib
import logging
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil
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
from fairlead_serving.waiting import WaitingLine

if TYPE_CHECKING:
    from fairlead_serving.backend import Model
    from fairlead_serving.example import Example

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
    """Serve until SIGTERM or SIGINT. The exit code: 0 after a drain, LOAD_FAILED_EXIT_CODE without a model.

    Raises OSError for a port that is not free. A thread of the model may still run afterwards.
    """
    lifecycle = Lifecycle()
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    threads = ThreadPoolExecutor(1, "model")
    line = WaitingLine(threads, limit=settings.max_waiting_requests)
    metrics = Metrics(settings, lifecycle, lambda: line.in_flight)
    with listen(settings.port) as listener:
        config = uvicorn.Config(
            build_app(settings, lifecycle, metrics, line),
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=ceil(settings.request_deadline_seconds) + 1,
        )
        http = _Http(config)
        answering = asyncio.create_task(http.serve([listener]))
        _log.info("listening", extra={"port": listener.getsockname()[1]})
        code = await _load_then_wait(settings, lifecycle, metrics, threads, stop)
        http.should_exit = True
        await answering
    threads.shutdown(wait=False, cancel_futures=True)
    _log.info("stopped", extra={"exit_code": code})
    return code


async def _load_then_wait(
    settings: Settings, lifecycle: Lifecycle, metrics: Metrics, threads: Executor, stop: asyncio.Event
) -> int:
    loading = asyncio.create_task(_load(settings, threads))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not loading.done():
        # Nobody was sent here yet, so there is nobody to wait for.
        loading.cancel()
        return 0
    try:
        model, example = loading.result()
    except LoadError as error:
        stopping.cancel()
        _log.error("model not loaded", extra={"reason": error.reason, "cause": str(error)})
        write_termination(settings.termination_log, error.reason, str(error))
        return LOAD_FAILED_EXIT_CODE
    metrics.model_loaded(flavor=f"sklearn-{model.serialization}", backend="scikit-learn")
    lifecycle.loaded(model, example)
    known = {"model": settings.model_name, "version": settings.model_version, "digest": settings.model_digest}
    _log.info("ready", extra=known)
    await stopping
    lifecycle.drain()
    _log.info("draining", extra={"delay_seconds": settings.drain_delay_seconds})
    await asyncio.sleep(settings.drain_delay_seconds)
    return 0


async def _load(settings: Settings, threads: Executor) -> "tuple[Model, Example | None]":
    loop = asyncio.get_running_loop()
    # In the thread, while the files come: pandas and scikit-learn take seconds, and liveness has to answer meanwhile.
    importing = loop.run_in_executor(threads, importlib.import_module, "fairlead_serving.loading")
    await ensure_model(settings, settings.model_dir)
    spec = read_mlmodel(settings.model_dir)
    loading = await importing
    loaded: tuple[Model, Example | None] = await loop.run_in_executor(threads, loading.load_from_disk, settings, spec)
    return loaded
