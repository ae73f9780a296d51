"""From cumulative counters to what is new."""

from tests.unit.core.evidence.streams import reading

from fairlead.core.evidence.counting import MAX_GATEWAYS, Kept, absorb
from fairlead.core.evidence.sample import Counters, Reading

ZERO = Counters()


def counted(*readings: Reading) -> tuple[tuple[Kept, ...], list[tuple[int, int, int, int]]]:
    """What is kept, and per reading the new (candidate attempts, failures, stable attempts, failures)."""
    kept: tuple[Kept, ...] = ()
    new = []
    for one in readings:
        kept, looks, _ = absorb(kept, (one,))
        new += [(x.candidate.attempts, x.candidate.failures, x.stable.attempts, x.stable.failures) for x in looks]
    return kept, new


def test_the_first_reading_of_a_process_is_a_baseline() -> None:
    kept, new = counted(reading(Counters(100, 50), Counters(900, 4)))
    assert new == []
    assert kept[0].candidate.attempts == 100


def test_only_what_is_new_counts() -> None:
    _, new = counted(reading(Counters(100, 50), Counters(900, 4)), reading(Counters(110, 53), Counters(990, 4), at=1))
    assert new == [(10, 3, 90, 0)]


def test_a_reading_that_comes_twice_adds_nothing() -> None:
    one = reading(Counters(10, 1), Counters(90, 0), at=1)
    _, new = counted(reading(ZERO, ZERO), one, one)
    assert new == [(10, 1, 90, 0), (0, 0, 0, 0)]


def test_a_late_reading_adds_nothing_and_takes_nothing_away() -> None:
    _, new = counted(
        reading(ZERO, ZERO),
        reading(Counters(20, 2), Counters(180, 0), at=2),
        reading(Counters(10, 1), Counters(90, 0), at=1),
        reading(Counters(30, 3), Counters(270, 0), at=3),
    )
    assert new == [(20, 2, 180, 0), (0, 0, 0, 0), (10, 1, 90, 0)]


def test_another_process_starts_from_a_baseline_of_its_own() -> None:
    _, new = counted(
        reading(Counters(1000, 10), Counters(9000, 0)),
        reading(Counters(50, 50), Counters(90, 0), at=1, started="p2"),
        reading(Counters(60, 50), Counters(180, 0), at=2, started="p2"),
    )
    assert new == [(10, 0, 90, 0)]


def test_counters_that_fell_at_a_later_moment_were_reset() -> None:
    _, new = counted(
        reading(Counters(1000, 10), Counters(9000, 0), at=1),
        reading(Counters(5, 5), Counters(45, 0), at=2),
        reading(Counters(6, 5), Counters(54, 0), at=3),
    )
    assert new == [(1, 0, 9, 0)]


def test_a_gateway_whose_clock_was_set_back_is_still_heard() -> None:
    _, new = counted(reading(ZERO, ZERO, at=1000), reading(Counters(10, 1), Counters(90, 0), at=400))
    assert new == [(10, 1, 90, 0)]


def test_a_broken_reading_is_left_out_and_its_counts_come_with_the_next() -> None:
    nan = float("nan")
    _, new = counted(
        reading(ZERO, ZERO),
        reading(Counters(nan, 1), Counters(90, 0), at=1),
        reading(Counters(10, 1), Counters(90, nan), at=1),
        reading(Counters(10, 1), Counters(90, 0), at=nan),
        reading(Counters(20, 1), Counters(180, 0), at=2),
    )
    assert new == [(20, 1, 180, 0)]


def test_a_failure_that_shows_before_its_attempt_is_counted_with_it() -> None:
    _, new = counted(reading(ZERO, ZERO), reading(Counters(1, 3), ZERO, at=1), reading(Counters(5, 3), ZERO, at=2))
    assert new == [(1, 1, 0, 0), (4, 2, 0, 0)]


def test_a_failure_that_stable_shared_is_nobody_s() -> None:
    _, new = counted(reading(ZERO, ZERO), reading(Counters(10, 8, shared=6), Counters(90, 40), at=1))
    assert new == [(10, 2, 90, 40)]


def test_a_shared_failure_that_shows_late_is_taken_off_the_next_ones() -> None:
    _, new = counted(
        reading(ZERO, ZERO),
        reading(Counters(10, 5, shared=0), ZERO, at=1),
        reading(Counters(20, 5, shared=4), ZERO, at=2),
        reading(Counters(30, 10, shared=4), ZERO, at=3),
    )
    assert [failures for _, failures, _, _ in new] == [5, 0, 1]


def test_slow_answers_never_outnumber_the_timed_ones() -> None:
    _, looks, _ = absorb(absorb((), (reading(ZERO, ZERO),))[0], (reading(Counters(9, 0, 0, 2, 5, 20), ZERO, at=1),))
    assert (looks[0].candidate.timed, looks[0].candidate.slow, looks[0].candidate.overloaded) == (2, 2, 9)


def test_several_gateways_are_counted_each_by_itself() -> None:
    kept, _, _ = absorb((), (reading(ZERO, ZERO, gateway="a"), reading(Counters(500, 5), ZERO, gateway="b")))
    readings = (reading(Counters(7, 1), ZERO, gateway="a", at=1), reading(Counters(505, 5), ZERO, gateway="b", at=1))
    _, looks, _ = absorb(kept, readings)
    assert [(look.candidate.attempts, look.candidate.failures) for look in looks] == [(7, 1), (5, 0)]


def test_the_gateways_seen_last_are_remembered() -> None:
    kept: tuple[Kept, ...] = ()
    for index in range(MAX_GATEWAYS + 3):
        kept, _, _ = absorb(kept, (reading(ZERO, ZERO, gateway=f"gw-{index}"),))
    assert len(kept) == MAX_GATEWAYS
    assert kept[-1].gateway == f"gw-{MAX_GATEWAYS + 2}"


def test_only_a_moment_or_a_process_of_its_own_is_news() -> None:
    one = reading(ZERO, ZERO, at=1)
    kept, _, fresh = absorb((), (one,))
    assert fresh
    assert not absorb(kept, (one,))[2]
    assert absorb(kept, (reading(ZERO, ZERO, at=2),))[2]
    assert not absorb(kept, ())[2]


def test_a_late_reading_is_no_news_however_often_it_comes() -> None:
    kept, _, _ = absorb((), (reading(ZERO, ZERO, at=1),))
    kept, _, _ = absorb(kept, (reading(Counters(20, 2), Counters(180, 0), at=20),))
    for _ in range(3):
        kept, _, fresh = absorb(kept, (reading(Counters(10, 1), Counters(90, 0), at=10),))
        assert not fresh
    assert absorb(kept, (reading(Counters(20, 2), Counters(180, 0), at=21),))[2]


def test_a_clock_that_was_set_back_has_news_as_soon_as_something_is_counted() -> None:
    kept, _, _ = absorb((), (reading(ZERO, ZERO, at=1000),))
    assert not absorb(kept, (reading(ZERO, ZERO, at=400),))[2]
    assert absorb(kept, (reading(Counters(1, 0), ZERO, at=400),))[2]


def test_two_late_readings_are_no_reset_either() -> None:
    first, second, third = (reading(Counters(10 * i, i), Counters(90 * i, 0), at=i) for i in (1, 2, 3))
    _, new = counted(reading(ZERO, ZERO), third, first, second, reading(Counters(40, 4), Counters(360, 0), at=4))
    assert new == [(30, 3, 270, 0), (0, 0, 0, 0), (0, 0, 0, 0), (10, 1, 90, 0)]
