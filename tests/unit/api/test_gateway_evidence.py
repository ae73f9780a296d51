"""What a pod said, and which of two words is its last."""

import pytest

from fairlead.api.gateway_evidence import PodEvidence


@pytest.mark.parametrize(
    ("later", "earlier"),
    [((1.0, 20.0), (1.0, 10.0)), ((2.0, 5.0), (1.0, 10.0))],
    ids=["by its clock", "by its process, whatever the clock"],
)
def test_the_later_word_of_a_pod_is_known(later: tuple[float, float], earlier: tuple[float, float]) -> None:
    last, first = (PodEvidence(at, started, {}) for started, at in (later, earlier))
    assert last.is_after(first)
    assert not first.is_after(last)
    assert not last.is_after(last)
