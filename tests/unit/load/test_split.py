import pytest
from tests.load.split import binomial_band


@pytest.mark.parametrize(
    ("total", "share", "band"),
    # scipy.stats.binom.ppf(0.0005, n, p) and binom.isf(0.0005, n, p)
    [(10_000, 0.01, (69, 134)), (10_000, 0.5, (4835, 5165)), (10_000, 0.95, (9427, 9570)), (100, 0.05, (0, 13))],
)
def test_the_band_is_that_of_the_binomial_distribution(total: int, share: float, band: tuple[int, int]) -> None:
    assert binomial_band(total, share) == band


@pytest.mark.parametrize(("share", "all_of_them"), [(0.0, 0), (1.0, 50)])
def test_nothing_and_everything_leave_no_room(share: float, all_of_them: int) -> None:
    assert binomial_band(50, share) == (all_of_them, all_of_them)


def test_less_confidence_is_a_narrower_band() -> None:
    wide, narrow = binomial_band(1000, 0.2), binomial_band(1000, 0.2, 0.9)
    assert wide[0] < narrow[0] < 200 < narrow[1] < wide[1]
