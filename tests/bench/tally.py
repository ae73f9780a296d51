"""What the operator asked of the API server, read from the audit log's requests. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from tests.cluster.audit import WRITE_VERBS, Request

SOURCE_BY_USER_AGENT = {"fairlead-operator": "operator"}
"""Our own client; everything else that runs as the operator's user is Kopf's."""
_LEASES = "leases"


def kind_of_write(request: Request) -> str:
    """`status`, or the resource: what a row of the table is called."""
    return "status" if request.subresource == "status" else request.resource


@dataclass(frozen=True)
class Tally:
    """Counts of one phase. Writes include refused ones; the Lease's are left out of everything."""

    writes: Mapping[str, int]
    refused: int
    verbs: Mapping[str, int]
    sources: Mapping[str, int]

    @property
    def written(self) -> int:
        """All writes, status and events among them."""
        return sum(self.writes.values())


def tally(requests: Iterable[Request], user: str) -> Tally:
    """The requests of `user`, counted."""
    theirs = list(_of(requests, user))
    written = [item for item in theirs if item.verb in WRITE_VERBS]
    return Tally(
        writes=dict(sorted(Counter(kind_of_write(item) for item in written).items())),
        refused=sum(1 for item in written if item.code >= 400),
        verbs=dict(sorted(Counter(item.verb for item in theirs).items())),
        sources=dict(sorted(Counter(SOURCE_BY_USER_AGENT.get(item.user_agent, "kopf") for item in theirs).items())),
    )


def arrivals(requests: Iterable[Request], resource: str, *, by: str, created: bool) -> list[datetime]:
    """When the requests of `by` arrived that wrote `resource` itself, in order; with `created`, only what is new."""
    return sorted(
        item.received
        for item in requests
        if item.user == by
        and item.resource == resource
        and not item.subresource
        and item.verb in WRITE_VERBS
        and (item.code == 201 or (not created and item.code < 400))
    )


def last_write(requests: Iterable[Request], user: str) -> datetime | None:
    """When the last write of `user` arrived, the Lease's aside."""
    return max((item.received for item in _of(requests, user) if item.verb in WRITE_VERBS), default=None)


def _of(requests: Iterable[Request], user: str) -> Iterator[Request]:
    return (item for item in requests if item.user == user and item.resource != _LEASES)
