"""Durations, quantities and the patterns that the API server checks."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from fairlead.api import scalars
from fairlead.api.scalars import (
    describe_duration,
    parse_duration,
    parse_latency,
    parse_limit,
    parse_percentage,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("15m", 900), ("24h", 86400), ("1h30m", 5400), ("1h0m1s", 3601), ("0s", 0)]
)
def test_a_duration_is_hours_minutes_and_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "15 m", "1d", "1.5h", "m", "30m1h", "-5m", "off", "15m\n", "15M"])
def test_what_is_no_duration_is_refused_with_what_came(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_duration(text)


def test_a_limit_is_off_only_when_off_is_written() -> None:
    assert parse_limit("off") is None
    assert parse_limit("15m") == timedelta(minutes=15)
    for other in ("", "Off", "none", "false"):
        with pytest.raises(ValueError, match="expected a duration"):
            parse_limit(other)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (2, "2"),
        ("2", "2"),
        ("500m", "0.5"),
        ("0.5", "0.5"),
        ("1Gi", "1073741824"),
        ("1024Mi", "1073741824"),
        ("1.5G", "1500000000"),
        ("3k", "3000"),
        ("100u", "0.0001"),
        ("5n", "0.000000005"),
        ("1E", "1000000000000000000"),
        ("1Ei", "1152921504606846976"),
        ("0.5n", "0.0000000005"),
        ("1.0000000000000000000000000001Ki", "1024.0000000000000000000000001024"),
    ],
)
def test_a_quantity_is_its_amount_in_the_base_unit(value: int | str, amount: str) -> None:
    assert parse_quantity(value) == Decimal(amount)


@pytest.mark.parametrize("value", ["", "Gi", "1 Gi", "1gi", "-1", "1e3", "1GiB", "1Gi\n", "0x10", "1."])
def test_what_is_no_quantity_is_refused_with_what_came(value: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(value))):
        parse_quantity(value)


@pytest.mark.parametrize(
    ("scalar", "good", "bad"),
    [
        (scalars.DnsLabel, ["a", "a-b", "0a"], ["", "A", "a.b", "-a", "a-", "a" * 64]),
        (scalars.DnsSubdomain, ["a", "a.b-c"], ["", "a_b", ".a", "a" * 254]),
        (scalars.EnvName, ["A", "_a", "A.B-c"], ["", "1A", "A=B", "A B"]),
        (scalars.ImageReference, ["a", "r.io:5000/a/b:1", "a@sha256:" + "0" * 64], ["", " a", "a b", "-a", "a\n"]),
        (scalars.ModelName, ["churn", "team.churn_2"], ["", "a/b", "a:b", "a b", ".a"]),
        (scalars.AliasName, ["candidate", "v-1"], ["", "1a", "a b", "a:b"]),
        (scalars.ModelVersionNumber, ["1", "42"], ["", "0", "v1", "01", "1.0"]),
        (scalars.AbsolutePath, ["/", "/data"], ["", "data", "/a:b", "/a\nb"]),
        (scalars.UrlPath, ["/", "/v2/health?x=1"], ["", "ready", "/a b", "http://a/"]),
        (scalars.Duration, ["1s", "10m"], ["", "10", "off", "1 m"]),
        (scalars.DurationOrOff, ["off", "10m"], ["", "on", "Off", "no"]),
    ],
)
def test_each_pattern_takes_the_good_and_refuses_the_bad(scalar: object, good: list[str], bad: list[str]) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(scalar)
    for text in good:
        assert adapter.validate_python(text) == text
    for text in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-5, "0s"), (45, "45s"), (60, "1m"), (90.4, "1m30s"), (3600, "1h"), (86400, "24h"), (5405, "1h30m5s")],
)
def test_a_duration_is_told_as_it_is_written(seconds: float, text: str) -> None:
    assert describe_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(("text", "seconds"), [("300ms", 0.3), ("2s", 2.0), ("1s500ms", 1.5)])
def test_a_latency_is_seconds_and_milliseconds(text: str, seconds: float) -> None:
    assert parse_latency(text) == seconds


@pytest.mark.parametrize("text", ["", "1m", "300", "0.3s", "500ms1s", "off", "1s\n"])
def test_what_is_no_latency_is_refused_with_what_came(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_latency(text)


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.5%", 0.005), ("100%", 1.0), ("0%", 0.0)])
def test_a_percentage_is_a_share(text: str, share: float) -> None:
    assert parse_percentage(text) == share


@pytest.mark.parametrize("text", ["", "2", "%", "101%", "-1%", "2.%", "0.02", "2 %", "2%\n"])
def test_what_is_no_percentage_is_refused_with_what_came(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_percentage(text)
