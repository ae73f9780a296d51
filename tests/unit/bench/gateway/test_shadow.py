"""The table of what a shadow costs, and whether the goal is met."""

from dataclasses import replace

import pytest
from tests.bench.gateway.generator import Round
from tests.bench.gateway.shadow import AGAIN, ALONE, WAYS, Found, differences, table, text, verdict

from fairlead.api.gateway_evidence import ArmCounts

NO_COPIES = ArmCounts(*[0.0] * 13)
BASE = (Round(250, 0, 0.7, 2.0, 5.0), Round(250, 0, 0.7, 2.0, 7.0), Round(250, 0, 0.9, 2.0, 6.0))


def above(*added: float, failed: int = 0, copies: ArmCounts = NO_COPIES) -> Found:
    """Rounds whose p99 is so much above those without a shadow."""
    rounds = tuple(replace(one, p99_ms=one.p99_ms + more) for one, more in zip(BASE, added, strict=True))
    return Found((replace(rounds[0], failed=failed), *rounds[1:]), copies)


ALIKE = {way: above(0, 0, 0) for way in WAYS} | {AGAIN: above(-1, 2, -3)}


def test_differences_are_taken_round_by_round() -> None:
    assert differences(above(1, -1, 3).rounds, BASE) == (1, -1, 3)


def test_a_row_has_the_median_round_and_what_became_of_the_copies() -> None:
    copies = replace(NO_COPIES, attempts=300, attempts_timed_out=100, overflows=40)
    rows = table({ALONE: ALIKE[ALONE], WAYS[2]: above(1, -1, 3, failed=2, copies=copies)}).splitlines()
    assert rows[2] == "| no shadow | 0.70 | 6.00 |  | 0 | 0 | 0 | 0 |"
    assert rows[3] == "| a shadow with 20 % | 0.70 | 6.00 | +1.00 (-1.00, +3.00) | 2 | 200 | 100 | 40 |"


@pytest.mark.parametrize(("added", "met"), [((2, 2, 2), True), ((9, 0, 0), True), ((2.1, 0, 2.1), False)])
def test_the_goal_is_that_a_shadow_adds_no_more_than_two_runs_without_one_usually_differ_by(
    added: tuple[float, float, float], met: bool
) -> None:
    said = verdict({**ALIKE, WAYS[3]: above(*added)})
    assert said.startswith("Noise: 2.00 ms. ")
    assert said.endswith("Goal met." if met else f"Goal missed: {WAYS[3].name} +2.10 ms.")


def test_the_page_says_under_which_load_it_was_measured() -> None:
    page = text(ALIKE, rounds=3, seconds=2, load_before=1.25, load_after=2.5)
    assert "Load average before and after it ran: 1.2 and 2.5." in page
    assert "3 rounds of 2 s each" in page and "`make bench-shadow`" in page
