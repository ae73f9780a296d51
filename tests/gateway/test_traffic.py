"""Who gets which request: shares, headers, copies; and what becomes of them when pods come and go."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fairlead_gateway.endpoints import Endpoint
from fairlead_gateway.render import Deployment
from tests.gateway.backend import Backend
from tests.gateway.client import ask
from tests.gateway.envoy import Envoy
from tests.gateway.traffic import canary, counted, next_port, serving, stable
from tests.load import LoadPlan, background_load, run_load

pytestmark = pytest.mark.process


@pytest.fixture
def pods() -> Iterator[tuple[Backend, Backend, Backend]]:
    with Backend(body=b"a") as first, Backend(body=b"b") as second, Backend(body=b"c") as third:
        yield first, second, third


Pods = tuple[Backend, Backend, Backend]


def test_three_arms_get_their_shares(envoy: Envoy, pods: Pods) -> None:
    arms = [
        {**canary("three-b", 20, failover="three-a"), "role": "previous"},
        stable("three-a", 50),
        canary("three-c", 30, failover="three-a"),
    ]
    deployment = serving("three", arms, {f"three-{name}": [pod] for name, pod in zip("abc", pods, strict=True)})
    envoy.apply([deployment], forget=True)
    sent = run_load(LoadPlan(f"http://127.0.0.1:{deployment.traffic.port}/", rate=500, seconds=4)).sent
    for pod, share in zip(pods, (0.5, 0.2, 0.3), strict=True):
        spread = (share * (1 - share) / sent) ** 0.5
        assert abs(pod.received / sent - share) < 3.9 * spread  # 1 in 10,000
    counts = counted(envoy, deployment)
    found = {key: int(values["attempts_total"]) for key, values in counts.items()}
    assert found == {
        ("three-a", "stable"): pods[0].received,
        ("three-b", "previous"): pods[1].received,
        ("three-c", "canary"): pods[2].received,
    }


def test_requests_with_the_headers_go_to_their_revision_and_are_counted_apart(envoy: Envoy, pods: Pods) -> None:
    old, new, _ = pods
    arms = [stable("headers-a"), canary("headers-b", 0, failover="headers-a")]
    value = 'yes "%REQ(x)%" {x} \\ ü'
    match = [{"revision": "headers-b", "headers": [{"name": "X-Beta", "value": value}, {"name": "x-two", "value": ""}]}]
    deployment = serving("headers", arms, {"headers-a": [old], "headers-b": [new]}, match=match)
    envoy.apply([deployment], forget=True)
    port = deployment.traffic.port

    def revision(**headers: str) -> str:
        sent = {name.replace("_", "-"): text.encode().decode("latin-1") for name, text in headers.items()}
        return ask(port, headers=sent).headers["x-fairlead-revision"]

    assert revision(x_beta=value, x_two="") == "headers-b"
    assert [revision(), revision(x_beta=value), revision(x_beta="yes", x_two="")] == ["headers-a"] * 3
    new.behaviour.fail_percent = 100
    assert revision(x_beta=value, x_two="") == "headers-a"
    counts = counted(envoy, deployment)
    assert counts["headers-b", "matched"]["attempts_total"] == 2
    assert counts["headers-b", "matched"]["failovers_total"] == 1
    assert counts["headers-b", "canary"]["attempts_total"] == 0
    assert counts["headers-a", "stable"]["attempts_total"] == 3


def test_a_mirror_that_hangs_slows_nobody_and_takes_a_bounded_share(envoy: Envoy, pods: Pods) -> None:
    old, _, shadow = pods
    shadow.behaviour.hang = True
    deployment = serving(
        "mirrored",
        [stable("mirrored-a")],
        {"mirrored-a": [old], "mirrored-c": [shadow]},
        mirror={"revision": "mirrored-c", "percent": 50},
    )
    envoy.apply([deployment], forget=True)
    plan = LoadPlan(f"http://127.0.0.1:{deployment.traffic.port}/", rate=300, seconds=2, expect_body="^a$")
    report = run_load(plan)
    assert report.failed == 0, report.describe()
    assert report.latency is not None and report.latency.p50_seconds < 0.2  # the copies wait for a minute
    assert old.received == report.sent
    assert 0 < shadow.received <= 64


def test_copies_that_hang_are_cut_and_counted_as_failed_and_those_beyond_the_bound_as_dropped(
    envoy: Envoy, pods: Pods
) -> None:
    old, _, shadow = pods
    shadow.behaviour.hang = True
    deployment = serving(
        "cut",
        [stable("cut-a")],
        {"cut-a": [old], "cut-c": [shadow]},
        mirror={"revision": "cut-c", "percent": 100},
        attemptTimeout="500ms",
    )
    envoy.apply([deployment], forget=True)
    report = run_load(LoadPlan(f"http://127.0.0.1:{deployment.traffic.port}/", rate=300, seconds=2))
    assert report.failed == 0, report.describe()
    time.sleep(1)
    counts = counted(envoy, deployment)["cut-c", "mirror"]
    assert counts["attempts_total"] == counts["attempt_failures_total"] == shadow.received > 64
    assert counts["overflows_total"] == report.sent - shadow.received
    shadow.behaviour.hang = False
    shadow.behaviour.fail_percent = 50
    for _ in range(10):
        ask(deployment.traffic.port)
    time.sleep(0.2)
    after = counted(envoy, deployment)["cut-c", "mirror"]
    assert after["attempts_total"] - counts["attempts_total"] == 10
    assert after["attempt_failures_total"] - counts["attempt_failures_total"] == 5


def test_pods_that_come_and_go_leave_the_counts_of_a_mirror_and_of_the_stable_beside_it(
    envoy: Envoy, pods: Pods
) -> None:
    old, new, shadow = pods
    mirror = {"revision": "moved-c", "percent": 100}
    before = serving("moved", [stable("moved-a")], {"moved-a": [old], "moved-c": [shadow]}, mirror=mirror)
    envoy.apply([before], forget=True)
    for _ in range(5):
        ask(before.traffic.port)
    envoy.apply([replace(before, endpoints={**before.endpoints, "moved-c": [Endpoint(new.address, new.port)]})])
    for _ in range(5):
        ask(before.traffic.port)
    time.sleep(0.2)
    counts = counted(envoy, before)
    assert counts["moved-c", "mirror"]["attempts_total"] == 10
    assert counts["moved-a", "stable"]["attempts_total"] == 10
    assert (shadow.received, new.received) == (5, 5)


def test_a_mirror_gets_its_percentage_of_whole_requests(envoy: Envoy, pods: Pods) -> None:
    old, _, shadow = pods
    shadow.keep_requests = 1000
    deployment = serving(
        "copied",
        [stable("copied-a")],
        {"copied-a": [old], "copied-c": [shadow]},
        mirror={"revision": "copied-c", "percent": 50},
    )
    envoy.apply([deployment], forget=True)
    body = '"' + "x" * 10_000 + '"'
    report = run_load(LoadPlan(f"http://127.0.0.1:{deployment.traffic.port}/p?q", rate=300, seconds=2, body=body))
    assert report.failed == 0
    time.sleep(0.1)
    assert 0.4 < shadow.received / report.sent < 0.6
    assert {(request.path, request.body_bytes) for request in shadow.requests} == {("/p?q", len(body))}
    assert {request.header("host") for request in shadow.requests} == {f"127.0.0.1:{deployment.traffic.port}"}
    assert counted(envoy, deployment)["copied-c", "mirror"]["attempts_total"] == shadow.received


def test_a_failing_canary_is_left_alone_and_tried_again_after_a_while(envoy: Envoy, pods: Pods) -> None:
    old, new, _ = pods
    new.behaviour.fail_percent = 100
    arms = [stable("shed-a", 50), canary("shed-b", 50, failover="shed-a")]
    deployment = serving("shed", arms, {"shed-a": [old], "shed-b": [new]})
    envoy.apply([deployment], forget=True)
    plan = LoadPlan(f"http://127.0.0.1:{deployment.traffic.port}/", rate=200, seconds=30)
    with background_load(plan) as load:
        time.sleep(1.5)
        ejected = counted(envoy, deployment)["shed-b", "canary"]
        new.behaviour.fail_percent = 0
        time.sleep(6.5)
        healed = counted(envoy, deployment)["shed-b", "canary"]
        report = load.report()
    assert report.failed == 0
    assert (ejected["ejected"], healed["ejected"]) == (1, 0)
    assert 10 <= ejected["attempts_total"] < 40 < ejected["absent_total"]
    assert healed["attempts_total"] > ejected["attempts_total"] + 50


def test_while_one_pod_of_a_canary_is_good_it_takes_the_whole_share(envoy: Envoy, pods: Pods) -> None:
    old, bad, good = pods
    bad.behaviour.fail_percent = 100
    arms = [stable("half-a", 0), canary("half-b", 100, failover="half-a")]
    deployment = serving("half", arms, {"half-a": [old], "half-b": [bad, good]})
    envoy.apply([deployment], forget=True)
    report = run_load(LoadPlan(f"http://127.0.0.1:{deployment.traffic.port}/", rate=200, seconds=2))
    counts = counted(envoy, deployment)["half-b", "canary"]
    assert report.failed == 0
    assert (counts["absent_total"], counts["ejected"]) == (0, 0)
    assert 10 <= bad.received < 100 < good.received


@pytest.mark.parametrize("shares", [(100, 0), (50, 50)], ids=["one revision", "a rollout"])
def test_pods_replaced_one_by_one_under_load_lose_no_request(envoy: Envoy, shares: tuple[int, int]) -> None:
    name = f"churn{shares[0]}"
    old_pods = [Backend(after_seconds=0.02) for _ in range(2)]
    gone: list[Backend] = []
    with Backend(after_seconds=0.02) as new:
        arms = [stable("churn-a", shares[0])]
        arms += [canary("churn-b", shares[1], failover="churn-a")] if shares[1] else []
        first = serving(name, arms, {"churn-a": old_pods, "churn-b": [new]})
        envoy.apply([first], forget=True)
        with background_load(
            LoadPlan(f"http://127.0.0.1:{first.traffic.port}/", rate=200, seconds=30, keepalive_connections=20)
        ) as load:
            for _ in range(6):
                old_pods.append(Backend(after_seconds=0.02))
                gone.append(old_pods.pop(0))
                pods = {"churn-a": old_pods, "churn-b": [new]}
                envoy.apply([serving(name, arms, pods, port=first.traffic.port)])
                gone[-1].stop(wait=True)
                time.sleep(0.1)
            report = load.report()
        counts = counted(envoy, first)
        received = sum(pod.received for pod in (*gone, *old_pods))
        for pod in (*gone, *old_pods):
            pod.close()
    assert report.failed == 0, report.describe()
    assert counts["churn-a", "stable"]["attempts_total"] == received
    assert received + new.received == report.sent


def test_without_any_arm_the_answer_says_why_and_when_to_come_again(envoy: Envoy) -> None:
    reason = 'no revision yet: "x" %REQ(y)%\n{ü}'
    deployment = serving("none", [], {}, unavailableReason=reason)
    envoy.apply([deployment], forget=True)
    answer = ask(deployment.traffic.port)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["x-fairlead-reason"] == "NoRevision"
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body) == {"reason": "NoRevision", "message": reason}


def test_without_a_ready_endpoint_anywhere_the_answer_says_so(envoy: Envoy) -> None:
    arms = [stable("empty-a", 50), canary("empty-b", 50, failover="empty-a")]
    deployment = serving("empty", arms, {"empty-a": [], "empty-b": []})
    envoy.apply([deployment], forget=True)
    answer = ask(deployment.traffic.port)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["x-fairlead-reason"] == "NoReadyEndpoint"
    assert "x-fairlead-revision" not in answer.headers
    counts = counted(envoy, deployment)["empty-a", "stable"]
    assert (counts["attempts_total"], counts["attempt_failures_total"], counts["absent_total"]) == (0, 0, 1)


def test_in_the_guard_failures_of_stable_go_to_the_previous_revision(envoy: Envoy, pods: Pods) -> None:
    new, old, _ = pods
    new.behaviour.fail_percent = 100
    arms = [stable("guard-b", 95, failover="guard-a"), {**canary("guard-a", 5), "role": "previous"}]
    deployment = serving("guard", arms, {"guard-b": [new], "guard-a": [old]})
    envoy.apply([deployment], forget=True)
    report = run_load(LoadPlan(f"http://127.0.0.1:{deployment.traffic.port}/", rate=200, seconds=1, expect_body="^b$"))
    assert report.failed == 0, report.describe()
    counts = counted(envoy, deployment)
    assert counts["guard-b", "stable"]["failovers_total"] + counts["guard-a", "previous"]["attempts_total"] == 200


def test_without_failover_only_what_reached_no_pod_is_sent_again(envoy: Envoy, pods: Pods) -> None:
    old, new, _ = pods
    arms = [stable("side-a", 0), canary("side-b", 100)]
    deployment = serving("side", arms, {"side-a": [old], "side-b": [new]})
    envoy.apply([deployment], forget=True)
    new.behaviour.fail_percent = 100
    assert ask(deployment.traffic.port, body=b"x").status == 500
    new.behaviour.fail_status = 0
    assert ask(deployment.traffic.port, body=b"x").status == 503
    assert old.received == 0
    new.stop()
    assert ask(deployment.traffic.port, body=b"x").body == b"a"
    counts = counted(envoy, deployment)["side-b", "canary"]
    assert (counts["attempts_total"], counts["attempt_failures_total"], counts["failovers_total"]) == (3, 3, 1)


def test_a_whole_rollout_under_load_loses_no_request_and_no_count(envoy: Envoy, pods: Pods) -> None:
    old, new, _ = pods
    for pod in (old, new):
        pod.behaviour.after_seconds = 0.02
    previous = {**canary("whole-a", 5), "role": "previous"}
    stages = [
        [stable("whole-a")],
        [stable("whole-a", 95), canary("whole-b", 5, failover="whole-a")],
        [stable("whole-a", 50), canary("whole-b", 50, failover="whole-a")],
        [stable("whole-b", 95, failover="whole-a"), previous],
        [stable("whole-b")],
    ]
    port = next_port()
    found = {"whole-a": [old], "whole-b": [new]}
    first = serving("whole", stages[0], found, port=port)
    envoy.apply([first], forget=True)
    plan = LoadPlan(f"http://127.0.0.1:{port}/", rate=200, seconds=60, keepalive_connections=20)
    with background_load(plan) as load:
        for _ in range(2):
            for arms in stages:
                envoy.apply([serving("whole", arms, found, port=port)])
                time.sleep(0.3)
        report = load.report()
    counts = {
        key: values["attempts_total"]
        for arms in stages
        for key, values in counted(envoy, serving("whole", arms, found, port=port)).items()
    }
    assert report.failed == 0, report.describe()
    assert old.received + new.received == report.sent == sum(counts.values())


def test_counts_of_a_rollout_outlive_changes_of_weight_and_of_pods(envoy: Envoy, pods: Pods) -> None:
    old, new, other = pods
    new.behaviour.fail_percent = other.behaviour.fail_percent = 30
    port = next_port()

    def at(weight: int, *candidates: Backend) -> Deployment:
        arms = [stable("kept-a", 100 - weight), canary("kept-b", weight, failover="kept-a")]
        return serving("kept", arms, {"kept-a": [old], "kept-b": candidates}, port=port)

    envoy.apply([at(5, new)], forget=True)
    with background_load(LoadPlan(f"http://127.0.0.1:{port}/", rate=300, seconds=30)) as load:
        for weight, candidates in ((25, (new,)), (50, (new, other)), (75, (other,)), (50, (new, other))):
            time.sleep(0.4)
            envoy.apply([at(weight, *candidates)])
        report = load.report()
    assert report.failed == 0
    counts = counted(envoy, at(50, new))["kept-b", "canary"]
    assert counts["attempts_total"] == new.received + other.received
    assert counts["attempt_failures_total"] == new.answered[500] + other.answered[500]


def test_a_modeldeployment_with_all_there_is_has_at_most_sixty_of_envoy_s_statistics(envoy: Envoy, pods: Pods) -> None:
    old, new, shadow = pods
    new.behaviour.fail_percent = 50
    deployment = serving(
        "much",
        [stable("much-a", 50), canary("much-b", 50, failover="much-a")],
        {"much-a": [old], "much-b": [new], "much-c": [shadow]},
        match=[{"revision": "much-b", "headers": [{"name": "x", "value": "y"}]}],
        mirror={"revision": "much-c", "percent": 50},
    )
    envoy.apply([deployment], forget=True)
    for _ in range(20):
        ask(deployment.traffic.port)
        ask(deployment.traffic.port, headers={"x": "y"})
    found = envoy.json("/stats?format=json&histogram_buckets=cumulative&filter=^cluster[.]much")["stats"]
    names = [item["name"] for item in found if "name" in item]
    names += [histogram["name"] for item in found for histogram in item.get("histograms", ())]
    assert 30 < len(names) <= 60, names
