from dataclasses import replace

from tests.bench.gateway.generator import Round
from tests.bench.gateway.measure import BARE, CANARY, DIRECT, THROUGH, Cost, Size
from tests.bench.gateway.process import Memory
from tests.bench.gateway.report import cost_table, last_line, missed_goals, size_table


def cost(p50_ms: float, requests_per_second: float, failed: int = 0) -> Cost:
    paced = Round(1000, failed, p50_ms, 2 * p50_ms, 3 * p50_ms)
    return Cost((paced,), (replace(paced, requests_per_second=requests_per_second, failed=0),))


def size(count: int, envoy_mib: float, *, canaries: bool = False) -> Size:
    memory = {"envoy": Memory(envoy_mib, envoy_mib + 50), "renderer": Memory(30, 45)}
    return Size(count, canaries, 1.25, memory)


COSTS = {DIRECT: cost(0.5, 4000), BARE: cost(0.7, 3200), THROUGH: cost(0.75, 3000), CANARY: cost(0.85, 2880)}
SIZES = [size(1, 20), size(20, 25), size(200, 70), size(20, 45, canaries=True)]


def test_the_last_line_has_the_three_figures() -> None:
    assert last_line(COSTS, SIZES) == "gateway: +0.25 ms p50, 0.75 of direct requests/s, 55 MiB"


def test_the_median_round_counts() -> None:
    first = cost(0.5, 1000)
    rounds = Cost(tuple(replace(first.paced[0], p50_ms=p50) for p50 in (9, 0.4, 0.6)), first.full)
    assert rounds.p50_ms == 0.6


def test_nothing_is_missed_when_all_goals_are_met() -> None:
    assert list(missed_goals(COSTS, SIZES)) == []


def test_every_missed_goal_is_named_with_its_figure() -> None:
    costs = {
        DIRECT: cost(0.5, 4000),
        BARE: cost(0.7, 3200),
        THROUGH: cost(1.25, 2000, failed=2),
        CANARY: cost(1.5, 1000),
    }
    assert list(missed_goals(costs, [size(20, 40)])) == [
        "+0.75 ms at the median, goal +0.5 ms",
        "through the gateway: 0.50 of direct requests/s, goal 0.7",
        "through the gateway, a canary at 50 %: 0.25 of direct requests/s, goal 0.7",
        "70 MiB with 20 ModelDeployments, goal 60 MiB",
        "2 requests of the rounds failed, goal 0",
    ]


def test_the_tables_have_a_row_for_each_way_and_each_fleet() -> None:
    assert "| through the gateway | 0.75 | +0.25 | 2.25 | +0.75 | 3,000 | 0.75 | 0 |" in cost_table(COSTS)
    rows = size_table(SIZES).splitlines()
    assert rows[3] == "| 20 | 55.0 | 25.0 | 30.0 | 120.0 | 1.2 |"
    assert rows[5].startswith("| 20, each with a canary | 75.0 |")
