"""What a ModelDeployment's `status.traffic` asks of the gateway, checked before anything is built from it."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

SCHEMA = 1
FIRST_PORT = 10000
LAST_PORT = 10999
DEFAULT_REQUEST_TIMEOUT = "60s"
_DURATION = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?(?:([0-9]{1,9})ms)?")
_DNS_LABEL = r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
_TOKEN = r"^[-!#$%&'*+.^_`|~0-9A-Za-z]+$"  # noqa: S105 -- RFC 9110's word for what a header's name is
_MESSAGE_CHARACTERS = 300


class InvalidTraffic(ValueError):
    """A status that the gateway cannot serve; the configuration before it stays.

    field: a path into the object ("status.traffic.arms[1].weight"); message: what was expected and what came, at most
    300 characters, none of them a control character.
    """

    def __init__(self, field: str, message: str) -> None:
        self.field = _shown(field)
        self.message = _shown(message)
        super().__init__(f"{self.field}: {self.message}")


class Protocol(StrEnum):
    """What the pods speak: HTTP/1.1, or HTTP/2 without TLS, as gRPC needs it."""

    HTTP = "http"
    GRPC = "grpc"


class Role(StrEnum):
    """What a revision is to its ModelDeployment."""

    STABLE = "stable"
    CANARY = "canary"
    PREVIOUS = "previous"


def parse_seconds(text: object) -> float | None:
    """`1h30m`, `45s`, `250ms` in seconds; None for `off`, for nothing, and for an empty text. ValueError for others."""
    if text is None or text in ("off", ""):
        return None
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("expected a duration such as 45s, 250ms or 1h30m, or off")
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
    total_milliseconds = ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
    if total_milliseconds == 0:
        raise ValueError("expected more than no time at all, or off")
    return total_milliseconds / 1000


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:_MESSAGE_CHARACTERS]


def _header_value(value: str) -> str:
    if any(ord(character) < 0x20 or ord(character) == 0x7F or 0xD800 <= ord(character) < 0xE000 for character in value):
        raise ValueError("expected text without control characters")
    if value != value.strip(" "):
        raise ValueError("expected no space at either end, where HTTP takes it away")
    return value


Seconds: TypeAlias = Annotated[float | None, BeforeValidator(parse_seconds)]
RevisionName: TypeAlias = Annotated[str, Field(pattern=_DNS_LABEL)]
Percent: TypeAlias = Annotated[int, Field(ge=0, le=100)]
Count: TypeAlias = Annotated[int, Field(ge=0, lt=2**53)]


class _Part(BaseModel):
    # A newer operator's fields are passed over: it is ahead of its gateways while it upgrades them.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", alias_generator=to_camel)


class Arm(_Part):
    """A revision's share of the requests.

    failover: the revision to which an attempt that failed is sent again; empty: only one that reached no pod is sent
    again, to stable.
    """

    revision: RevisionName
    role: Annotated[Role, Field(strict=False)]
    weight: Percent
    failover: RevisionName | Literal[""] = ""


class Mirror(_Part):
    """A revision that gets a copy of some requests; nobody sees its answers."""

    revision: RevisionName
    percent: Annotated[int, Field(ge=1, le=100)]


class Header(_Part):
    """A request header and the one value that matches."""

    name: Annotated[str, Field(pattern=_TOKEN, max_length=128)]
    value: Annotated[str, Field(max_length=1024), AfterValidator(_header_value)]


class Match(_Part):
    """Requests that have all of these headers go to this revision."""

    revision: RevisionName
    headers: Annotated[tuple[Header, ...], Field(min_length=1, max_length=8, strict=False)]


class Traffic(_Part):
    """`status.traffic`, schema 1. Weights sum to 100, or there are no arms and `unavailable_reason` says why.

    A limit that is None is off: no attempt is cut, no request is cut, nothing counts as slow.
    """

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    epoch: Count
    generation: Count
    port: Annotated[int, Field(ge=FIRST_PORT, le=LAST_PORT)]
    protocol: Annotated[Protocol, Field(strict=False)] = Protocol.HTTP
    arms: Annotated[tuple[Arm, ...], Field(max_length=8, strict=False)] = ()
    mirror: Mirror | None = None
    match: Annotated[tuple[Match, ...], Field(max_length=32, strict=False)] = ()
    attempt_timeout: Seconds = None
    request_timeout: Seconds = parse_seconds(DEFAULT_REQUEST_TIMEOUT)
    latency_limit: Seconds = None
    unavailable_reason: Annotated[str, Field(max_length=1024)] = ""

    @model_validator(mode="after")
    def _arms_agree(self) -> Self:
        revisions = [arm.revision for arm in self.arms]
        if len(set(revisions)) < len(revisions):
            raise ValueError(f"arms: expected each revision once, got {revisions}")
        if self.arms and (total := sum(arm.weight for arm in self.arms)) != 100:
            raise ValueError(f"arms: expected weights that sum to 100, got {total}")
        if self.arms and (count := [arm.role for arm in self.arms].count(Role.STABLE)) != 1:
            raise ValueError(f"arms: expected one of them to be stable, got {count}")
        for arm in self.arms:
            if arm.failover and (arm.failover == arm.revision or arm.failover not in revisions):
                raise ValueError(f"arms: expected the failover of {arm.revision} to be another arm, got {arm.failover}")
        for match in self.match:
            if match.revision not in revisions:
                raise ValueError(f"match: expected the revision of an arm, got {match.revision}")
        return self

    @property
    def stable(self) -> Arm | None:
        """The arm that gets what the others cannot answer; None when there are no arms."""
        return next((arm for arm in self.arms if arm.role is Role.STABLE), None)


def parse_traffic(body: Mapping[str, object]) -> Traffic:
    """The traffic in a ModelDeployment as the API gives it. Raises InvalidTraffic, and nothing else."""
    status = body.get("status")
    traffic = status.get("traffic") if isinstance(status, Mapping) else None
    if not isinstance(traffic, Mapping):
        raise InvalidTraffic("status.traffic", f"expected an object, got {type(traffic).__name__}")
    if type(schema := traffic.get("schema")) is not int or schema != SCHEMA:
        raise InvalidTraffic("status.traffic.schema", f"expected {SCHEMA}, got {schema!r}")
    try:
        return Traffic.model_validate(dict(traffic))
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> InvalidTraffic:
    """The first thing that is wrong, with where it stands."""
    first = error.errors(include_url=False, include_context=False)[0]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    got = first["input"]
    shown = "" if isinstance(got, Mapping) else f", got {got!r}"
    return InvalidTraffic(f"status.traffic{path}", f"{message}{shown}")
