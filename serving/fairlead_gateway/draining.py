"""The end of a gateway pod: nobody is sent here any more, who is here is answered, and then Envoy may go."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from fairlead_gateway.envoy.listeners import STAT_PREFIX
from fairlead_gateway.envoy_admin import SOCKET, AdminError, EnvoyAdmin
from fairlead_gateway.files import read_file, write_file

FORGOTTEN_SECONDS = 5.0
"""How long proxies and load balancers may take to forget the pod."""
IN_FLIGHT_SECONDS = 30.0
LOOK_SECONDS = 0.2
MARK = "draining"
_ACTIVE = f"http.{STAT_PREFIX}.downstream_rq_active"

_log = logging.getLogger(__name__)


async def drain(directory: Path, clock: Callable[[], float]) -> None:
    """Return when the pod may go: after FORGOTTEN_SECONDS, and when no request is in flight or time is up.

    Envoy asks its clients to close their connections with the next answer, and goes on to accept: until the last proxy
    has forgotten the pod, new connections come. An Envoy that does not answer has nothing left to drain.
    """
    admin = EnvoyAdmin(directory / SOCKET)
    started = clock()
    try:
        write_file(directory / MARK, _mark(admin))
        await admin.post("/drain_listeners?graceful&skip_exit")
        await asyncio.sleep(FORGOTTEN_SECONDS)
        while True:
            active = await _active(admin)
            if not active or clock() - started >= FORGOTTEN_SECONDS + IN_FLIGHT_SECONDS:
                break
            await asyncio.sleep(LOOK_SECONDS)
        _log.info("drained", extra={"seconds": round(clock() - started, 1), "in_flight": active})
    except AdminError as error:
        _log.warning("nothing to drain", extra={"cause": str(error)})
    finally:
        await admin.close()


def is_draining(directory: Path, admin: EnvoyAdmin) -> bool:
    """Whether this Envoy is on its way out. One that was started since takes no notice of an old mark."""
    return read_file(directory / MARK) == _mark(admin)


def _mark(admin: EnvoyAdmin) -> str:
    return repr(admin.started_at())


async def _active(admin: EnvoyAdmin) -> int:
    """Requests in flight."""
    answer = await admin.get_json(f"/stats?format=json&filter=^{_ACTIVE.replace('.', '[.]')}$")
    return sum(int(item.get("value", 0)) for item in answer.get("stats", ()) if item.get("name") == _ACTIVE)
