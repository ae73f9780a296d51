"""The system's clock."""

from datetime import UTC

from fairlead.adapters.clock import SystemClock


def test_wall_clock_time_is_utc_in_whole_seconds() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert now.microsecond == 0


def test_looks_are_told_apart_by_fractions_of_a_second() -> None:
    clock = SystemClock()
    assert len({clock.wall_seconds() for _ in range(1000)}) > 10
    assert abs(clock.wall_seconds() - clock.now().timestamp()) < 2


async def test_monotonic_time_passes_while_sleeping() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009
