"""How the rows are measured."""

from dataclasses import replace

import numpy as np
import pytest
from tests.bench.evidence import measure
from tests.bench.evidence.rows import BAD_ROWS, FALSE_ROWS


@pytest.mark.parametrize(
    ("hits", "runs", "bound"),
    [(0, 1000, 0.00299), (4, 1000, 0.00913), (5, 10, 0.7776), (900, 3000, 0.31407), (7, 7, 1.0)],
)
def test_the_bound_is_that_of_clopper_and_pearson(hits: int, runs: int, bound: float) -> None:
    assert measure.upper_bound(hits, runs) == pytest.approx(bound, abs=1e-4)


def test_every_row_has_a_seed_of_its_own() -> None:
    names = [row.name for row in (*FALSE_ROWS, *BAD_ROWS)]
    assert len({measure.seed_of(name, 1) for name in names}) == len(names)
    assert measure.seed_of(names[0], 1) != measure.seed_of(names[0], 2)


def test_a_good_version_is_measured_beside_the_rivals() -> None:
    row = next(row for row in FALSE_ROWS if row.name.startswith("joint outage, 5 min at 50"))
    result = measure.measure_false(replace(row, runs=20, seconds=950), 1)
    assert result.rolled_back == 0
    assert result.rivals["Argo, limit 3"] == 1


def test_a_bad_version_is_braked_before_it_is_rolled_back() -> None:
    result = measure.measure_bad(replace(BAD_ROWS[1], runs=20, seconds=60), 1)
    assert result.brake[0] < result.sure[0] < 60
    assert result.rivals["Flagger"] == 360


def test_a_version_that_hiccuped_once_resumes() -> None:
    assert 25 < measure.measure_resume(1).resumed[0] < 120


def test_a_decision_costs_some_microseconds() -> None:
    assert 1 < measure.measure_cost(looks=50) < 5000


def test_nothing_seen_is_infinite() -> None:
    assert measure._quantiles(np.array([])) == (np.inf, np.inf)
