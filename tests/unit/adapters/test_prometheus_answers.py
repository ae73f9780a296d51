"""Evidence from the series that Prometheus has: the same that the pods' own text gives."""

import json
import re
from math import isnan
from typing import Any

import pytest

from fairlead.adapters.prometheus_answers import InvalidAnswer, Vector, parse_gateways, parse_vector, succeeded
from fairlead.api.gateway_evidence import PodEvidence
from fairlead.api.gateway_text import parse_evidence

TEXT = """# TYPE fairlead_gateway_time_seconds gauge
fairlead_gateway_time_seconds 12.5
fairlead_gateway_start_time_seconds 1764000000.125
fairlead_gateway_traffic_generation{modeldeployment="churn"} 7
fairlead_gateway_traffic_epoch{modeldeployment="churn"} 2
fairlead_gateway_rejections_total{modeldeployment="churn"} 1
fairlead_gateway_latency_limit_seconds{modeldeployment="churn"} 0.298
fairlead_gateway_endpoints{modeldeployment="churn",revision="churn-2"} 3
fairlead_gateway_attempts_total{modeldeployment="churn",revision="churn-2",use="canary"} 100
fairlead_gateway_attempt_failures_total{modeldeployment="churn",revision="churn-2",use="canary"} 7
fairlead_gateway_attempts_total{modeldeployment="churn",revision="churn-1",use="stable"} 9007199254740991
fairlead_gateway_ejected{modeldeployment="churn",revision="churn-2",use="canary"} 1
fairlead_gateway_weight_percent{modeldeployment="churn",revision="churn-2",use="canary"} 5
fairlead_gateway_from_the_future{anything="x"} 1
process_cpu_seconds_total 4
"""
WHERE = {"namespace": "team", "pod": "gw-1", "job": "gateways", "instance": "10.0.0.1:8081"}
EJECTED = "fairlead_gateway_ejected"
ARM = {"modeldeployment": "churn", "revision": "churn-2", "use": "canary"}


def scraped(text: str, **changed: str) -> Vector:
    """What Prometheus makes of a pod's text."""
    found: Vector = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        head, number = line.rsplit(" ", 1)
        name, _, inner = head.partition("{")
        found.append(({"__name__": name, **WHERE, **changed, **dict(re.findall(r'(\w+)="([^"]*)"', inner))}, number))
    return found


def clock(at: float = 12.5, started: float = 1.0) -> str:
    return f"fairlead_gateway_time_seconds {at}\nfairlead_gateway_start_time_seconds {started}\n"


def attempts(number: str) -> str:
    return f'fairlead_gateway_attempts_total{{modeldeployment="churn",revision="churn-2",use="canary"}} {number}\n'


def same(found: PodEvidence, wanted: PodEvidence) -> bool:
    """NaN is what both did not say."""
    return repr(found) == repr(wanted)


def test_a_pod_is_the_same_evidence_by_either_way() -> None:
    found = parse_gateways(scraped(TEXT), "pod")
    assert set(found) == {"gw-1"}
    assert same(found["gw-1"], parse_evidence(TEXT.encode()))


def test_the_pod_s_label_is_the_setting_s() -> None:
    found = parse_gateways(scraped(TEXT, kubernetes_pod_name="gw-9"), "kubernetes_pod_name")
    assert set(found) == {"gw-9"}


def test_series_without_the_pod_s_label_are_told_by_the_setting() -> None:
    with pytest.raises(InvalidAnswer, match=r"expected the label kubernetes_pod \(prometheus\.podLabel\)"):
        parse_gateways(scraped(TEXT), "kubernetes_pod")


def test_pods_are_told_apart_and_foreign_series_are_passed_over() -> None:
    other: Vector = [({"__name__": "up", **WHERE}, "1"), ({}, "1")]
    found = parse_gateways([*scraped(clock(1)), *scraped(clock(2), pod="gw-2"), *other], "pod")
    assert {name: pod.at_seconds for name, pod in found.items()} == {"gw-1": 1, "gw-2": 2}
    assert parse_gateways(other, "pod") == {}


@pytest.mark.parametrize(("first", "second"), [((20, 1), (12, 1)), ((12, 1), (20, 1)), ((20, 2), (90, 1))])
def test_of_a_pod_that_two_jobs_scrape_the_newer_moment_counts_and_nothing_is_mixed(
    first: tuple[float, float], second: tuple[float, float]
) -> None:
    texts = [clock(*moment) + attempts(str(int(moment[0]))) for moment in (first, second)]
    found = parse_gateways([*scraped(texts[0], job="a"), *scraped(texts[1], job="b")], "pod")
    assert found["gw-1"].at_seconds == 20
    assert found["gw-1"].deployments["churn"].arms["churn-2", "canary"].attempts == 20


def test_a_rejection_is_told_without_its_words() -> None:
    labels = 'modeldeployment="churn",generation="8",reason="PortTaken"'
    found = parse_gateways(scraped(f"{clock()}fairlead_gateway_rejected{{{labels}}} 1\n"), "pod")
    rejection = found["gw-1"].deployments["churn"].rejection
    assert rejection is not None
    assert (rejection.generation, rejection.reason, rejection.message) == (8, "PortTaken", "")


@pytest.mark.parametrize("number", ["NaN", "-1"])
def test_a_count_that_is_none_is_one_that_the_pod_did_not_say(number: str) -> None:
    found = parse_gateways(scraped(clock() + attempts(number)), "pod")
    assert isnan(found["gw-1"].deployments["churn"].arms["churn-2", "canary"].attempts)


BROKEN: list[tuple[str, Vector]] = [
    ("infinite", scraped(clock() + attempts("+Inf"))),
    ("too large", scraped(clock() + attempts("9007199254740993"))),
    ("no number", scraped(clock() + attempts("many"))),
    ("empty", scraped(clock() + attempts(""))),
    ("a series twice", scraped(clock() + attempts("1") + attempts("1"))),
    ("no time", scraped(attempts("1"))),
    ("no start", scraped("fairlead_gateway_time_seconds 1\n")),
    ("a time that is none", scraped("fairlead_gateway_time_seconds NaN\nfairlead_gateway_start_time_seconds 1\n")),
    ("a label too few", [*scraped(clock()), ({"__name__": "fairlead_gateway_endpoints", **WHERE}, "1")]),
    ("a use that is none", [*scraped(clock()), ({"__name__": EJECTED, **WHERE, **ARM, "use": "%"}, "1")]),
    ("half a character", [*scraped(clock()), ({"__name__": EJECTED, **WHERE, **ARM, "use": "\ud800"}, "1")]),
]


@pytest.mark.parametrize("vector", [vector for _, vector in BROKEN], ids=[name for name, _ in BROKEN])
def test_a_pod_whose_series_are_broken_is_left_out_and_takes_no_other_with_it(vector: Vector) -> None:
    assert set(parse_gateways([*vector, *scraped(TEXT, pod="gw-2")], "pod")) == {"gw-2"}
    with pytest.raises(InvalidAnswer) as caught:
        parse_gateways(vector, "pod")
    assert str(caught.value).isascii()


def test_of_a_pod_that_two_jobs_scrape_the_whole_one_counts() -> None:
    found = parse_gateways([*scraped(TEXT, job="a"), *scraped(attempts("1"), job="b")], "pod")
    assert same(found["gw-1"], parse_evidence(TEXT.encode()))


def test_a_series_that_went_stale_is_not_in_the_answer_and_is_no_zero() -> None:
    found = parse_gateways(scraped(TEXT.replace("fairlead_gateway_attempt_failures_total", "gone")), "pod")
    assert isnan(found["gw-1"].deployments["churn"].arms["churn-2", "canary"].attempt_failures)


def test_a_vector_is_labels_and_text() -> None:
    body: dict[str, Any] = {
        "status": "success",
        "warnings": ["partial"],
        "data": {"resultType": "vector", "result": [{"metric": {"a": "b"}, "value": [1.5, "2"]}]},
    }
    assert parse_vector(json.dumps(body).encode()) == [({"a": "b"}, "2")]
    assert succeeded(json.dumps(body).encode())
    assert not succeeded(b"{}")
