"""What the kubelet asks: does this process live, and may users be sent to this pod."""

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

from fairlead_gateway.answering import Answer
from fairlead_gateway.draining import is_draining
from fairlead_gateway.envoy_admin import AdminError, EnvoyAdmin
from fairlead_gateway.gateway import Gateway
from fairlead_gateway.watching import Watcher


class Probes:
    """Answers /livez and /readyz. That they are answered at all says that the event loop turns."""

    def __init__(self, directory: Path, admin: EnvoyAdmin, gateway: Gateway, watchers: Sequence[Watcher]) -> None:
        self._directory = directory
        self._admin = admin
        self._gateway = gateway
        self._watchers = watchers

    def live(self) -> Answer:
        """503 when a watch can no longer be relied upon. An API server that is away is nothing that a restart heals."""
        return _verdict([reason for watcher in self._watchers if (reason := watcher.deaf())])

    async def ready(self) -> Answer:
        """503 until Envoy has the first complete configuration, and once this Envoy drains."""
        if not self._gateway.standing.complete:
            return _verdict(["the first configuration is not complete"])
        if is_draining(self._directory, self._admin):
            return _verdict(["draining"])
        try:
            await self._admin.get("/ready")
        except AdminError as error:
            return _verdict([f"Envoy is not ready: {error}"])
        return _verdict([])


def _verdict(reasons: Sequence[str]) -> Answer:
    if reasons:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, "".join(f"{reason}\n" for reason in reasons))
    return Answer(HTTPStatus.OK, "ok\n")
