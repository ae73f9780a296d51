"""What became of every request of a run. Pure."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """The one class each sent request ends in."""

    OK = "ok"
    NON_2XX = "non2xx"
    RESET = "reset"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    WRONG_BODY = "wrong_body"
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Failure:
    """One failed request: when it was due, seconds after the start, and what happened."""

    due_seconds: float
    outcome: str
    detail: str


@dataclass(frozen=True)
class Latency:
    """Seconds from the time a request was due to the last byte of its answer, over all that were answered."""

    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    max_seconds: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency | None":
        """Nearest-rank percentiles; None when nothing was answered."""
        if not seconds:
            return None
        ordered = sorted(seconds)

        def rank(percent: int) -> float:
            return round(ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)], 6)

        return cls(rank(50), rank(95), rank(99), rank(100))


@dataclass(frozen=True)
class LoadReport:
    """The counts of one run.

    planned = sent + unsent; sent = ok + non2xx + resets + refused + unreachable + timeouts + wrong_bodies + malformed.
    resets: the connection ended, by RST or FIN, before the answer was whole. refused: no one listened.
    unreachable: no connection for any other reason (no route, unknown name). malformed: not HTTP/1.1.
    late: sent, but later than the plan's `late_seconds` after it was due; unsent: never sent, too many were in flight.
    first_failures: the first 20, in the order they were noticed.
    answers_by_header: whole answers, good or not, by the value of the plan's `count_header`; "" where it was missing.
    """

    url: str
    planned: int
    sent: int
    unsent: int
    late: int
    ok: int
    non2xx: int
    non2xx_by_code: dict[str, int]
    resets: int
    refused: int
    unreachable: int
    timeouts: int
    wrong_bodies: int
    malformed: int
    connections_opened: int
    elapsed_seconds: float
    max_delay_seconds: float
    latency: Latency | None
    first_failures: tuple[Failure, ...]
    answers_by_header: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Requests that were sent and not answered well."""
        return self.sent - self.ok

    @property
    def on_time(self) -> bool:
        """Whether the generator kept its own promise; when not, the run says little about the server."""
        return self.late == 0 and self.unsent == 0

    def to_json(self) -> str:
        """One JSON object, with `failed` added for readers that do not want to do the sum."""
        return json.dumps({**asdict(self), "failed": self.failed})

    @classmethod
    def from_json(cls, text: str) -> "LoadReport":
        """Read what `to_json` wrote."""
        values = json.loads(text)
        values.pop("failed")
        latency = values.pop("latency")
        failures = values.pop("first_failures")
        return cls(
            **values,
            latency=Latency(**latency) if latency else None,
            first_failures=tuple(Failure(**failure) for failure in failures),
        )

    def describe(self) -> str:
        """A few readable lines: totals, what failed and how, latency, the first failures."""
        codes = "".join(f" {code}x{count}" for code, count in sorted(self.non2xx_by_code.items()))
        lines = [
            f"{self.sent} sent of {self.planned} to {self.url} in {self.elapsed_seconds:.1f} s: "
            f"{self.ok} ok, {self.failed} failed, {self.late} late, {self.unsent} unsent",
            f"  non-2xx {self.non2xx}{codes}, resets {self.resets}, refused {self.refused}, "
            f"unreachable {self.unreachable}, timeouts {self.timeouts}, wrong bodies {self.wrong_bodies}, "
            f"malformed {self.malformed}",
        ]
        if self.latency:
            found = self.latency
            lines.append(
                f"  latency p50 {found.p50_seconds * 1000:.1f} ms, p95 {found.p95_seconds * 1000:.1f} ms, "
                f"p99 {found.p99_seconds * 1000:.1f} ms, max {found.max_seconds * 1000:.1f} ms"
            )
        if self.answers_by_header:
            counts = sorted(self.answers_by_header.items())
            lines.append("  answered by " + ", ".join(f"{name or '(unnamed)'} x{count}" for name, count in counts))
        lines += [f"  {f.due_seconds:8.3f} s {f.outcome}: {f.detail}" for f in self.first_failures]
        return "\n".join(lines)
