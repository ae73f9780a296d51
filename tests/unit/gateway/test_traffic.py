"""What the gateway takes as traffic, and how it says what it does not take."""

import copy
from typing import Any

import pytest

from fairlead_gateway.traffic import InvalidTraffic, Protocol, Role, parse_seconds, parse_traffic

WHOLE: dict[str, Any] = {
    "schema": 1,
    "epoch": 3,
    "generation": 7,
    "port": 10005,
    "protocol": "grpc",
    "arms": [
        {"revision": "churn-a", "role": "stable", "weight": 95},
        {"revision": "churn-b", "role": "canary", "weight": 5, "failover": "churn-a"},
    ],
    "mirror": {"revision": "churn-c", "percent": 20},
    "match": [{"revision": "churn-b", "headers": [{"name": "X-Beta", "value": "yes"}]}],
    "attemptTimeout": "1s",
    "requestTimeout": "1m30s",
    "latencyLimit": "250ms",
    "unavailableReason": "",
}


def changed(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "churn"}, "status": {"traffic": {**copy.deepcopy(WHOLE), **fields}}}


def test_a_whole_status_is_read_with_its_units() -> None:
    traffic = parse_traffic(changed())
    assert (traffic.epoch, traffic.generation, traffic.port, traffic.protocol) == (3, 7, 10005, Protocol.GRPC)
    assert [(arm.revision, arm.role, arm.weight, arm.failover) for arm in traffic.arms] == [
        ("churn-a", Role.STABLE, 95, ""),
        ("churn-b", Role.CANARY, 5, "churn-a"),
    ]
    assert traffic.stable == traffic.arms[0]
    assert traffic.mirror is not None and traffic.mirror.percent == 20
    assert traffic.match[0].headers[0].value == "yes"
    assert (traffic.attempt_timeout, traffic.request_timeout, traffic.latency_limit) == (1.0, 90.0, 0.25)


def test_absent_fields_mean_http_a_minute_and_no_other_limit() -> None:
    traffic = parse_traffic({"status": {"traffic": {"schema": 1, "epoch": 0, "generation": 1, "port": 10000}}})
    assert (traffic.protocol, traffic.request_timeout) == (Protocol.HTTP, 60.0)
    assert (traffic.attempt_timeout, traffic.latency_limit, traffic.arms, traffic.stable) == (None, None, (), None)


def test_fields_of_a_newer_operator_are_passed_over() -> None:
    assert parse_traffic(changed(colour="blue")) == parse_traffic(changed())


@pytest.mark.parametrize(
    ("text", "length"),
    [("45s", 45.0), ("1h1m1s", 3661.0), ("250ms", 0.25), ("1s5ms", 1.005), ("off", None), ("", None), (None, None)],
)
def test_durations_are_seconds_and_off_is_none(text: str | None, length: float | None) -> None:
    assert parse_seconds(text) == length


@pytest.mark.parametrize("text", ["1", "-1s", "s", "1d", "0s", "1 s", "1s\n", 5, True, ["1s"], "9999999s"])
def test_other_texts_are_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_seconds(text)


STABLE = {"revision": "churn-a", "role": "stable", "weight": 100}


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"schema": 2}, "status.traffic.schema", "expected 1, got 2"),
        ({"schema": "1"}, "status.traffic.schema", "expected 1, got '1'"),
        ({"schema": True}, "status.traffic.schema", "got True"),
        ({"port": 9999}, "status.traffic.port", "10000"),
        ({"port": 11000}, "status.traffic.port", "10999"),
        ({"port": "10001"}, "status.traffic.port", "integer"),
        ({"epoch": -1}, "status.traffic.epoch", "0"),
        ({"generation": 2**53}, "status.traffic.generation", "less than"),
        ({"protocol": "tcp"}, "status.traffic.protocol", "'http' or 'grpc'"),
        ({"requestTimeout": "soon"}, "status.traffic.requestTimeout", "got 'soon'"),
        ({"attemptTimeout": "0s"}, "status.traffic.attemptTimeout", "more than no time"),
        ({"arms": [{**STABLE, "weight": 99}]}, "status.traffic", "sum to 100, got 99"),
        ({"arms": [{**STABLE, "weight": 101}]}, "status.traffic.arms[0].weight", "100"),
        ({"arms": [{**STABLE, "weight": 99.5}]}, "status.traffic.arms[0].weight", "integer"),
        ({"arms": [{**STABLE, "role": "boss"}]}, "status.traffic.arms[0].role", "'stable'"),
        ({"arms": [{**STABLE, "role": "canary"}]}, "status.traffic", "one of them to be stable, got 0"),
        ({"arms": [{**STABLE, "weight": 50}] * 2}, "status.traffic", "each revision once"),
        ({"arms": [{**STABLE, "revision": "Churn"}]}, "status.traffic.arms[0].revision", "pattern"),
        ({"arms": [{**STABLE, "revision": "churn\n"}]}, "status.traffic.arms[0].revision", "pattern"),
        ({"arms": [{**STABLE, "revision": "c" * 64}]}, "status.traffic.arms[0].revision", "pattern"),
        ({"arms": [{**STABLE, "failover": "churn-a"}]}, "status.traffic", "another arm, got churn-a"),
        ({"arms": [{**STABLE, "failover": "churn-z"}]}, "status.traffic", "another arm, got churn-z"),
        ({"arms": "all"}, "status.traffic.arms", "tuple"),
        ({"mirror": {"revision": "churn-c", "percent": 0}}, "status.traffic.mirror.percent", "1"),
        ({"match": [{"revision": "churn-z", "headers": [{"name": "a", "value": ""}]}]}, "status.traffic", "churn-z"),
        ({"match": [{"revision": "churn-a", "headers": []}]}, "status.traffic.match[0].headers", "at least 1"),
        ({"unavailableReason": "x" * 1025}, "status.traffic.unavailableReason", "1024"),
        ({"unavailableReason": "\ud800"}, "status.traffic.unavailableReason", "unicode"),
    ],
)
def test_a_corrupt_status_is_refused_with_field_expected_and_got(
    fields: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidTraffic) as refusal:
        parse_traffic(changed(**fields))
    assert refusal.value.field == field
    assert words in refusal.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x:y", "1"),
        ("", "1"),
        ("x y", "1"),
        ("x\r\nhost", "1"),
        ("x", "1\r\ny: 2"),
        ("x", "\x00"),
        ("x", "\x7f"),
        ("x", " 1"),
        ("x", "\ud800"),
        ("x", "v" * 1025),
    ],
)
def test_a_header_that_http_cannot_carry_is_refused(name: str, value: str) -> None:
    match = [{"revision": "churn-a", "headers": [{"name": name, "value": value}]}]
    with pytest.raises(InvalidTraffic) as refusal:
        parse_traffic(changed(match=match))
    assert refusal.value.field.startswith("status.traffic.match[0].headers[0].")
    assert refusal.value.message.isprintable()
    assert len(refusal.value.message) <= 300


@pytest.mark.parametrize("body", [{}, {"status": None}, {"status": {}}, {"status": {"traffic": [1]}}, {"status": "x"}])
def test_no_traffic_at_all_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidTraffic, match=r"status\.traffic: expected an object, got"):
        parse_traffic(body)
