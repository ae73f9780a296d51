"""The annotation by which people ask for something beside the spec."""

import pytest

from fairlead.api.request import NONCE_LIMIT, InvalidRequest, Request, Verb, parse_request
from fairlead.api.rollout_status import LastRequest


@pytest.mark.parametrize("verb", Verb)
def test_each_verb_is_read_as_it_was_written(verb: Verb) -> None:
    request = Request(verb, "churn-5e6f7a8b", "k3x9")
    assert str(request) == f"{verb}@churn-5e6f7a8b#k3x9"
    assert parse_request(str(request)) == request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "<verb>@<revision>#<nonce>"),
        ("promote", "<verb>@<revision>#<nonce>"),
        ("promote@churn-1", "<verb>@<revision>#<nonce>"),
        ("promote#a1", "<verb>@<revision>#<nonce>"),
        ("promote#a1@churn-1", "<verb>@<revision>#<nonce>"),
        ("Promote@churn-1#a1", "one of the verbs promote, abort"),
        (" promote@churn-1#a1", "one of the verbs"),
        ("delete@churn-1#a1", "one of the verbs"),
        ("@churn-1#a1", "one of the verbs"),
        ("abort@#a1", "a revision's name"),
        ("abort@churn_1#a1", "a revision's name"),
        ("abort@churn-#a1", "a revision's name"),
        ("abort@a@b#a1", "a revision's name"),
        (f"abort@{'c' * 64}#a1", "a revision's name"),
        ("abort@churn-1#", "a nonce"),
        ("abort@churn-1#a b", "a nonce"),
        ("abort@churn-1#a#b", "a nonce"),
        ("abort@churn-1#a1\n", "a nonce"),
        ("abort@churn-1#\u0661", "a nonce"),
        (f"abort@churn-1#{'n' * (NONCE_LIMIT + 1)}", "a nonce"),
        ("abort@churn-1#" + "n" * 200_000, "at most 160 characters"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected_and_what_came(text: str, expected: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(text)
    told = str(caught.value)
    assert told.startswith("expected ") and expected in told and ", got " in told
    assert len(told) < 250 and told.isprintable()


def test_the_longest_request_fits_what_the_status_keeps_of_it() -> None:
    request = parse_request(f"promote@{'c' * 63}#{'n' * NONCE_LIMIT}")
    limits = {
        name: next(item.max_length for item in field.metadata if hasattr(item, "max_length"))
        for name, field in LastRequest.model_fields.items()
        if name in ("verb", "revision", "nonce")
    }
    assert limits == {"verb": 32, "revision": 63, "nonce": NONCE_LIMIT}
    assert (len(request.revision), len(request.nonce)) == (63, NONCE_LIMIT)
