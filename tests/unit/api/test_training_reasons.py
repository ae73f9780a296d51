"""The words of a TrainingJob's life."""

from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.training_reasons import EXPLAINED_TRAINING


def test_every_word_is_a_reason_and_explained_once() -> None:
    assert {Reason(word) for word in EXPLAINED_TRAINING} <= set(Reason)
    assert all(EXPLAINED[Reason(word)] is explained for word, explained in EXPLAINED_TRAINING.items())
