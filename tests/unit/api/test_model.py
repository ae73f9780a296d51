"""The base of the API types."""

import pytest
from pydantic import ValidationError

from fairlead.api.model import ApiModel, cel, list_map, rules


class Sample(ApiModel):
    first_word: str
    second_word: str | None = None


def test_the_wire_form_is_camel_case_without_absent_fields() -> None:
    assert Sample(first_word="a").wire() == {"firstWord": "a"}


def test_unknown_fields_are_left_out_as_the_api_server_prunes_them() -> None:
    assert Sample.model_validate({"firstWord": "a", "frstWord": "b"}).wire() == {"firstWord": "a"}


def test_a_parsed_object_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Sample(first_word="a").first_word = "b"  # type: ignore[misc]


def test_a_rule_names_its_field_only_when_asked_to() -> None:
    assert cel("self > 0", "expected more than 0") == {"rule": "self > 0", "message": "expected more than 0"}
    assert cel("true", "m", field_path=".a")["fieldPath"] == ".a"
    assert rules(cel("true", "m")) == {"x-kubernetes-validations": [{"rule": "true", "message": "m"}]}


def test_a_rule_can_say_what_came_and_its_quotes_survive() -> None:
    rule = cel("self != ''", "expected a user's word", got="self")
    assert rule["messageExpression"] == r"'expected a user\'s word, got ' + self"


def test_a_list_map_names_its_keys() -> None:
    assert list_map("name") == {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
