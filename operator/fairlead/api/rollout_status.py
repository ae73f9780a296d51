"""What a ModelDeployment's status says of a rollout: the one that is on, those that have ended, what people asked."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from fairlead.api.model import ATOMIC, ApiModel

DECISIONS_LIMIT = 20
HISTORY_LIMIT = 10
LAST_DECISIONS = 5


class Outcome(StrEnum):
    """How a rollout ended."""

    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    ABORTED = "Aborted"
    INCONCLUSIVE = "Inconclusive"
    FAILED = "Failed"
    """Not taken back, for there is nothing else to serve."""
    RETRIED = "Retried"
    """No end, but somebody's word that an earlier one is to be forgotten."""


class Decision(ApiModel):
    """One thing that a rollout did, with the numbers behind it."""

    at: datetime = Field(description="When.")
    action: Annotated[str, Field(max_length=32)] = Field(
        description="begin, advance, brake, resume, openControl, finish, rollBack, giveUp, fail, promote, abort "
        "or approve."
    )
    reason: Annotated[str, Field(max_length=64)] = Field(description="One word from docs/reasons.md.")
    weight: float = Field(description="The candidate's share from then on, in percent.")
    requests: int = Field(0, description="First attempts of the candidate that the step had seen.")
    failures: int = Field(0, description="Of those, the ones that failed, and not on stable too.")
    fast: float = Field(0, description="Evidence of the fast process; it brakes at `brakeAt`.")
    sure: float = Field(0, description="Evidence of the sure process; it rolls back at `rollBackAt`.")


class Evidence(ApiModel):
    """The rollout that is on: where it stands and what it has seen."""

    candidate: str = Field(description="The revision that is judged.")
    incumbent: str = Field(description="The one that it is compared with.")
    since: datetime = Field(description="When its first step's weight, or its mirror, was written.")
    updated: datetime = Field(description="When these numbers were written: at each decision, else every 10 s.")
    stage: str = Field(description="Shadow, Canary, Braked, Cooling or Guard.")
    step: int = Field(description="The step, counted from 1; 0: the shadow; one more than there are: the guard.")
    steps: int = Field(description="How many steps there are.")
    weight: float = Field(description="The candidate's share, in percent.")
    verdict: Annotated[str, Field(max_length=16)] = Field("unknown", description="pass, fail or unknown.")
    reason: Annotated[str, Field(max_length=64)] = Field("", description="Why; one word from docs/reasons.md.")
    acts: bool = Field(True, description="false: checks.mode is observe, and a fail is told only.")
    requests: int = Field(0, description="First attempts of the candidate at this step; of a shadow, copies.")
    failures: int = Field(0, description="Of those, the ones that failed, and not on stable too.")
    needed_requests: int = Field(0, description="How many this step needs.")
    seconds: int = Field(0, description="Time under observation at this step.")
    needed_seconds: int = Field(0, description="How much of it this step needs.")
    eta_seconds: int | None = Field(None, description="Until the requests are there, at the rate of the last minute.")
    fast: float = Field(0, description="Evidence of the fast process.")
    brake_at: float = Field(0, description="What it brakes at.")
    sure: float = Field(0, description="Evidence of the sure process.")
    roll_back_at: float = Field(0, description="What it rolls back at.")
    paused: bool = Field(False, description="Somebody has asked that it stands still.")
    floor: int = Field(1, description="Stable has at least so many pods until the rollout is over.")
    policy: Annotated[str, Field(max_length=4096)] = Field(description="The rules that it began with, as JSON.")
    state: Annotated[str, Field(max_length=16384)] = Field(description="What it remembers, as JSON.")
    decisions: Annotated[tuple[Decision, ...], Field(json_schema_extra=ATOMIC)] = Field(
        (), description="What it has done, the last 20."
    )


class Probation(ApiModel):
    """Stable took over without a comparison, and is held to its limits alone."""

    revision: str = Field(description="The revision, which is stable.")
    since: datetime = Field(description="When it got all of the traffic.")
    until: datetime = Field(description="When it has had its time, `rollout.guard.duration`; requests may take longer.")
    updated: datetime = Field(description="When these numbers were written: every 10 s, while there are new requests.")
    requests: int = Field(0, description="Requests that it has had.")
    failures: int = Field(0, description="Of those, the ones that failed.")
    suspect: bool = Field(False, description="More failed than may: it is looked at every second, else every ten.")
    settled: bool = Field(
        False, description="Whether its first requests kept the limits, or none came for 30 s: Ready waits for that."
    )
    needed_requests: int = Field(0, description="How many it needs.")
    sure: float = Field(0, description="Evidence against it.")
    fails_at: float = Field(0, description="The evidence at which it has failed.")
    policy: Annotated[str, Field(max_length=4096)] = Field(description="The rules that it began with, as JSON.")
    state: Annotated[str, Field(max_length=16384)] = Field(description="What is remembered of it, as JSON.")


class HistoryEntry(ApiModel):
    """A rollout that has ended."""

    revision: str = Field(description="The revision that was judged.")
    model: str = Field("", description="The registered model that it serves.")
    model_version: str = Field("", description="The registered version it serves.")
    outcome: Outcome = Field(description="How it ended.")
    reason: Annotated[str, Field(max_length=64)] = Field("", description="Why; one word from docs/reasons.md.")
    message: Annotated[str, Field(max_length=1024)] = Field("", description="What was seen, with the numbers.")
    since: datetime | None = Field(None, description="When it got its first share of the traffic.")
    ended: datetime = Field(description="When it ended.")
    decisions: Annotated[tuple[Decision, ...], Field(json_schema_extra=ATOMIC)] = Field(
        (), description="What the rollout did last, its end included: up to 5."
    )
    told: bool = Field(
        False, description="Whether the registry knows: the version's tags, and after a promotion the alias."
    )


class LastRequest(ApiModel):
    """What somebody last asked for with the annotation `fairlead.dev/request`."""

    verb: Annotated[str, Field(max_length=32)] = Field(description="What was asked.")
    revision: Annotated[str, Field(max_length=63)] = Field("", description="The revision it was about.")
    nonce: Annotated[str, Field(max_length=64)] = Field(description="Names the request.")
    at: datetime = Field(description="When it was seen.")
    accepted: bool = Field(description="Whether it was done.")
    message: Annotated[str, Field(max_length=1024)] = Field("", description="What came of it.")
