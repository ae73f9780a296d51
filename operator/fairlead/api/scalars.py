"""Constrained scalars of the two custom resources. Every string has a length limit: CEL's cost estimate needs it."""

import re
from datetime import timedelta
from decimal import Decimal, localcontext
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from fairlead.api.model import cel, rules

_DURATION = r"([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?"
_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
_SUFFIX = {
    None: Decimal(1),
    "n": Decimal("0.000000001"),
    "u": Decimal("0.000001"),
    "m": Decimal("0.001"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}

DnsLabel: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
DnsSubdomain: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
EnvName: TypeAlias = Annotated[str, Field(pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$", max_length=253)]
ImageReference: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][-a-zA-Z0-9._/:@]*$", max_length=1024)]
ModelName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*$", max_length=200)]
"""An MLflow registered-model name, less the characters ('/', ':', space) that would need quoting in a URL or query."""
MetricName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][-A-Za-z0-9_./: ]*$", max_length=250)]
"""A metric as MLflow takes it: letters, digits, and _ - . / : and space."""
LoggedModelName: TypeAlias = Annotated[str, Field(pattern=r"^[^\x00-\x1f/:.%\"']+$", max_length=200)]
"""A logged model as MLflow takes it: anything but / : . % and quotes."""
AliasName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z][-A-Za-z0-9_]*$", max_length=100)]
ModelVersionNumber: TypeAlias = Annotated[str, Field(pattern=r"^[1-9][0-9]*$", max_length=10)]
AbsolutePath: TypeAlias = Annotated[str, Field(pattern=r"^/[^\x00-\x1f:]*$", max_length=1024)]
UrlPath: TypeAlias = Annotated[str, Field(pattern=r"^/[-A-Za-z0-9._~/%?=&]*$", max_length=1024)]
ShortText: TypeAlias = Annotated[str, Field(max_length=1024)]
LongText: TypeAlias = Annotated[str, Field(max_length=32768)]
_NOT_ZERO = rules(cel("self == 'off' || self.matches('[1-9]')", "expected more than no time at all", got="self"))
Duration: TypeAlias = Annotated[
    str, Field(pattern=rf"^{_DURATION}$", min_length=2, max_length=32, json_schema_extra=_NOT_ZERO)
]
DurationOrOff: TypeAlias = Annotated[
    str, Field(pattern=rf"^(off|{_DURATION})$", min_length=2, max_length=32, json_schema_extra=_NOT_ZERO)
]
_LATENCY = r"([0-9]{1,6}s)?([0-9]{1,6}ms)?"
Latency: TypeAlias = Annotated[
    str, Field(pattern=rf"^{_LATENCY}$", min_length=2, max_length=32, json_schema_extra=_NOT_ZERO)
]
LatencyOrOff: TypeAlias = Annotated[
    str, Field(pattern=rf"^(off|{_LATENCY})$", min_length=2, max_length=32, json_schema_extra=_NOT_ZERO)
]
Percentage: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)%$",
        max_length=7,
        json_schema_extra=rules(cel("self.matches('[1-9]')", "expected more than 0%", got="self")),
    ),
]


def _quantity_schema(schema: dict[str, Any]) -> None:
    schema.clear()
    schema.update(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "pattern": _QUANTITY.pattern,
            "maxLength": 32,
            "minimum": 0,
        }
    )


Quantity: TypeAlias = Annotated[int | str, Field(json_schema_extra=_quantity_schema)]
"""A Kubernetes quantity: `2`, `500m`, `1.5Gi`."""


def parse_duration(text: str) -> timedelta:
    """`1h30m`, `15m`, `45s` -> timedelta. ValueError for anything else."""
    match = re.fullmatch(_DURATION, text)
    if not text or match is None:
        raise ValueError(f"expected a duration such as 45s, 15m or 1h30m, got {text!r}")
    hours, minutes, seconds = (int(part[:-1]) if part else 0 for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def parse_latency(text: str) -> float:
    """`300ms`, `2s`, `1s500ms` -> seconds. ValueError for anything else."""
    match = re.fullmatch(_LATENCY, text)
    if not text or match is None:
        raise ValueError(f"expected a latency such as 300ms or 2s, got {text!r}")
    seconds, milliseconds = match.groups()
    return int((seconds or "0s")[:-1]) + int((milliseconds or "0ms")[:-2]) / 1000


def describe_latency(seconds: float) -> str:
    """Seconds as `parse_latency` reads them, to the millisecond: `2s`, `1s500ms`, `300ms`."""
    whole, rest = divmod(max(1, round(seconds * 1000)), 1000)
    return "".join(f"{number}{unit}" for number, unit in ((whole, "s"), (rest, "ms")) if number)


def parse_percentage(text: str) -> float:
    """`2%` -> 0.02. ValueError for anything else."""
    match = re.fullmatch(r"(100|[0-9]{1,2}(?:\.[0-9]{1,3})?)%", text)
    if match is None:
        raise ValueError(f"expected a percentage such as 2% or 0.5%, got {text!r}")
    return float(match.group(1)) / 100


def describe_duration(length: timedelta) -> str:
    """A timedelta as `parse_duration` reads it, in whole seconds: `1h30m`, `45s`."""
    minutes, seconds = divmod(max(0, round(length.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def parse_limit(text: str) -> timedelta | None:
    """A duration, or None for `off`: the only way to switch a limit off."""
    return None if text == "off" else parse_duration(text)


def parse_quantity(value: int | str) -> Decimal:
    """A quantity in its base unit (cores, bytes), exactly. ValueError when it is none.

    Source: Kubernetes API conventions, resource.Quantity; exponents such as 1e3 are not taken.
    """
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        raise ValueError(f"expected a quantity such as 2, 500m or 1Gi, got {value!r}")
    with localcontext(prec=100):  # more digits than the schema lets in
        return Decimal(match.group(1)) * _SUFFIX[match.group(2)]
