"""Conditions as Kubernetes spells them, and the types that Fairlead sets.

`Ready`, `Reconciling` and `Stalled` mean what kstatus and Argo CD read in them; `Reconciling` and `Stalled` are there
only while True. `RolledOut` says whether what the spec asks for is what serves; `ModelResolved` whether the registry
knows the model asked for; `Programmed` (the Gateway API's word) whether the gateway does what `status.traffic` says.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from fairlead.api.model import ApiModel
from fairlead.api.reasons import Reason


class ConditionType(StrEnum):
    """Every condition type of both kinds."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    ROLLED_OUT = "RolledOut"
    MODEL_RESOLVED = "ModelResolved"
    PROGRAMMED = "Programmed"


class ConditionStatus(StrEnum):
    """Whether the condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One condition (metav1.Condition)."""

    type: Annotated[str, Field(max_length=64)] = Field(description="The condition's name.")
    status: ConditionStatus = Field(description="Whether it holds.")
    reason: Annotated[str, Field(max_length=64)] = Field(description="One word from docs/reasons.md.")
    message: Annotated[str, Field(max_length=2048)] = Field("", description="What happened, with the numbers.")
    observed_generation: int = Field(0, description="The generation that this speaks of.")
    last_transition_time: datetime = Field(description="When `status` last changed.")


_NEVER = datetime(1, 1, 1, tzinfo=UTC)


def condition(kind: ConditionType, holds: bool | None, reason: Reason, message: str = "") -> Condition:
    """A condition without its times; `merge_conditions` fills them in. `holds` None: nobody knows."""
    known = ConditionStatus.TRUE if holds else ConditionStatus.FALSE
    status = ConditionStatus.UNKNOWN if holds is None else known
    return Condition(
        type=kind.value, status=status, reason=reason.value, message=message[:2048], last_transition_time=_NEVER
    )


def merge_conditions(
    old: Sequence[Condition], new: Sequence[Condition], *, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The new conditions; the time of a condition moves only when its status does."""
    before = {item.type: item for item in old}
    merged = []
    for item in new:
        known = before.get(item.type)
        since = known.last_transition_time if known and known.status == item.status else now
        merged.append(item.model_copy(update={"observed_generation": generation, "last_transition_time": since}))
    return tuple(merged)
