"""What Fairlead reads of a gateway's pod: where it answers, and whether it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.api.observed import controller_kind

EVIDENCE_PORT = 8082
EVIDENCE_PORT_NAME = "evidence"


@dataclass(frozen=True, slots=True)
class GatewayPod:
    """A pod of a namespace's gateway that is ready and not on its way out."""

    name: str
    uid: str
    address: str
    port: int


def parse_gateway_pod(body: Mapping[str, Any]) -> GatewayPod | None:
    """None while the pod is not ready, or is going, and for one that no ReplicaSet made. The port is the one that it
    calls `evidence`."""
    if controller_kind(body) != "ReplicaSet":
        return None
    meta, status = body["metadata"], body.get("status") or {}
    address = str(status.get("podIP") or "")
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions") or ())
    if not (ready and address) or meta.get("deletionTimestamp"):
        return None
    return GatewayPod(str(meta["name"]), str(meta["uid"]), address, _evidence_port(body.get("spec") or {}))


def _evidence_port(spec: Mapping[str, Any]) -> int:
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for port in container.get("ports") or ():
            if port.get("name") == EVIDENCE_PORT_NAME:
                return int(port["containerPort"])
    return EVIDENCE_PORT
