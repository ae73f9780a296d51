"""The rules of others."""

from dataclasses import replace

import numpy as np
from tests.bench.evidence.rivals import Rivals
from tests.bench.evidence.streams import Second


def second(candidate: int, failures: int, stable: int = 90, stable_failures: int = 0) -> Second:
    """One second of one rollout."""
    nothing = np.zeros(1, int)
    whole = Second(*[nothing] * 9)
    return replace(
        whole,
        candidate=np.array([candidate]),
        failures=np.array([failures]),
        stable=np.array([stable]),
        stable_failures=np.array([stable_failures]),
    )


def given_up(*minutes: tuple[int, int]) -> dict[str, float]:
    """When each rule gives up, for minutes of so many requests and failures a second."""
    rivals = Rivals(1)
    for candidate, failures in minutes:
        for _ in range(60):
            rivals.step_on(second(candidate, failures))
    return {name: float(ends[0]) for name, ends in rivals.given_up.items()}


def test_flagger_rolls_back_on_the_tick_after_the_fifth_failed_check() -> None:
    assert given_up(*[(10, 1)] * 6)["Flagger"] == 360
    assert given_up(*[(10, 1)] * 4, *[(10, 0)] * 3, (10, 1), (10, 0))["Flagger"] == 540


def test_argo_fails_at_the_first_or_at_the_fourth_failed_measurement() -> None:
    ends = given_up(*[(10, 1)] * 4)
    assert (ends["Argo, default"], ends["Argo, limit 3"]) == (60, 240)


def test_no_answer_is_a_failed_check_for_both() -> None:
    ends = given_up(*[(0, 0)] * 6)
    assert (ends["Flagger"], ends["Argo, default"], ends["z test"]) == (360, 60, np.inf)


def test_a_good_version_passes_them_all() -> None:
    assert set(given_up(*[(10, 0)] * 10).values()) == {np.inf}


def test_the_fixed_sample_test_convicts_what_is_far_worse() -> None:
    assert given_up((10, 2))["z test"] == 60
