"""The table and the line at the end."""

from dataclasses import replace

from tests.bench.footprint import Footprint
from tests.bench.measure import Measurement
from tests.bench.report import Row, summary, table
from tests.bench.tally import Tally

RUN = Measurement(
    count=200,
    load_average=1.0,
    create_seconds=2.0,
    from_first_seconds=10.0,
    from_last_seconds=8.0,
    settled_seconds=11.0,
    stable_seconds=5.0,
    coming_up=Tally({"deployments": 200, "services": 400}, 0, {"get": 800, "patch": 600}, {"operator": 1400}),
    becoming_stable=Tally({"status": 200}, 0, {"patch": 200}, {"operator": 200}),
    reconciles={"settled": 640, "retry": 2},
    idle=Footprint(80.0, 81.0, 2.0),
    loaded=Footprint(120.0, 130.4, 9.5),
    registry_requests={},
)


def test_the_line_at_the_end_says_seconds_writes_and_memory() -> None:
    assert summary([RUN]) == "reconcile: 200 in 10.0 s, 4.0 writes each, peak 130 MiB"


def test_the_line_takes_the_middle_of_the_seconds_and_the_most_of_the_memory() -> None:
    slow = replace(RUN, from_first_seconds=50.0)
    large = replace(RUN, from_first_seconds=20.0, loaded=replace(RUN.loaded, peak_mib=200.0))
    assert summary([slow, RUN, large]) == "reconcile: 200 in 20.0 s, 4.0 writes each, peak 200 MiB"


def test_a_row_shows_least_median_and_most_and_whether_the_goal_is_missed() -> None:
    assert Row("seconds", (3.0, 1.0, 2.0), 30).wire() == "| seconds | 30 | 1.0 | 2.0 | 3.0 |"
    assert Row("seconds", (31.0,), 30).wire() == "| seconds | 30 (missed) | 31.0 | 31.0 | 31.0 |"
    assert Row("MiB", (80.4,), digits=0).wire() == "| MiB |  | 80 | 80 | 80 |"


def test_the_table_splits_writes_and_requests_and_counts_mlflow_as_a_whole() -> None:
    text = table([RUN, replace(RUN, registry_requests={"GET registered-models/get": 7})])
    assert "| ... ... services |  | 2.00 | 2.00 | 2.00 |" in text
    assert "| requests each: patch |  | 4.00 | 4.00 | 4.00 |" in text
    assert "| requests to MLflow, all: GET registered-models/get |  | 0 | 4 | 7 |" in text
    widths = {line.count("|") for line in text.splitlines()}
    assert widths == {6}, "every row has as many cells as the head"
