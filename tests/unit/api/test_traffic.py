"""`status.traffic`: the form that the operator writes and the gateway reads."""

import pytest
from pydantic import ValidationError

from fairlead.api.traffic import FIRST_PORT, LAST_PORT, Arm, ArmRole, Header, Match, Mirror, Traffic


def test_the_wire_has_the_names_that_the_gateway_reads() -> None:
    arms = (Arm(revision="a", weight=95), Arm(revision="b", role=ArmRole.CANARY, weight=5, failover="a"))
    match = (Match(revision="b", headers=(Header(name="x-beta", value="1"),)),)
    traffic = Traffic(epoch=2, generation=7, port=FIRST_PORT, arms=arms, mirror=Mirror(revision="c", percent=20))
    wire = traffic.model_copy(update={"match": match}).wire()
    assert wire == {
        "schema": 1,
        "epoch": 2,
        "generation": 7,
        "port": 10000,
        "protocol": "http",
        "arms": [
            {"revision": "a", "role": "stable", "weight": 95, "failover": ""},
            {"revision": "b", "role": "canary", "weight": 5, "failover": "a"},
        ],
        "mirror": {"revision": "c", "percent": 20},
        "match": [{"revision": "b", "headers": [{"name": "x-beta", "value": "1"}]}],
        "attemptTimeout": "off",
        "requestTimeout": "60s",
        "latencyLimit": "off",
        "unavailableReason": "",
    }


def test_nothing_said_is_no_arm_and_no_port() -> None:
    assert (Traffic().arms, Traffic().port, Traffic().mirror) == ((), None, None)


@pytest.mark.parametrize("text", ["", "off", "250ms", "1s500ms", "1h30m"])
def test_a_limit_is_a_duration_or_none(text: str) -> None:
    assert Traffic.model_validate({"latencyLimit": text}).latency_limit == text


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": FIRST_PORT - 1},
        {"port": LAST_PORT + 1},
        {"latencyLimit": "fast"},
        {"arms": [{"revision": "a", "weight": 101}]},
        {"mirror": {"revision": "a", "percent": 0}},
        {"match": [{"revision": "a", "headers": []}]},
    ],
)
def test_what_the_gateway_would_refuse_is_not_written(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Traffic.model_validate(wrong)
