"""The text of a gateway's evidence endpoint, and all that is none."""

from math import isnan, nan

import pytest

from fairlead.api.gateway_evidence import ArmCounts, InvalidEvidence, Rejection
from fairlead.api.gateway_text import parse_evidence

CLOCK = "fairlead_gateway_time_seconds 12.5\nfairlead_gateway_start_time_seconds 1764000000.125\n"
MD = 'modeldeployment="churn"'
ARM = f'{{{MD},revision="churn-1",use="canary"}}'


def refusal(body: bytes | str) -> str:
    with pytest.raises(InvalidEvidence) as caught:
        parse_evidence(body if isinstance(body, bytes) else (CLOCK + body).encode())
    return str(caught.value)


def test_a_gateway_without_modeldeployments_tells_its_clock() -> None:
    found = parse_evidence(CLOCK.encode())
    assert (found.at_seconds, found.started_seconds, found.deployments) == (12.5, 1764000000.125, {})


def test_what_is_served_is_told_by_modeldeployment() -> None:
    text = (
        f"{CLOCK}fairlead_gateway_traffic_generation{{{MD}}} 7\nfairlead_gateway_traffic_epoch{{{MD}}} 2\n"
        'fairlead_gateway_traffic_generation{modeldeployment="fraud"} 1e+06\n'
    )
    found = parse_evidence(text.encode())
    assert {name: (item.generation, item.epoch) for name, item in found.deployments.items()} == {
        "churn": (7, 2),
        "fraud": (1_000_000, 0),
    }


def test_every_count_of_an_arm_is_read() -> None:
    names = (
        "attempts_total",
        "attempt_failures_total",
        "latency_samples_total",
        "attempts_slow_total",
        "attempts_timed_out_total",
        "throttled_total",
        "failovers_total",
        "failover_failures_total",
        "failovers_impossible_total",
        "overflows_total",
        "absent_total",
        "ejected",
        "weight_percent",
    )
    lines = [f"fairlead_gateway_{name}{ARM} {number}\n" for number, name in enumerate(names)]
    found = parse_evidence((CLOCK + "".join(lines)).encode()).deployments["churn"]
    assert found.arms == {("churn-1", "canary"): ArmCounts(*range(13))}


def test_a_count_that_is_missing_is_no_zero() -> None:
    found = parse_evidence(f"{CLOCK}fairlead_gateway_attempts_total{ARM} 3\n".encode()).deployments["churn"]
    (arm,) = found.arms.values()
    assert arm.attempts == 3
    assert isnan(arm.attempt_failures)


@pytest.mark.parametrize("number", ["NaN", "-1", "-0.5"])
def test_a_count_that_cannot_be_was_not_said(number: str) -> None:
    found = parse_evidence(f"{CLOCK}fairlead_gateway_attempts_total{ARM} {number}\n".encode()).deployments["churn"]
    assert isnan(found.arms["churn-1", "canary"].attempts)


@pytest.mark.parametrize("series", ["traffic_generation", "traffic_epoch", "rejections_total"])
@pytest.mark.parametrize("number", ["NaN", "-1"])
def test_what_is_served_is_never_below_zero(series: str, number: str) -> None:
    assert "expected a number" in refusal(f"fairlead_gateway_{series}{{{MD}}} {number}\n")


def test_endpoints_the_latency_limit_and_rejections_are_read() -> None:
    text = (
        f'{CLOCK}fairlead_gateway_endpoints{{{MD},revision="churn-1"}} 3\n'
        f"fairlead_gateway_latency_limit_seconds{{{MD}}} 0.25\nfairlead_gateway_rejections_total{{{MD}}} 4.0\n"
    )
    found = parse_evidence(text.encode()).deployments["churn"]
    assert (found.endpoints, found.latency_limit_seconds, found.rejections) == ({"churn-1": 3}, 0.25, 4)
    assert found.rejection is None


def test_a_rejection_is_told_in_its_words_on_one_line() -> None:
    message = r"arms[0].weight: expected \"100\",\n got \\u001b[31m 101 }"
    labels = f'{MD},generation="8",reason="InvalidTraffic",message="{message}"'
    found = parse_evidence(f"{CLOCK}fairlead_gateway_rejected{{{labels}}} 1\n".encode()).deployments["churn"]
    assert found.rejection == Rejection(8, "InvalidTraffic", r'arms[0].weight: expected "100", got \u001b[31m 101 }')


def test_a_message_is_cut_and_loses_its_control_characters() -> None:
    labels = f'{MD},generation="8",reason="R",message="\x1b[31m{"x" * 500}"'
    found = parse_evidence(f"{CLOCK}fairlead_gateway_rejected{{{labels}}} 1\n".encode()).deployments["churn"]
    assert found.rejection is not None
    assert found.rejection.message == "[31m" + "x" * 296


def test_a_rejection_that_is_over_counts_no_more_and_the_newest_one_counts() -> None:
    lines = [
        f'fairlead_gateway_rejected{{{MD},generation="{generation}",reason="R",message="m"}} {value}\n'
        for generation, value in ((5, 1), (7, 1), (6, 1), (8, 0))
    ]
    found = parse_evidence((CLOCK + "".join(lines)).encode()).deployments["churn"]
    assert found.rejection == Rejection(7, "R", "m")


def test_comments_foreign_and_newer_series_are_passed_over() -> None:
    text = f'# HELP x y\n# TYPE x counter\n\nprocess_cpu_seconds_total 1\nfairlead_gateway_newer{{a="b"}} NaN\n{CLOCK}'
    assert parse_evidence(text.encode()).deployments == {}


@pytest.mark.parametrize(
    "number", ["nan", "+Inf", "--1", "-", "1_0", "0x1", "٣", "", "1e99", "9007199254740993", "1 1764000000000", "1\r"]
)
def test_what_is_no_count_is_refused(number: str) -> None:
    assert "expected a" in refusal(f"fairlead_gateway_attempts_total{ARM} {number}\n")


@pytest.mark.parametrize(
    "series",
    [
        "attempts_total",
        "attempts_total{}",
        f"attempts_total{{{MD}}}",
        f'attempts_total{{{MD},revision="churn-1",use="canary",pod="x"}}',
        f'attempts_total{{{MD},revision="churn-1",use="canary",use="canary"}}',
        f'attempts_total{{{MD},revision="churn-1",use="canary"',
        f'attempts_total{{{MD} revision="churn-1",use="canary"}}',
        f'attempts_total{{{MD},revision="../1",use="canary"}}',
        f'attempts_total{{{MD},revision="churn-1",use="CANARY"}}',
        f'attempts_total{{{MD},revision="",use="canary"}}',
        f'rejected{{{MD},generation="x",reason="R",message=""}}',
        f'rejected{{{MD},generation="1",reason="a b",message=""}}',
        f'rejected{{{MD},generation="1",reason="R",message="{"x" * 2000}"}}',
        f'rejected{{{MD},generation="1",reason="R",message="\\x"}}',
        "Attempts",
        'time_seconds{a="b"}',
    ],
)
def test_a_series_of_ours_with_other_labels_is_refused(series: str) -> None:
    assert refusal(f"fairlead_gateway_{series} 1\n").startswith("expected ")


def test_a_series_that_comes_twice_is_refused() -> None:
    line = f"fairlead_gateway_attempts_total{ARM} 1\n"
    assert "each series once" in refusal(line + line)


@pytest.mark.parametrize("body", [b"", b"<html>a proxy's page</html>", CLOCK.partition("\n")[0].encode()])
def test_a_text_without_the_pod_s_clock_is_refused(body: bytes) -> None:
    assert "fairlead_gateway_time_seconds" in refusal(body)


def test_bytes_that_are_no_text_are_refused() -> None:
    assert refusal(b"\xff\xfe") == "expected UTF-8: invalid start byte at byte 0"


def test_what_came_is_quoted_and_cut() -> None:
    told = refusal(f"fairlead_gateway_attempts_total{ARM} " + "9\x1b" * 500 + "\n")
    assert "\\x1b" in told
    assert len(told) < 400


def test_an_arm_of_which_nothing_was_said_is_all_nan() -> None:
    assert str(ArmCounts()) == str(ArmCounts(*[nan] * 11))
