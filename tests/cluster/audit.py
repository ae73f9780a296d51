"""Reads the apiserver's audit log: who asked for what. Tests count writes with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_POD_NAME = "authentication.kubernetes.io/pod-name"
WRITE_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Request:
    """One answered request. `code` is the HTTP status; `subresource`, `name` and `namespace` are "" where absent."""

    received: datetime
    verb: str
    user: str
    user_agent: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    uri: str
    pod: str = ""
    """Of a pod's own token: its name."""


def mark(audit_log: Path) -> int:
    """The log's present end, in bytes: give it to `writes` or `requests` as `since`."""
    return audit_log.stat().st_size if audit_log.exists() else 0


def writes(audit_log: Path, since: datetime | int = 0) -> list[Request]:
    """Every answered create, update, patch, delete and deletecollection, oldest first; refused ones too (see `code`).

    `since` is an aware time, compared with the request's arrival, or what `mark` returned.
    """
    return [request for request in requests(audit_log, since) if request.verb in WRITE_VERBS]


def requests(audit_log: Path, since: datetime | int = 0) -> list[Request]:
    """Every answered request since `since` (see `writes`); a last line that is still being written is left out."""
    offset = since if isinstance(since, int) else 0
    if not audit_log.exists():
        return []
    with audit_log.open("rb") as handle:
        handle.seek(offset)
        complete = handle.read().rpartition(b"\n")[0]
    found = [_parse(line) for line in complete.splitlines() if line]
    if isinstance(since, datetime):
        found = [request for request in found if request.received >= since]
    return found


def _parse(line: bytes) -> Request:
    event = json.loads(line)
    target = event.get("objectRef") or {}
    return Request(
        received=datetime.fromisoformat(event["requestReceivedTimestamp"]),
        verb=event["verb"],
        user=event.get("user", {}).get("username", ""),
        user_agent=event.get("userAgent", ""),
        group=target.get("apiGroup", ""),
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=int(event.get("responseStatus", {}).get("code", 0)),
        uri=event.get("requestURI", ""),
        pod=next(iter((event.get("user", {}).get("extra") or {}).get(_POD_NAME, ())), ""),
    )
