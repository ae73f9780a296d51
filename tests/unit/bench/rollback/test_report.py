from dataclasses import replace

from tests.bench.rollback.measure import Case, Run
from tests.bench.rollback.report import ends_table, last_line, missed_goals, peers_table, table

TWENTY, ALL = Case("fails 20 %", 0.2), Case("fails 100 %", 1.0)
RUN = Run("fails 20 %", 2.5, 20.0, 500, 100, 5000, 0, True, "ErrorsAboveStable")
RUNS = [RUN, replace(RUN, brake_seconds=3.5, decided_seconds=22.0), replace(RUN, brake_seconds=2.0)]


def test_the_last_line_has_the_figures_of_one_case() -> None:
    assert last_line(TWENTY, RUNS) == (
        "rollback: brake median 2.5 s worst 3.5 s, decided median 20.0 s, failed user requests 0 of 15000"
    )


def test_the_table_has_a_row_for_each_case_that_ran() -> None:
    rows = table([TWENTY, ALL], RUNS).splitlines()
    assert rows[2:] == ["| fails 20 % | 3 | 2.5 | 3.5 | 20.0 | 22.0 | 500 | 15,000 | 0 |"]


def test_ours_stands_beside_the_peers() -> None:
    assert "| 20% | Fairlead | 2.0-3.5 | 0 |" in peers_table([TWENTY], RUNS)
    assert "| 20% | Argo Rollouts, 5 s interval | 10-13 | 95-99 |" in peers_table([TWENTY], RUNS)


def test_every_run_to_the_end_has_a_row() -> None:
    run = replace(RUN, case="open", decided_seconds=330.4, failed=31)
    rows = ends_table([Case("open", 0.2, failover=False, to_the_end=True)], [run]).splitlines()
    assert rows[2:] == ["| open | 330 | ErrorsAboveStable | 5,000 | 31 |"]


def test_nothing_is_missed_when_all_goals_are_met() -> None:
    assert list(missed_goals([TWENTY, ALL], RUNS)) == []


def test_every_missed_goal_is_named_with_its_figure() -> None:
    bad = [replace(RUN, brake_seconds=4.0, decided_seconds=50.0, failed=7, on_time=False)]
    assert list(missed_goals([TWENTY], bad)) == [
        "fails 20 %: braked after 4.0 s at the median, goal 3 s",
        "fails 20 %: decided after 50.0 s at worst, goal 45 s",
        "fails 20 %: 7 requests of users failed, goal 0",
        "fails 20 %: the load was late in 1 of 1 runs",
    ]


def test_without_failover_only_the_load_has_a_goal() -> None:
    open_case = Case("fails 20 %", 0.2, failover=False)
    assert list(missed_goals([open_case], [replace(RUN, brake_seconds=9.0, failed=40)])) == []
