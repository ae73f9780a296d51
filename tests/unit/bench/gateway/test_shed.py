from pathlib import Path

import pytest
from tests.bench.gateway.shed import Shedding, by_second, picture, table

RUN = Shedding(
    fail_share=1.0,
    bad_from=3,
    bad_until=8,
    attempts=(90, 100, 100, 20, 10, 1, 0, 2, 50, 100),
    failures=(0, 0, 0, 20, 10, 1, 0, 2, 0, 0),
    sent=2000,
    failed=0,
    load_average=0.5,
)
ROOT = Path(__file__).resolve().parents[4]


def test_a_run_survives_being_written_down() -> None:
    assert Shedding.from_json(RUN.to_json()) == RUN


def test_before_and_after_leave_out_the_first_second_and_the_two_in_which_it_is_noticed() -> None:
    assert RUN.before_per_second == 100
    assert RUN.while_bad_per_second == pytest.approx(1.0)


def test_counts_by_the_clock_become_counts_since_the_start() -> None:
    assert by_second({"1000": 5, "1002": 7, "999": 3}, 1000.2, 4) == (5, 0, 7, 0)


def test_the_table_tells_the_users_failures() -> None:
    assert "| 100 % | 100 | 1.0 | 2,000 | 0 |" in table([RUN])


def test_the_picture_has_a_line_for_each_run_and_marks_when_it_was_bad() -> None:
    drawn = picture([RUN, RUN])
    for words in ("fails 100 % of them", "turns bad", "is good again"):
        assert words in drawn


def test_the_committed_picture_is_drawn_from_the_committed_measurement() -> None:
    lines = (ROOT / "docs/measurements/gateway-shedding.jsonl").read_text().splitlines()
    drawn = picture([Shedding.from_json(line) for line in lines])
    assert drawn == (ROOT / "docs/pictures/gateway-shedding.svg").read_text()
