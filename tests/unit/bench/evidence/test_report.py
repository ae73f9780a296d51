"""The tables as text."""

from dataclasses import replace
from math import inf, nan

from tests.bench.evidence import report
from tests.bench.evidence.measure import BadResult, FalseResult
from tests.bench.evidence.rivals import NAMES
from tests.bench.evidence.rows import BAD_ROWS, EPISODE, FALSE_ROWS

RIVALS = dict.fromkeys(NAMES, 0.5)
GOOD = FalseResult(replace(FALSE_ROWS[0], runs=1000, seconds=1800), 1, 20, RIVALS)
FOUND = {"5% errors": 12.0, "20% errors": 4.0, "100% errors": 2.0}
BAD = [
    BadResult(row, (FOUND[row.name], 30.0), (14.0, inf), (inf, inf), 15.0, 0, dict.fromkeys(NAMES, nan))
    for row in BAD_ROWS
    if row.name in FOUND
]
RESUMED = BadResult(EPISODE, (3.0, 5.0), (inf, inf), (30.0, 35.0), 5.0, 0, RIVALS)


def test_a_row_shows_the_share_its_bound_and_the_rivals() -> None:
    row = report.false_table([GOOD]).splitlines()[-1]
    assert row == "| steady, 10 requests/min, 10 % | 30 | 1,000 | 0.10% | 0.47% | 1% | 2.0% | 50% | 50% | 50% | 50% |"


def test_what_was_not_seen_is_a_dash() -> None:
    assert "| 14 / - | 50 | 15 | - | - | - | - |" in report.bad_table(BAD[:1])


def test_goals_that_are_met_are_not_listed() -> None:
    assert list(report.missed_goals([GOOD], BAD, RESUMED, 9.0)) == []


def test_each_missed_goal_is_listed_with_its_figure() -> None:
    bad = replace(BAD[0], brake=(14.0, 40.0), sure=(51.0, inf))
    late = replace(RESUMED, resumed=(130.0, 140.0))
    missed = list(report.missed_goals([replace(GOOD, rolled_back=6)], [bad], late, 11.0))
    assert missed == [
        "steady, 10 requests/min, 10 %: at most 1.18% (0.60% seen), goal 1%",
        "5% errors: braked after 14 s, goal 13 s",
        "5% errors: rolled back after 51 s, goal 50 s",
        "resumed after 130 s, goal 120 s",
        "1,000 rollouts a second cost 11.0 % of a core, goal 10 %",
    ]


def test_the_last_line_has_the_worst_bound_and_the_three_medians() -> None:
    assert report.last_line([GOOD], BAD) == (
        "evidence: worst false rollback 0.47 %, detection of 5/20/100 % errors 12/4/2 s"
    )


def test_a_row_in_short() -> None:
    assert report.summary(GOOD) == "steady, 10 requests/min, 10 %: 1 of 1000 rolled back, 20 braked"
    assert report.summary(BAD[0]) == "5% errors: braked 12 / 30 s, rolled back 14 / - s"
