"""The words of a rollout's verdicts."""

from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.rollout_reasons import EXPLAINED_ROLLOUT
from fairlead.core.rollout.checks import CHECKS


def test_every_word_is_a_reason_and_explained_once() -> None:
    assert {Reason(word) for word in EXPLAINED_ROLLOUT} <= set(Reason)
    assert all(EXPLAINED[Reason(word)] is explained for word, explained in EXPLAINED_ROLLOUT.items())


def test_the_words_of_every_check_are_among_them() -> None:
    used = {name for check in CHECKS for name in check.__code__.co_names if name in Reason.__members__}
    assert {Reason[name].value for name in used} - {"Serving", "Scaling"} <= set(EXPLAINED_ROLLOUT)
