"""Whatever MLflow, or what stands before it, answers: a value of the expected form, or an error that says what came."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from fairlead.adapters.mlflow_answers import (
    BODY_LIMIT_BYTES,
    Missing,
    aliases_of,
    field_of,
    items_of,
    parse_answer,
    quoted,
    read_body,
    tags_of,
    text_of,
    version_of,
)
from fairlead.errors import RegistryError

PATH = "/registered-models/get"
HOST = "mlflow.mlflow.svc:5000"


def failure(code: int, body: bytes) -> tuple[str, str]:
    with pytest.raises(RegistryError) as caught:
        parse_answer(code, body, PATH, HOST)
    return caught.value.reason, str(caught.value)


def test_a_json_object_is_the_answer_and_no_body_is_an_empty_one() -> None:
    assert parse_answer(200, b'{"a": 1}', PATH, HOST) == {"a": 1}
    assert parse_answer(200, b"", PATH, HOST) == {}


@pytest.mark.parametrize(
    ("code", "body"),
    [(404, b'{"error_code": "ANYTHING"}'), (400, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}')],
)
def test_what_mlflow_says_does_not_exist_is_missing(code: int, body: bytes) -> None:
    with pytest.raises(Missing):
        parse_answer(code, body, PATH, HOST)


def test_the_host_check_is_told_from_a_lack_of_rights() -> None:
    reason, text = failure(403, b"Invalid Host header - possible DNS rebinding attack detected")
    assert (reason, "does its --allowed-hosts cover mlflow.mlflow.svc:5000?" in text) == ("RegistryForbidden", True)
    for code in (401, 403):
        reason, text = failure(code, b'{"error_code": "PERMISSION_DENIED", "message": "no rights"}')
        assert reason == "RegistryForbidden"
        assert "no rights; are the files of registry.credentialsDir right" in text
        assert "allowed-hosts" not in text


def test_of_a_page_only_the_title_is_told() -> None:
    page = b"<!doctype html>\n<html><head>\n<title>\n 502 Bad\n Gateway</title><script>var a = 1</script></head></html>"
    reason, text = failure(502, page)
    assert reason == "RegistryUnavailable"
    assert text.endswith("a page with the title '502 Bad Gateway', perhaps a proxy's")
    assert failure(200, page)[0] == "RegistryUnavailable"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "nothing"),
        (b"\xff\x00 broken \x1b[31m", "broken [31m"),
        (b"x" * 5000, "x" * 300),
        (b"[" * 100_000, "[" * 300),
        (b'{"message": "one\\ntwo"}', "one two"),
    ],
)
def test_what_was_said_is_brief_and_on_one_line(body: bytes, said: str) -> None:
    _, text = failure(500, body)
    assert text.startswith("MLflow answered 500 to /registered-models/get: ")
    assert text.endswith(said)
    assert text.isprintable()


async def test_a_body_is_read_up_to_a_limit() -> None:
    assert await read_body(httpx.Response(200, content=b"x" * BODY_LIMIT_BYTES))
    with pytest.raises(RegistryError, match=f"more than {BODY_LIMIT_BYTES} bytes"):
        await read_body(httpx.Response(200, content=b"x" * (BODY_LIMIT_BYTES + 1)))


def test_parts_of_a_known_form_are_read() -> None:
    found = {"a": {"b": 7}, "tags": [{"key": "k", "value": "v"}, {"key": "empty"}], "version": 12}
    assert field_of(found, PATH, "a") == {"b": 7}
    assert text_of(found, PATH, "a", "b") == "7"
    assert version_of(found, PATH) == "12"
    assert tags_of(found, PATH) == {"k": "v", "empty": ""}
    assert (items_of({}, PATH, "tags"), tags_of({}, PATH)) == ([], {})
    model = {"aliases": [{"alias": "candidate", "version": "3"}]}
    assert aliases_of({"registered_model": model}, PATH) == {"candidate": "3"}
    assert aliases_of({"registered_model": {}}, PATH) == {}


@pytest.mark.parametrize(
    ("read", "found", "field"),
    [
        (lambda it: field_of(it, PATH, "a", "b"), {"a": {}}, "a.b"),
        (lambda it: field_of(it, PATH, "a", "b"), {"a": "text"}, "a.b"),
        (lambda it: field_of(it, PATH, "a"), ["a"], "a"),
        (lambda it: text_of(it, PATH, "a"), {"a": None}, "a"),
        (lambda it: text_of(it, PATH, "a"), {"a": True}, "a"),
        (lambda it: text_of(it, PATH, "a"), {"a": ""}, "a"),
        (lambda it: text_of(it, PATH, "a"), {"a": ["x"]}, "a"),
        (lambda it: version_of(it, PATH), {"version": "3.1"}, "version"),
        (lambda it: version_of(it, PATH), {"version": "-3"}, "version"),
        (lambda it: items_of(it, PATH, "runs"), {"runs": {"a": 1}}, "runs"),
        (lambda it: items_of(it, PATH, "runs"), {"runs": ["a"]}, "runs"),
        (lambda it: items_of(it, PATH, "runs"), {"runs": None}, "runs"),
        (lambda it: items_of(it, PATH, "runs"), [], "runs"),
        (lambda it: tags_of(it, PATH), {"tags": [{"value": "v"}]}, "key"),
        (lambda it: aliases_of(it, PATH), {}, "registered_model"),
        (lambda it: aliases_of(it, PATH), {"registered_model": {"aliases": [{"alias": "a"}]}}, "version"),
    ],
)
def test_a_form_that_is_not_known_names_path_and_field(read: Callable[[Any], Any], found: Any, field: str) -> None:
    with pytest.raises(RegistryError, match=f"{PATH} in a form that is not known: {field}: expected") as caught:
        read(found)
    assert caught.value.reason == "RegistryUnavailable"


def test_a_text_becomes_a_literal_of_the_filter_language_or_is_refused() -> None:
    assert quoted("churn") == "'churn'"
    assert quoted("o'hara") == '"o\'hara"'
    for text in ("both ' and \"", "back\\slash"):
        with pytest.raises(ValueError, match="quotes"):
            quoted(text)
