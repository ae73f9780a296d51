"""The dashboard: every query gives data on a real Prometheus, and what it asks for is there in the code."""

import math
import re
from collections.abc import Iterator
from itertools import combinations

import pytest

from tests.monitoring.dashboard import Query, queries, read_dashboard
from tests.monitoring.exposed import names_exposed
from tests.monitoring.scraped import NAME, NAMESPACE, OPERATOR_NAMESPACE, Prometheus, scraped

DASHBOARD = read_dashboard()
QUERIES = list(queries(DASHBOARD))
VARIABLES = {"namespace": NAMESPACE, "modeldeployment": NAME, "__rate_interval": "4s"}
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One that has scraped operator, gateway and server for some seconds."""
    with scraped(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
def test_every_query_gives_data(query: Query, prometheus: Prometheus) -> None:
    expr = query.filled(VARIABLES)
    if query.label:
        assert VARIABLES[query.label] in prometheus.label_values(query.label, expr)
        return
    values = [float(sample["value"][1]) for sample in prometheus.query(expr)]
    assert values, expr
    assert all(math.isfinite(value) for value in values), (expr, values)


def test_what_is_counted_is_not_zero_where_there_was_traffic(prometheus: Prometheus) -> None:
    """A query may give data and mean nothing: these have to see the requests that were sent, and those that failed."""
    seen = {query.where: prometheus.query(query.filled(VARIABLES)) for query in QUERIES if not query.label}

    def total(where: str) -> float:
        return sum(float(sample["value"][1]) for sample in seen[where])

    shares = {sample["metric"]["revision"]: float(sample["value"][1]) for sample in seen["Shares of the traffic B"]}
    assert math.isclose(sum(shares.values()), 100)
    assert 50 < shares["churn-a"] < 95
    for where in ("First attempts A", "Failed first attempts A", "Failovers A", "Reconciles A"):
        assert total(where) > 0, where


def test_the_operator_s_series_keep_the_namespace_that_they_are_about(prometheus: Prometheus) -> None:
    (phase,) = prometheus.query("fairlead_modeldeployment_phase")
    assert phase["metric"]["namespace"] == NAMESPACE
    (leader,) = prometheus.query("fairlead_leader")
    assert leader["metric"]["namespace"] == OPERATOR_NAMESPACE


def test_prometheus_evaluates_every_alert_and_only_what_is_wrong_is_about_to_fire(prometheus: Prometheus) -> None:
    rules = [rule for group in prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules if rule["health"] != "ok"} == set()
    assert {rule["name"] for rule in rules if rule["state"] != "inactive"} == {"FairleadGatewayRejectsTraffic"}


def test_every_series_of_the_dashboard_is_exposed() -> None:
    named = {name for query in QUERIES for name in re.findall(r"\bfairlead_\w+", query.expr)}
    assert named <= set(names_exposed())


def test_every_series_about_rollouts_and_attempts_is_on_the_dashboard() -> None:
    named = {name for query in QUERIES for name in re.findall(r"\bfairlead_\w+", query.expr)}
    wanted = {name for name in names_exposed() if name.startswith(("fairlead_rollout", "fairlead_gateway_"))}
    created = {name for name in wanted if name.endswith("_created")}
    assert wanted - created - named == {"fairlead_gateway_traffic_epoch"}, "the number of the leadership moves nobody"


def test_every_panel_says_what_it_shows_and_asks_the_chosen_prometheus() -> None:
    for panel in PANELS:
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in asked), panel["title"]


def test_no_two_panels_share_an_id_or_a_place() -> None:
    every = DASHBOARD["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    for one, other in combinations([panel["gridPos"] for panel in every], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_evidence_stands_beside_its_limits_on_a_logarithmic_axis() -> None:
    (panel,) = (panel for panel in PANELS if panel["title"] == "Evidence against the candidate")
    assert panel["fieldConfig"]["defaults"]["custom"]["scaleDistribution"] == {"type": "log", "log": 10}
    assert [target["refId"] for target in panel["targets"]] == ["A", "B"]


def test_decisions_and_ends_are_annotations_at_the_time_that_they_tell() -> None:
    found = DASHBOARD["annotations"]["list"]
    assert [item["name"] for item in found] == ["Decisions", "Ends"]
    assert all(item["useValueForTime"] is True and item["expr"].startswith("1000 * ") for item in found)
