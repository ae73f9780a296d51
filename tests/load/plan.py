"""What to send, how often, and which answer is right."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

SENDING = "sending"
"""What the process that sends says when it begins."""


class BadPlanError(ValueError):
    """A plan that cannot be run; the text names the field, what was expected and what came."""


class Connections(StrEnum):
    """How requests use TCP connections."""

    KEEPALIVE = "keepalive"
    FRESH = "fresh"


@dataclass(frozen=True)
class LoadPlan:
    """One run of load at a fixed rate.

    url: `http://host[:port]/path?query`.
    rate: requests a second, on average and at every moment: request i is due at start + i / rate.
    seconds: how long requests fall due; answers are awaited up to `timeout_seconds` longer.
    body: sent with POST as application/json; without one the request is a GET.
    bodies: instead of one body several, sent in turn.
    expect_fields: JSON path ("outputs.0.data") -> the value that the answer must have there.
    expect_body: regular expression that must be found in the answer's text.
    count_header: name of an answer's header; the report counts the answers by its value.
    connections: `keepalive` reuses at least `keepalive_connections` connections in turn; `fresh` opens one per request.
    timeout_seconds: from the moment the request is sent to the last byte of its answer.
    late_seconds: a request sent this long after it was due counts as late: the generator's own failing.
    idle_seconds: a kept connection idle for longer is closed and replaced, as well-behaved clients do.
    max_in_flight: requests awaiting an answer; one that falls due beyond it is not sent and counted as unsent.
    """

    url: str
    rate: float
    seconds: float
    body: str | None = None
    bodies: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    expect_fields: Mapping[str, Any] = field(default_factory=dict)
    expect_body: str | None = None
    count_header: str | None = None
    connections: Connections = Connections.KEEPALIVE
    keepalive_connections: int = 4
    timeout_seconds: float = 10.0
    late_seconds: float = 0.05
    idle_seconds: float = 2.0
    max_in_flight: int = 2000

    def __post_init__(self) -> None:
        for name in ("rate", "seconds", "timeout_seconds", "late_seconds", "idle_seconds", "max_in_flight"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise BadPlanError(f"{name}: expected a number above 0, got {value!r}")
        if self.body is not None and self.bodies:
            raise BadPlanError(f"bodies: expected none beside a body, got {len(self.bodies)}")
        parts = urlsplit(self.url)
        if parts.scheme != "http" or not parts.hostname:
            raise BadPlanError(f"url: expected http://host[:port]/path, got {self.url!r}")
        if self.expect_body is not None:
            try:
                re.compile(self.expect_body)
            except re.error as error:
                raise BadPlanError(
                    f"expect_body: expected a regular expression, got {self.expect_body!r}: {error}"
                ) from None

    @property
    def planned(self) -> int:
        """Requests that fall due within `seconds`, at least one."""
        return max(1, math.ceil(self.rate * self.seconds - 1e-9))

    def to_json(self) -> str:
        """The plan as one line of JSON, for the process that runs it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "LoadPlan":
        """Read what `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "connections": Connections(values["connections"]), "bodies": tuple(values["bodies"])})
