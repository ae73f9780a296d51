"""Leader election by a Lease.

As client-go does it, a foreign lease is judged by local monotonic time since it was last seen to change, so that clocks
need not agree. Unlike client-go, the holder's own validity is counted from before its request was sent, and every write
asks `holds()`: an event loop that was blocked for longer than the lease writes nothing when it wakes.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from fairlead.api.kinds import LEASE
from fairlead.errors import FairleadError
from fairlead.ports import Clock

log = logging.getLogger("fairlead.lease")


class Requests(Protocol):
    """One HTTP request to the API server."""

    async def request(self, method: str, path: str, *, body: Any = None) -> httpx.Response:
        """The answer, whatever its code."""
        ...


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """Durations in seconds; renew < duration, so that a slow renewal does not cost the lease."""

    namespace: str
    name: str
    identity: str
    duration_seconds: float
    renew_seconds: float
    retry_seconds: float


class Elector:
    """Takes the lease when it is free, keeps it while it can, says when it is lost."""

    def __init__(self, requests: Requests, clock: Clock, terms: LeaseTerms) -> None:
        self._requests = requests
        self._clock = clock
        self._terms = terms
        self._valid_until = float("-inf")
        self._seen: tuple[str, float] = ("", 0.0)
        self.epoch = 0
        self.uid = ""
        self.elected = asyncio.Event()

    def holds(self) -> bool:
        """Whether the lease is ours right now."""
        return self._clock.monotonic() < self._valid_until

    async def run(self) -> None:
        """Returns when a lease that was held is lost; the process should then end."""
        while True:
            held = self.elected.is_set()
            try:
                # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with the answer.
                async with asyncio.timeout(self._terms.retry_seconds * 2):
                    won = await self._attempt()
            except (FairleadError, TimeoutError) as error:
                log.warning("lease request failed", extra={"error": str(error) or type(error).__name__})
                won = False
            if won and not held:
                log.info("lease acquired", extra={"identity": self._terms.identity, "epoch": self.epoch})
                self.elected.set()
            if held and not self.holds():
                log.error("lease lost", extra={"identity": self._terms.identity})
                return
            wait = (
                self._terms.retry_seconds
                if not won
                else min(self._terms.renew_seconds, self._terms.duration_seconds / 3)
            )
            await self._clock.sleep(wait)

    async def release(self) -> None:
        """Hand the lease back, so that a successor need not wait."""
        if not self.holds():
            return
        with contextlib.suppress(FairleadError):
            response = await self._requests.request("GET", self._path())
            if response.status_code == 200 and self._holder(response.json()) == self._terms.identity:
                spec = {**response.json()["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                await self._requests.request("PUT", self._path(), body={**response.json(), "spec": spec})
        self._valid_until = float("-inf")

    def _path(self) -> str:
        return LEASE.path(self._terms.namespace, self._terms.name)

    @staticmethod
    def _holder(lease: Mapping[str, Any]) -> str:
        return str((lease.get("spec") or {}).get("holderIdentity") or "")

    async def _attempt(self) -> bool:
        """One try to take or renew. True when the lease is ours."""
        started = self._clock.monotonic()
        response = await self._requests.request("GET", self._path())
        if response.status_code == 404:
            return await self._write("POST", LEASE.path(self._terms.namespace), self._fresh(), started)
        if response.status_code != 200:
            log.warning("lease cannot be read", extra={"code": response.status_code})
            return False
        lease = response.json()
        mine = self._holder(lease) == self._terms.identity
        if not mine:
            self._valid_until = float("-inf")  # deposed, even if our own reckoning has seconds left
        if not mine and not self._expired(lease):
            return False
        spec = dict(lease.get("spec") or {})
        if not mine:
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = self._stamp()
        spec |= {
            "holderIdentity": self._terms.identity,
            "leaseDurationSeconds": int(self._terms.duration_seconds),
            "renewTime": self._stamp(),
        }
        return await self._write("PUT", self._path(), {**lease, "spec": spec}, started)

    def _fresh(self) -> dict[str, Any]:
        now = self._stamp()
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": self._terms.name, "namespace": self._terms.namespace},
            "spec": {
                "holderIdentity": self._terms.identity,
                "leaseDurationSeconds": int(self._terms.duration_seconds),
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": 1,
            },
        }

    def _expired(self, lease: Mapping[str, Any]) -> bool:
        """Whether the holder has let it go, or has not renewed it for its duration while we watched."""
        if not self._holder(lease):
            return True
        version = str(lease["metadata"]["resourceVersion"])
        now = self._clock.monotonic()
        if self._seen[0] != version:
            self._seen = (version, now)
            return False
        duration = float((lease.get("spec") or {}).get("leaseDurationSeconds") or self._terms.duration_seconds)
        return now - self._seen[1] > duration

    def _stamp(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.000000Z")

    async def _write(self, method: str, path: str, lease: Mapping[str, Any], started: float) -> bool:
        response = await self._requests.request(method, path, body=lease)
        if response.status_code not in (200, 201):
            return False  # someone else was first: the resourceVersion is the compare-and-swap
        written = response.json()
        self._valid_until = started + self._terms.duration_seconds
        self.epoch = int(written["spec"].get("leaseTransitions") or 0)
        self.uid = str(written["metadata"]["uid"])
        return True
