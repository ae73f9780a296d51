from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.load import Failure, Latency, LoadReport

REPORT = LoadReport(
    url="http://h/",
    planned=10,
    sent=9,
    unsent=1,
    late=2,
    ok=6,
    non2xx=3,
    non2xx_by_code={"503": 3},
    resets=0,
    refused=0,
    unreachable=0,
    timeouts=0,
    wrong_bodies=0,
    malformed=0,
    connections_opened=1,
    elapsed_seconds=1.0,
    max_delay_seconds=0.1,
    latency=Latency(0.001, 0.002, 0.003, 0.004),
    first_failures=(Failure(0.5, "non2xx", "503 no"),),
)


def test_a_report_survives_the_way_from_another_process() -> None:
    assert LoadReport.from_json(REPORT.to_json()) == REPORT
    nothing_answered = replace(REPORT, latency=None, answers_by_header={"churn-1": 4})
    assert LoadReport.from_json(nothing_answered.to_json()) == nothing_answered


def test_the_description_tells_what_failed_and_when() -> None:
    text = REPORT.describe()
    assert "9 sent of 10" in text
    assert "6 ok, 3 failed, 2 late, 1 unsent" in text
    assert "503x3" in text
    assert "0.500 s non2xx: 503 no" in text


def test_the_description_tells_who_answered_where_that_was_counted() -> None:
    text = replace(REPORT, answers_by_header={"churn-2": 4, "": 2}).describe()
    assert "answered by (unnamed) x2, churn-2 x4" in text


def test_late_or_unsent_requests_are_not_on_time() -> None:
    assert not REPORT.on_time
    assert not replace(REPORT, late=0).on_time
    assert replace(REPORT, late=0, unsent=0).on_time


@given(st.lists(st.integers(0, 10_000), min_size=1))
def test_percentiles_are_values_that_occurred_and_rise(values: list[int]) -> None:
    found = Latency.of([float(value) for value in values])
    assert found is not None
    ranks = [found.p50_seconds, found.p95_seconds, found.p99_seconds, found.max_seconds]
    assert ranks == sorted(ranks)
    assert set(ranks) <= {float(value) for value in values}
    assert found.max_seconds == max(values)
    assert sum(value <= found.p50_seconds for value in values) * 2 >= len(values)
