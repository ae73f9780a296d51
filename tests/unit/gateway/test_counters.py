"""Envoy's counters as the series of evidence."""

from typing import Any

import pytest
from tests.unit.gateway.deployments import PODS, alone, deployment

from fairlead_gateway.counters import latency_bound_milliseconds, parse_stats, read_counters
from fairlead_gateway.render import Deployment

CANARY = "cluster.churn|churn-b|canary."
FAILOVER = "cluster.churn|churn-b|failover."
STABLE = "cluster.churn|churn-a|stable."


def answer(values: dict[str, float], buckets: dict[float, int] | None = None) -> dict[str, Any]:
    stats: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    stats.append({"name": "cluster_manager.cds.version_text", "value": "abc"})
    if buckets is not None:
        listed = [{"upper_bound": bound, "interval": 0, "cumulative": count} for bound, count in buckets.items()]
        stats.append({"histograms": [{"name": CANARY + "upstream_rq_time", "buckets": listed}]})
    return {"stats": stats}


def read(found: dict[str, Any], item: Deployment | None = None) -> dict[tuple[str, ...], float]:
    return {
        (series.name.removeprefix("fairlead_gateway_"), *(value for _, value in series.labels[1:])): series.value
        for series in read_counters(found, [item or deployment()])
    }


def test_every_series_is_there_at_zero_from_the_first_moment() -> None:
    series = read(answer({}))
    names = {name for name, *rest in series if rest == ["churn-b", "canary"]}
    assert names == {
        "attempts_total",
        "attempt_failures_total",
        "latency_samples_total",
        "weight_percent",
        "attempts_slow_total",
        "attempts_timed_out_total",
        "throttled_total",
        "failovers_total",
        "failover_failures_total",
        "failovers_impossible_total",
        "overflows_total",
        "absent_total",
        "ejected",
    }
    told = ("endpoints", "weight_percent")
    assert {value for key, value in series.items() if key[0] not in told} == {0}
    assert (series["weight_percent", "churn-a", "stable"], series["weight_percent", "churn-b", "canary"]) == (90, 10)
    assert (series["endpoints", "churn-a"], series["endpoints", "churn-b"]) == (2, 1)


def test_retried_attempts_are_counted_by_where_they_went_and_absent_ones_are_none() -> None:
    values = {
        CANARY + "upstream_rq_completed": 100,
        CANARY + "upstream_rq_5xx": 3,
        CANARY + "upstream_rq_429": 2,
        CANARY + "upstream_rq_max_duration_reached": 4,
        CANARY + "upstream_rq_421": 1,
        CANARY + "retry.upstream_rq_421": 7,
        CANARY + "retry.upstream_rq_429": 5,
        CANARY + "retry_or_shadow_abandoned": 6,
        CANARY + "upstream_cx_protocol_error": 1,
        FAILOVER + "upstream_rq_retry": 30,
        FAILOVER + "upstream_rq_5xx": 8,
    }
    series = read(answer(values))
    canary = {name: value for (name, *rest), value in series.items() if rest == ["churn-b", "canary"]}
    assert canary == {
        "attempts_total": 100 + 30 - 7 - 1,
        "attempt_failures_total": 3 + 30 - 7 - 5,
        "latency_samples_total": 0,
        "weight_percent": 10,
        "attempts_slow_total": 0,
        "attempts_timed_out_total": 4,
        "throttled_total": 7,
        "failovers_total": 30,
        "failover_failures_total": 8,
        "failovers_impossible_total": 7,
        "overflows_total": 0,
        "absent_total": 8,
        "ejected": 0,
    }


def test_answers_of_the_gateway_s_own_are_no_attempts_of_stable() -> None:
    values = {
        STABLE + "upstream_rq_completed": 10,
        STABLE + "upstream_rq_5xx": 6,
        STABLE + "upstream_cx_none_healthy": 2,
        STABLE + "upstream_rq_pending_overflow": 3,
        STABLE + "upstream_rq_retry_overflow": 1,
        STABLE + "retry_or_shadow_abandoned": 9,
    }
    series = read(answer(values))
    assert series["attempts_total", "churn-a", "stable"] == 5
    assert series["attempt_failures_total", "churn-a", "stable"] == 1
    assert series["overflows_total", "churn-a", "stable"] == 4
    assert series["absent_total", "churn-a", "stable"] == 2
    assert series["failovers_impossible_total", "churn-a", "stable"] == 0


def test_slow_is_above_the_bound_that_the_limit_is_rounded_up_to() -> None:
    bound = latency_bound_milliseconds(0.25)
    assert bound == 258.6
    found = answer({}, {206.8: 10, bound: 14, 100_000.0: 15})
    series = read(found, deployment(latencyLimit="250ms"))
    assert series["attempts_slow_total", "churn-b", "canary"] == 1
    assert series["latency_samples_total", "churn-b", "canary"] == 15
    assert series["attempts_slow_total", "churn-a", "stable"] == 0
    assert series[("latency_limit_seconds",)] == bound / 1000


def test_a_limit_beyond_the_grid_is_its_last_bound() -> None:
    assert latency_bound_milliseconds(100_000) == pytest.approx(600_000, rel=0.25)


@pytest.mark.parametrize(
    ("membership", "ejections", "ejected"), [(3, 2, 1), (3, 1, 0), (2, 1, 1), (1, 0, 0), (2, 0, 0), (0, 0, 0)]
)
def test_ejected_means_all_pods_and_the_absent_listener_is_none(membership: int, ejections: int, ejected: int) -> None:
    values = {CANARY + "membership_total": membership, CANARY + "outlier_detection.ejections_active": ejections}
    assert read(answer(values))["ejected", "churn-b", "canary"] == ejected


def test_matched_requests_and_copies_are_series_of_their_own() -> None:
    match = [{"revision": "churn-b", "headers": [{"name": "x", "value": "y"}]}]
    item = deployment(match=match, mirror={"revision": "churn-c", "percent": 1})
    values = {
        "cluster.churn|churn-b|matched.upstream_rq_completed": 3,
        "cluster.churn|churn-b|matched-failover.upstream_rq_retry": 2,
        "cluster.churn|churn-c|mirror.upstream_rq_completed": 4,
    }
    series = read(answer(values), item)
    assert series["attempts_total", "churn-b", "matched"] == 5
    assert series["failovers_total", "churn-b", "matched"] == 2
    assert series["attempts_total", "churn-b", "canary"] == 0
    assert series["attempts_total", "churn-c", "mirror"] == 4
    assert series["endpoints", "churn-c"] == 0


def test_a_copy_that_was_cut_is_an_attempt_that_failed() -> None:
    mirror = "cluster.churn|churn-c|mirror."
    values = {
        mirror + "upstream_rq_completed": 10,
        mirror + "upstream_rq_5xx": 3,
        mirror + "upstream_rq_max_duration_reached": 4,
        mirror + "upstream_rq_pending_overflow": 2,
        CANARY + "upstream_rq_max_duration_reached": 4,
    }
    series = read(answer(values), deployment(mirror={"revision": "churn-c", "percent": 1}))
    assert series["attempts_total", "churn-c", "mirror"] == 12
    assert series["attempt_failures_total", "churn-c", "mirror"] == 5
    assert series["attempts_timed_out_total", "churn-c", "mirror"] == 4
    assert series["overflows_total", "churn-c", "mirror"] == 2
    assert series["attempts_total", "churn-b", "canary"] == 0, "its second attempts are counted instead"


def test_each_series_is_told_once_also_where_copies_go_to_one_of_the_arms() -> None:
    told = read_counters(answer({}), [deployment(mirror={"revision": "churn-b", "percent": 5})])
    assert len({(series.name, series.labels) for series in told}) == len(told)


def test_a_modeldeployment_without_rollout_has_its_stable() -> None:
    item = Deployment("churn", alone(), {"churn-a": PODS["churn-a"]})
    series = read(answer({STABLE + "upstream_rq_completed": 2}), item)
    assert series["attempts_total", "churn-a", "stable"] == 2


def test_texts_values_and_histograms_are_told_apart() -> None:
    stats = parse_stats(answer({"a": 1}, {0.5: 2}))
    assert (stats.values, stats.texts) == ({"a": 1}, {"cluster_manager.cds.version_text": "abc"})
    assert stats.histograms == {CANARY + "upstream_rq_time": {0.5: 2}}
    with pytest.raises(KeyError):
        parse_stats({})
