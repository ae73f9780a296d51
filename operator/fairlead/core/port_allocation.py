"""Which of the gateway's ports a ModelDeployment gets: unique in its namespace, and kept as long as it lives.

A port that two hold (two leaders gave it away at the same moment) stays with the older one; the other one moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fairlead.api.traffic import FIRST_PORT, LAST_PORT
from fairlead.core.compare import digest_of


@dataclass(frozen=True, slots=True)
class Claim:
    """A ModelDeployment and the ports that it holds or was promised, the best first. `created`: RFC 3339, UTC."""

    name: str
    uid: str
    created: str
    ports: tuple[int, ...] = ()


def _age(claim: Claim) -> tuple[str, str]:
    return claim.created, claim.uid


def allocate(mine: Claim, others: Sequence[Claim]) -> int | None:
    """The port of `mine`; None when every one belongs to somebody else.

    A new port is looked for from a place that the name decides, so that a ModelDeployment that is made again mostly
    gets the port that it had, and one that has just become free is seldom given to another.
    """
    with_elders = {port for other in others if _age(other) < _age(mine) for port in other.ports}
    for port in mine.ports:
        if FIRST_PORT <= port <= LAST_PORT and port not in with_elders:
            return port
    taken = {port for other in others for port in other.ports}
    size = LAST_PORT - FIRST_PORT + 1
    start = int(digest_of(mine.name)[:8], 16)
    places = (FIRST_PORT + (start + step) % size for step in range(size))
    return next((port for port in places if port not in taken), None)
