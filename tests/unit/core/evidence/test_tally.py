"""A look as a bet sees it."""

from fairlead.core.evidence.tally import NOTHING, Tally, absolute, relative


def test_a_look_without_failures_says_nothing() -> None:
    assert relative(10, 90, 0, 0, weight=0.1, floor=0.0) == NOTHING
    assert absolute(0, 0, 0.02) == NOTHING


def test_with_enough_requests_chance_gives_the_candidate_its_share_of_the_attempts() -> None:
    assert relative(20, 80, 3, 7, weight=0.1, floor=0.0) == Tally(3, 10, 2.0, 0, 10)


def test_the_margins_bound_what_can_happen() -> None:
    assert relative(95, 5, 90, 0, weight=0.95, floor=0.0) == Tally(90, 90, 85.5, 85, 90)
    assert relative(5, 95, 5, 5, weight=0.1, floor=0.0) == Tally(5, 10, 0.5, 0, 5)


def test_with_few_requests_chance_gives_the_candidate_its_weight() -> None:
    assert relative(1, 0, 1, 0, weight=0.1, floor=0.0) == Tally(1, 1, 0.1, 0, 1)


def test_the_expectation_does_not_fall_below_the_greater_weight_of_a_moment_ago() -> None:
    assert relative(5, 95, 5, 5, weight=0.05, floor=0.3) == Tally(5, 10, 3.0, 0, 5)
    assert relative(0, 3, 0, 3, weight=0.05, floor=0.5) == Tally(0, 3, 1.5, 0, 3)


def test_the_expectation_stays_within_what_can_happen() -> None:
    assert relative(5, 95, 2, 8, weight=0.05, floor=0.9) == Tally(2, 10, 5.0, 0, 5)


def test_a_limit_expects_its_part_of_the_attempts() -> None:
    assert absolute(200, 10, 0.02) == Tally(10, 200, 4.0, 0, 200)


def test_tallies_add_up() -> None:
    assert Tally(1, 2, 3, 4, 5).plus(Tally(10, 20, 30, 40, 50)) == Tally(11, 22, 33, 44, 55)
