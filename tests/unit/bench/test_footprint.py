"""What /proc says of a process."""

import os

import pytest
from tests.bench.footprint import footprint_of, parse_footprint

STATUS = "Name:\tpython\nVmPeak:\t  999999 kB\nVmHWM:\t   204800 kB\nVmRSS:\t   102400 kB\n"


def test_memory_is_in_mib_and_processor_time_in_seconds() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    stat = f"7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 {3 * ticks} {2 * ticks} 0 0"
    found = parse_footprint(STATUS, stat)
    assert (found.resident_mib, found.peak_mib, found.processor_seconds) == (100, 200, 5)


def test_this_process_has_used_something() -> None:
    found = footprint_of(os.getpid())
    assert found.peak_mib >= found.resident_mib > 1
    assert found.processor_seconds > 0


def test_a_process_that_is_gone_has_no_footprint() -> None:
    with pytest.raises(FileNotFoundError):
        footprint_of(2**22 + 1)
