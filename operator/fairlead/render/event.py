"""Events. The name is a hash of what is said, so that the same thing said again counts the first one up."""

from datetime import datetime
from typing import Any

from fairlead.api.names import API_VERSION
from fairlead.api.resource import Meta
from fairlead.core.compare import digest_of

_MESSAGE_LIMIT = 1024


def render_event(kind: str, meta: Meta, *, type_: str, reason: str, message: str, now: datetime) -> dict[str, Any]:
    """A core/v1 Event about the custom resource."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = message[:_MESSAGE_LIMIT]
    identity = digest_of([meta.uid, reason, text])[:10]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta.name}.{identity}", "namespace": meta.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": kind,
            "name": meta.name,
            "namespace": meta.namespace,
            "uid": meta.uid,
        },
        "type": type_,
        "reason": reason,
        "message": text,
        "source": {"component": "fairlead"},
        "reportingComponent": "fairlead.dev/operator",
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
