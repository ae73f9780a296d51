"""The rows of the tables."""

from tests.bench.evidence.rows import BAD_ROWS, FALSE_ROWS, drawn_rows


def test_no_two_rows_have_the_same_name() -> None:
    names = [row.name for row in (*FALSE_ROWS, *BAD_ROWS)]
    assert len(set(names)) == len(names)


def test_every_row_has_a_thousand_runs_but_those_that_take_an_hour_to_turn_bad() -> None:
    assert all(row.runs >= 1000 for row in (*FALSE_ROWS, *BAD_ROWS) if "after 60 min" not in row.name)


def test_the_drawn_rows_hang_on_their_seed_alone() -> None:
    assert drawn_rows(5) == drawn_rows(5)
    assert drawn_rows(5) != drawn_rows(6)
    assert all(row.scenario.good == row.scenario.bad for row in drawn_rows(5))
