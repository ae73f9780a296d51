import json

import pytest
from starlette.requests import Request

from fairlead_serving.endpoint import _choose, failure, refusal
from fairlead_serving.errors import RequestRefused
from fairlead_serving.inference import Respond, score, score_csv
from fairlead_serving.metrics import ErrorClass

ACCEPTED: dict[str, Respond] = {"application/json": score, "text/csv": score_csv}


def request(**headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": named})


@pytest.mark.parametrize(
    ("content_type", "respond"),
    [
        ("application/json", score),
        ("Application/JSON; charset=UTF-8", score),
        ('application/json;charset="utf-8"', score),
        ("text/csv", score_csv),
    ],
)
def test_the_content_type_chooses_how_to_answer(content_type: str, respond: Respond) -> None:
    assert _choose(request(content_type=content_type), ACCEPTED) is respond


def test_a_body_without_a_content_type_is_taken_for_json() -> None:
    assert _choose(request(), ACCEPTED) is score


@pytest.mark.parametrize("content_type", ["", "application/x-www-form-urlencoded", "text/csv; charset=latin-1"])
def test_another_content_type_is_refused_with_those_that_are_known(content_type: str) -> None:
    with pytest.raises(RequestRefused, match="expected application/json or text/csv in UTF-8, got") as caught:
        _choose(request(content_type=content_type), ACCEPTED)
    assert caught.value.status == 415


def test_a_refusal_carries_field_expected_and_got_and_closes_where_the_body_was_not_read() -> None:
    answer = refusal(RequestRefused("body", "at most 5 bytes", "more", status=413))
    assert (answer.status, answer.error_class, answer.headers) == (413, ErrorClass.CLIENT, (("Connection", "close"),))
    assert json.loads(answer.body) == {
        "error": "body: expected at most 5 bytes, got more",
        "field": "body",
        "expected": "at most 5 bytes",
        "got": "more",
    }
    assert refusal(RequestRefused("id", "a string", "7")).headers == ()


def test_a_failure_is_json_with_its_headers() -> None:
    response = failure(429, ErrorClass.OVERLOAD, "later", ("Retry-After", "3")).response()
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    assert response.headers["content-type"] == "application/json"
