"""How Envoy's messages become text."""

import json

import pytest

from fairlead_gateway.envoy.messages import path_source, percent, seconds, set_header, to_json, typed


def test_text_that_looks_like_syntax_stays_text() -> None:
    value = {"a": 'quote " newline \n brace } percent %REQ(x)% snow ☃'}
    assert json.loads(to_json(value)) == value


def test_the_same_message_is_the_same_text() -> None:
    assert to_json({"b": 1, "a": 2}) == to_json({"a": 2, "b": 1}) == '{"a":2,"b":1}'


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json({"a": float("nan")})


def test_durations_are_envoy_s_and_none_is_no_limit() -> None:
    assert [seconds(1.5), seconds(60), seconds(0.001), seconds(None)] == ["1.500s", "60.000s", "0.001s", "0.000s"]


def test_shares_are_of_a_hundred() -> None:
    assert percent(5) == {"default_value": {"numerator": 5, "denominator": "HUNDRED"}}


def test_the_small_messages() -> None:
    assert typed("envoy.x.Y", {"a": 1}) == {"@type": "type.googleapis.com/envoy.x.Y", "a": 1}
    assert set_header("a", "b") == {"header": {"key": "a", "value": "b"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    assert path_source("/d/f.json") == {"path_config_source": {"path": "/d/f.json"}, "resource_api_version": "V3"}
