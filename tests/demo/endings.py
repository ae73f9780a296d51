"""How the rollout of a version ended, and how long that took, from a ModelDeployment's status. Pure."""

from dataclasses import dataclass
from datetime import datetime

from fairlead.api.resource import ModelDeployment
from fairlead.api.rollout_status import HistoryEntry, Outcome

BRAKE = "brake"


@dataclass(frozen=True)
class Ending:
    """How it ended. The seconds count from the first share of the traffic; None where it never got one, or no brake."""

    version: str
    outcome: Outcome
    reason: str
    message: str
    braked_seconds: float | None
    ended_seconds: float | None
    told: bool

    def describe(self) -> str:
        """In a line: what became of it, after how long, and why."""
        parts = [f"braked after {self.braked_seconds:.1f} s"] if self.braked_seconds is not None else []
        word = {Outcome.PROMOTED: "promoted", Outcome.ROLLED_BACK: "rolled back"}.get(self.outcome, self.outcome.value)
        parts.append(
            f"{word} after {self.ended_seconds:.1f} s" if self.ended_seconds is not None else f"{word}, no share"
        )
        return ", ".join(parts) + (f" ({self.reason})" if self.outcome is not Outcome.PROMOTED else "")


def find_ending(deployment: ModelDeployment, version: str) -> Ending | None:
    """The newest ending of this version; None while its rollout is still to end."""
    entries = (entry for entry in reversed(deployment.status.history) if entry.model_version == version)
    entry = next((entry for entry in entries if entry.outcome is not Outcome.RETRIED), None)
    return _ending(entry) if entry else None


def _ending(entry: HistoryEntry) -> Ending:
    braked = next((item.at for item in entry.decisions if item.action == BRAKE), None)
    return Ending(
        version=entry.model_version,
        outcome=entry.outcome,
        reason=entry.reason,
        message=entry.message,
        braked_seconds=_seconds(entry.since, braked),
        ended_seconds=_seconds(entry.since, entry.ended),
        told=entry.told,
    )


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    return (until - since).total_seconds() if since and until else None
