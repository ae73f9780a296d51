from typing import Any

import pytest
from tests.load import LoadPlan
from tests.load.expect import wrong_body


def problem(body: bytes, **values: Any) -> str | None:
    return wrong_body(LoadPlan(url="http://h/", rate=1, seconds=1, **values), body)


@pytest.mark.parametrize("path", ["outputs.0.data", "outputs.-1.data"])
def test_a_field_is_found_through_keys_and_positions(path: str) -> None:
    assert problem(b'{"outputs": [{"data": [1]}]}', expect_fields={path: [1]}) is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"outputs": [{"data": [2]}]}', "expected [1], got '[2]'"),
        (b'{"outputs": []}', "expected a field outputs.0.data"),
        (b'{"outputs": 3}', "expected a field outputs.0.data"),
        (b"", "expected JSON, got b''"),
    ],
)
def test_a_wrong_or_missing_field_is_told(body: bytes, told: str) -> None:
    assert told in (problem(body, expect_fields={"outputs.0.data": [1]}) or "")


def test_a_body_must_match_the_expression_somewhere() -> None:
    assert problem(b"revision abc", expect_body="abc|def") is None
    assert problem(b"revision xyz", expect_body="abc|def") == "expected a body matching 'abc|def', got 'revision xyz'"


def test_without_expectations_any_body_is_right() -> None:
    assert problem(b"\xff") is None
