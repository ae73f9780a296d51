"""Where a revision's pods are reached, from the EndpointSlices of its headless Service."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

SERVICE_LABEL = "kubernetes.io/service-name"
_FAMILIES = ("IPv4", "IPv6")


class Endpoint(NamedTuple):
    """One pod's address."""

    address: str
    port: int


def ready_endpoints(slices: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Endpoint, ...]]:
    """Revision -> the addresses of its pods that are ready and not terminating, each once, in order.

    A revision whose slices name no such pod has an empty tuple. Source: discovery.k8s.io/v1, where an absent `ready`
    means yes and an absent `terminating` means no; a pod in two slices for a moment is one pod.
    """
    found: dict[str, set[Endpoint]] = defaultdict(set)
    for piece in slices:
        revision = (piece.get("metadata", {}).get("labels") or {}).get(SERVICE_LABEL)
        if revision and piece.get("addressType") in _FAMILIES:
            found[revision].update(_addresses(piece))
    return {revision: tuple(sorted(endpoints)) for revision, endpoints in found.items()}


def _addresses(piece: Mapping[str, Any]) -> Iterable[Endpoint]:
    # A revision's Service has one port. A slice without a number means all ports, which no Service of ours asks for.
    port = next((port["port"] for port in piece.get("ports") or () if port.get("port")), None)
    if port is None:
        return
    for endpoint in piece.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        if conditions.get("ready") is not False and not conditions.get("terminating"):
            yield Endpoint(endpoint["addresses"][0], port)
