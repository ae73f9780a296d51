"""`status.traffic`: where a ModelDeployment's requests go. The operator writes it, the namespace's gateway reads it.

The gateway refuses a `schema` that it does not know and overlooks fields that it does not know, so a field may be
added without a new schema, and none may change its meaning.
"""

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from fairlead.api.model import ATOMIC, ApiModel, cel, validated

SCHEMA = 1
FIRST_PORT = 10000
LAST_PORT = 10999


class ArmRole(StrEnum):
    """What a revision gets its share as."""

    STABLE = "stable"
    CANARY = "canary"
    PREVIOUS = "previous"


Limit: TypeAlias = Annotated[
    str,
    Field(pattern=r"^(off|([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?([0-9]{1,6}ms)?)$", max_length=32),
]
"""A duration, `1h30m15s250ms` in its longest form; empty and `off`: no limit."""
_Name: TypeAlias = Annotated[str, Field(max_length=63)]
Protocol: TypeAlias = Literal["http", "grpc"]
"""What serving pods speak."""


class Arm(ApiModel):
    """A share of the traffic."""

    revision: _Name = Field(description="Who gets it.")
    role: ArmRole = Field(ArmRole.STABLE, description="In which role.")
    weight: Annotated[int, Field(ge=0, le=100)] = Field(description="How much, in percent.")
    failover: _Name = Field(
        "", description="The arm that gets what fails here; empty: only what reached no pod is sent again, to stable."
    )


class Mirror(ApiModel):
    """A copy of some of the traffic; its answers reach nobody."""

    revision: _Name = Field(description="Who gets it.")
    percent: Annotated[int, Field(ge=1, le=100)] = Field(description="How much of the traffic is copied, in percent.")


class Header(ApiModel):
    """A request header and its exact value."""

    name: Annotated[str, Field(max_length=128)] = Field(description="The header's name.")
    value: Annotated[str, Field(max_length=1024)] = Field(description="Its value, exactly.")


class Match(ApiModel):
    """Requests that go to one revision, whatever the shares."""

    revision: _Name = Field(description="Who gets them.")
    headers: Annotated[tuple[Header, ...], Field(min_length=1, max_length=8, json_schema_extra=ATOMIC)] = Field(
        description="All of these."
    )


class Traffic(ApiModel):
    """Where requests go."""

    model_config = validated(
        cel(
            "self.arms.size() == 0 || self.arms.map(arm, arm.weight).sum() == 100",
            "arms: expected weights that add up to 100, or no arms",
        ),
        cel(
            "self.arms.all(arm, arm.failover == '' || self.arms.exists(other, other.revision == arm.failover))",
            "arms: expected the revision of an arm as failover",
        ),
    )
    schema_: int = Field(SCHEMA, alias="schema", description="Version of this structure.")
    epoch: int = Field(0, description="The leadership (transitions of the Lease) that wrote this.")
    generation: int = Field(0, description="Grows with each change of what the gateway acts on.")
    port: Annotated[int, Field(ge=FIRST_PORT, le=LAST_PORT)] | None = Field(
        None, description="Where the gateway's pods listen for these requests; absent: none was free."
    )
    protocol: Protocol = Field("http", description="What the serving pods speak.")
    arms: Annotated[tuple[Arm, ...], Field(max_length=8, json_schema_extra=ATOMIC)] = Field(
        (), description="The shares; they add up to 100, or there is none."
    )
    mirror: Mirror | None = Field(None, description="Who gets a copy.")
    match: Annotated[tuple[Match, ...], Field(max_length=16, json_schema_extra=ATOMIC)] = Field(
        (), description="Requests that the shares do not count for; the first that matches wins."
    )
    attempt_timeout: Limit = Field(
        "off", description="How long an attempt on an arm with a failover may take before it is sent there; or `off`."
    )
    request_timeout: Limit = Field("60s", description="How long a request may take; or `off`.")
    latency_limit: Limit = Field("off", description="Above it an answer counts as slow; or `off`.")
    unavailable_reason: str = Field("", description="Why there are no arms.")
