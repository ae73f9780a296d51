"""The words about a namespace's gateway."""

from fairlead.api.gateway_reasons import EXPLAINED_GATEWAY
from fairlead.api.reasons import EXPLAINED, Reason


def test_every_word_is_a_reason_and_explained_once() -> None:
    assert {Reason(word) for word in EXPLAINED_GATEWAY} <= set(Reason)
    assert all(EXPLAINED[Reason(word)] is explained for word, explained in EXPLAINED_GATEWAY.items())


def test_every_word_that_names_the_gateway_is_among_them() -> None:
    assert {reason.value for reason in Reason if reason.value.startswith("Gateway")} <= set(EXPLAINED_GATEWAY)
