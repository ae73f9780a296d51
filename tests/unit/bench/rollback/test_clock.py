from collections import Counter

from tests.bench.rollback.clock import brake_seconds, first_failure, last_above, merged


def half_then_probe(*, half: int, probe: int) -> dict[int, int]:
    """Attempts of a candidate with half of 200 requests/s for so many tenths, then with 5 %."""
    return dict.fromkeys(range(100, 100 + half), 10) | dict.fromkeys(range(100 + half, 100 + half + probe), 1)


def test_the_counts_of_pods_add_up_by_tenth() -> None:
    assert merged([{"1": 2, "2": 1}, {"2": 3}]) == Counter({1: 2, 2: 4})


def test_the_clock_starts_with_the_first_failure() -> None:
    assert first_failure({12: 0, 13: 1, 14: 5}) == 13


def test_the_last_tenth_above_the_share_is_found() -> None:
    assert last_above(half_then_probe(half=30, probe=100), rate=200, percent=27.5) == 129


def test_requests_that_come_together_by_chance_at_the_probe_s_weight_do_not_count() -> None:
    attempts = half_then_probe(half=30, probe=100) | {180: 7}
    assert last_above(attempts, rate=200, percent=27.5) == 129


def test_from_the_first_failure_to_the_last_request_above_the_share() -> None:
    assert brake_seconds(half_then_probe(half=30, probe=50), {105: 1}, rate=200, percent=27.5) == 2.5


def test_a_candidate_that_was_ejected_at_once_was_braked_by_its_first_failure() -> None:
    assert brake_seconds({100: 5, 150: 5}, {100: 5}, rate=200, percent=27.5) == 0.1
