"""Which traffic each ModelDeployment is served with: the newest that may be, and why not a newer one. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fairlead_gateway.traffic import InvalidTraffic, Traffic, parse_traffic

MAX_MESSAGE_CHARS = 300


class RejectionReason(StrEnum):
    """Why the newest `status.traffic` is not served."""

    INVALID = "Invalid"
    STALE = "Stale"
    PORT_TAKEN = "PortTaken"
    REFUSED = "RefusedByEnvoy"


@dataclass(frozen=True, slots=True)
class Claim:
    """A ModelDeployment as the watch has it; `body` holds nothing but `status.traffic`, or nothing at all."""

    name: str
    uid: str
    created: str
    body: Mapping[str, Any]

    @property
    def age(self) -> tuple[str, str]:
        """Sorts the older ModelDeployment first."""
        return self.created, self.uid


@dataclass(frozen=True, slots=True)
class Accepted:
    """Traffic that may be served, and whose it is."""

    claim: Claim
    traffic: Traffic

    @property
    def version(self) -> tuple[int, int]:
        """Grows with every write of a leader, and with every new leader."""
        return self.traffic.epoch, self.traffic.generation


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a ModelDeployment's newest traffic is not served. `generation` is what it claims to be, 0 if nothing."""

    uid: str
    generation: int
    reason: RejectionReason
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to serve and what not, by the ModelDeployment's name."""

    served: Mapping[str, Accepted]
    rejected: Mapping[str, Rejection]


def parse_claim(item: Mapping[str, Any]) -> Claim:
    """What is worth keeping of a ModelDeployment as the API gives it."""
    metadata, status = item["metadata"], item.get("status")
    traffic = status.get("traffic") if isinstance(status, Mapping) else None
    body = {} if traffic is None else {"status": {"traffic": traffic}}
    return Claim(metadata["name"], metadata["uid"], metadata.get("creationTimestamp", ""), body)


def decide_served(
    claims: Iterable[Claim], before: Mapping[str, Accepted], refused: Mapping[str, Rejection]
) -> Decision:
    """Choose each one's traffic.

    before: what was served last. It goes on while the object has no traffic (a restored backup), or one that cannot
    be read, is older, or was refused by Envoy. refused: what Envoy refused, by name. A port belongs to the oldest
    ModelDeployment that asks for it.
    """
    served: dict[str, Accepted] = {}
    rejected: dict[str, Rejection] = {}
    owners: dict[int, str] = {}
    for claim in sorted(claims, key=lambda claim: claim.age):
        last = before.get(claim.name)
        newest, rejection = _judge(claim, last, refused.get(claim.name))
        owner = owners.get(newest.traffic.port) if newest else None
        if newest and owner:
            message = f"port {newest.traffic.port} belongs to ModelDeployment {owner}, which is older"
            rejection = _reject(claim, newest.traffic.generation, RejectionReason.PORT_TAKEN, message)
            newest = last if last and last.traffic.port not in owners else None
        if newest:
            served[claim.name] = newest
            owners[newest.traffic.port] = claim.name
        if rejection:
            rejected[claim.name] = rejection
    return Decision(served, rejected)


def _judge(claim: Claim, last: Accepted | None, refused: Rejection | None) -> tuple[Accepted | None, Rejection | None]:
    """The newest traffic that this claim may be served with, and why it is not its newest."""
    if not claim.body:
        return last, None  # restored from a backup it may have another uid, and its pods still run
    last = last if last and last.claim.uid == claim.uid else None
    if last and last.claim.body == claim.body:
        return last, None
    try:
        newest = Accepted(claim, parse_traffic(claim.body))
    except InvalidTraffic as error:
        return last, _reject(claim, _generation(claim), RejectionReason.INVALID, f"{error.field}: {error.message}")
    generation = newest.traffic.generation
    if last and (newest.traffic.epoch < last.traffic.epoch or generation < last.traffic.generation):
        message = f"epoch {newest.traffic.epoch}, generation {generation} after {last.version[0]}, {last.version[1]}"
        return last, _reject(claim, generation, RejectionReason.STALE, message)
    if refused and (refused.uid, refused.generation) == (claim.uid, generation):
        return last, refused
    return newest, None


def _generation(claim: Claim) -> int:
    traffic = claim.body["status"]["traffic"]
    value = traffic.get("generation") if isinstance(traffic, Mapping) else None
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def _reject(claim: Claim, generation: int, reason: RejectionReason, message: str) -> Rejection:
    return Rejection(claim.uid, generation, reason, printable(message))


def printable(message: str) -> str:
    """The message as it may be told: short, and without control characters."""
    return "".join(char if char.isprintable() else "?" for char in message)[:MAX_MESSAGE_CHARS]
