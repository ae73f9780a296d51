"""The vocabulary of reasons."""

import re

import pytest

from fairlead.api.reasons import EXPLAINED, Reason


def test_every_reason_is_explained_and_nothing_else_is() -> None:
    assert set(EXPLAINED) == set(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_one_word_that_kubernetes_takes(reason: Reason) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]{2,63}", reason.value)
    assert reason.name == re.sub(r"(?<!^)(?=[A-Z])", "_", reason.value).upper()


@pytest.mark.parametrize("reason", list(Reason))
def test_an_explanation_is_made_of_sentences_that_fit_a_table(reason: Reason) -> None:
    explained = EXPLAINED[reason]
    for text in (explained.meaning, explained.action):
        assert text.endswith("."), text
        assert "|" not in text
        assert "\n" not in text


@pytest.mark.parametrize("reason", [reason for reason in Reason if EXPLAINED[reason].stalls])
def test_a_reason_that_stalls_says_what_to_do(reason: Reason) -> None:
    assert EXPLAINED[reason].action not in ("Nothing.", "Wait.")
