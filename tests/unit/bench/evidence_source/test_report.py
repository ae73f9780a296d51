"""The table of the evidence source, and what it is held against."""

import pytest
from tests.bench.evidence_source.reader import Reading
from tests.bench.evidence_source.report import judged, last_line, missed_goal, table

SMALL = Reading(namespaces=10, split=True, seconds=20, reads=400, failures=0, share=0.5)
QUIET = Reading(namespaces=100, split=False, seconds=20, reads=400, failures=0, share=0.5)


def of_100(share: float, failures: int = 0) -> Reading:
    return Reading(namespaces=100, split=True, seconds=20, reads=4000, failures=failures, share=share)


def test_each_row_says_how_much_was_read_and_what_it_cost() -> None:
    lines = table([of_100(0.1), QUIET]).splitlines()
    assert lines[2] == "| 100 | 200 | second | 200 | 0 | 10.0% | 500 µs |"
    assert lines[3].startswith("| 100 | 200 | ten seconds | 20 |")


def test_a_hundred_namespaces_with_rollouts_are_judged() -> None:
    assert judged([SMALL, QUIET, of_100(0.2)]).share == 0.2
    assert last_line([SMALL, QUIET, of_100(0.1234)]) == "direct: 100 namespaces cost 12.3 % of a core"
    with pytest.raises(StopIteration):
        judged([SMALL, QUIET])


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (of_100(0.30), ""),
        (of_100(0.31), "31.0% of a core, goal 30%"),
        (of_100(0.1, failures=1), "1 of 4000 reads failed, goal 0"),
    ],
)
def test_a_missed_goal_is_told(found: Reading, missed: str) -> None:
    assert missed_goal([SMALL, found]) == missed
