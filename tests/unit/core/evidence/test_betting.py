"""The e-processes."""

from math import comb, exp, isfinite

import pytest

from fairlead.core.evidence import betting
from fairlead.core.evidence.betting import (
    FAST,
    FAST_BY_LIMIT,
    SURE_LONG,
    SURE_SHORT,
    Capital,
    Form,
    advance_long,
    advance_short,
    factor,
)
from fairlead.core.evidence.tally import NOTHING, Tally, absolute, relative

FORMS = (*FAST, FAST_BY_LIMIT[1], SURE_SHORT, SURE_LONG)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("candidate", "stable", "failed"), [(10, 90, 4), (50, 50, 9), (95, 5, 40), (5, 995, 1)])
def test_the_mean_factor_of_a_2x2_table_is_at_most_one(form: Form, candidate: int, stable: int, failed: int) -> None:
    whole = comb(candidate + stable, failed)
    weight = candidate / (candidate + stable)
    mean = 0.0
    for hits in range(max(0, failed - stable), min(failed, candidate) + 1):
        likely = comb(candidate, hits) * comb(stable, failed - hits) / whole
        mean += likely * factor(form, relative(candidate, stable, hits, failed - hits, weight=weight, floor=0.0))
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("limit", [0.001, 0.02, 0.3])
def test_the_mean_factor_of_a_candidate_at_its_limit_is_at_most_one(form: Form, limit: float) -> None:
    mean = sum(
        comb(40, hits) * limit**hits * (1 - limit) ** (40 - hits) * factor(form, absolute(40, hits, limit))
        for hits in range(41)
    )
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("form", [form for form in FORMS if not form.burst])
@pytest.mark.parametrize("weight", [0.001, 0.05, 0.5, 0.95, 0.999])
def test_a_window_whose_failures_all_fall_on_one_arm_is_still_a_fair_bet(form: Form, weight: float) -> None:
    all_mine, all_theirs = Tally(50, 50, 50 * weight, 0, 50), Tally(0, 50, 50 * weight, 0, 50)
    assert weight * factor(form, all_mine) + (1 - weight) * factor(form, all_theirs) <= 1 + 1e-9


@pytest.mark.parametrize("form", [FAST[1], FAST_BY_LIMIT[1]])
@pytest.mark.parametrize("weight", [0.01, 0.1, 0.5, 0.95])
def test_the_burst_form_is_a_fair_bet_on_bursts_of_five(form: Form, weight: float) -> None:
    mine, theirs = Tally(5, 5, 5 * weight, 0, 5), Tally(0, 5, 5 * weight, 0, 5)
    assert weight * factor(form, mine) + (1 - weight) * factor(form, theirs) == pytest.approx(1)


@pytest.mark.parametrize("form", FORMS)
def test_where_nothing_else_was_possible_there_is_no_bet(form: Form) -> None:
    assert factor(form, Tally(3, 3, 3, 3, 3)) == 1
    assert factor(form, Tally(0, 4, 0, 0, 4)) == 1


@pytest.mark.parametrize("form", FORMS)
def test_the_worst_outcome_costs_no_more_than_the_stake(form: Form) -> None:
    if not form.burst:
        assert factor(form, Tally(0, 9, 3, 0, 9)) >= 1 - form.stake - 1e-12


def test_sure_capital_grows_no_faster_than_its_bound() -> None:
    everything = Tally(1e6, 1e6, 1e3, 0, 1e6)
    assert factor(SURE_SHORT, everything) == pytest.approx(exp(betting.SHORT_GROWTH_PER_SECOND))
    assert factor(SURE_LONG, everything) == pytest.approx(exp(betting.LONG_GROWTH_PER_SECOND * 4))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("hits", [0.0, 1.0, 5e11, 1e12])
@pytest.mark.parametrize("weight", [0.001, 0.5, 0.999])
def test_a_million_millions_do_not_overflow(form: Form, hits: float, weight: float) -> None:
    value = factor(form, Tally(hits, 1e12, 1e12 * weight, 0, 1e12))
    assert isfinite(value)
    assert value > 0


def test_capital_is_cut_where_it_decides_nothing_any_more() -> None:
    rich = Capital((betting.RICHEST, betting.RICHEST), (betting.RICHEST, betting.RICHEST))
    worst = Tally(100, 100, 1, 0, 100)
    assert advance_short(rich, worst, 0.0, 0.0).fast == (betting.RICHEST, betting.RICHEST)
    assert advance_short(rich, worst, 0.0, 0.0).sure[0] == betting.RICHEST
    assert advance_long(rich, worst, 0.0).sure[1] == betting.RICHEST


def test_an_empty_window_only_lets_new_capital_in() -> None:
    after = advance_long(advance_short(Capital(), NOTHING, 0.1, 0.2), NOTHING, 0.3)
    assert after == Capital((0.7, 0.7), (0.6, 0.8))


def test_the_fast_process_rests_while_braked() -> None:
    after = advance_short(Capital(), Tally(5, 5, 1, 0, 5), 0.0, None)
    assert after.fast == Capital().fast
    assert after.sure[0] > Capital().sure[0]


def test_the_sure_capital_is_put_in_within_a_day_and_never_exceeds_one() -> None:
    assert betting.invested(0) == 0.5
    assert betting.invested(600) < betting.invested(3600) < betting.invested(86_400) == pytest.approx(1)
    assert betting.invested(1e9) == 1


def test_without_any_failure_the_evidence_is_what_was_put_in() -> None:
    assert betting.sure_value(Capital(), 0, 0) == pytest.approx(1)
    assert betting.fast_value(Capital()) == pytest.approx(0.5)


def test_against_a_limit_a_form_of_two_stakes_wins_from_a_version_that_fails_a_fifth_and_from_one_that_fails_all() -> (
    None
):
    fifth, everything = absolute(100, 20, 0.02), absolute(10, 10, 0.02)
    assert factor(FAST_BY_LIMIT[1], fifth) > 20 * factor(FAST[0], fifth)
    assert factor(FAST_BY_LIMIT[1], everything) > 0.4 * factor(FAST[1], everything)
    assert factor(FAST[1], fifth) < 1, "which stakes nearly everything on every request"
