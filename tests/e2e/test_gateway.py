"""The gateway with no operator: statuses written by hand, failing canaries, pods that come and go, no API server.

Each test counts the users' requests with tests/load, and none may fail.
"""

import time
from collections.abc import Iterator

import pytest
from tests.cluster.interface import Cluster
from tests.cluster.kubectl import CommandError
from tests.e2e.gateway import (
    ANSWERED_BY,
    CANARY,
    DEPLOYMENT,
    NAME,
    SELECTOR,
    Gateway,
    add_canary,
    model,
    operator_at_zero,
    settle,
)
from tests.e2e.world import World, namespaced
from tests.load import Connections, LoadPlan, LoadReport, background_load, binomial_band, run_load

RATE = 200.0
ATTEMPT_TIMEOUT_SECONDS = 1.0
AWAY_SECONDS = 8.0
DRAIN_SECONDS = 15


@pytest.fixture(scope="module")
def by_hand(cluster: Cluster) -> Iterator[Gateway]:
    """A namespace with a stable revision and a canary; the operator is gone once it has made the gateway."""
    with namespaced(cluster) as world:
        world.apply(model("stable", replicas=2))
        stable = world.wait_rolled_out(NAME, seconds=120)["status"]["stable"]["revision"]
        with operator_at_zero(cluster):
            add_canary(world, stable)
            yield Gateway(world, stable)
            world.kubectl("delete", "md", NAME)


@pytest.fixture
def gateway(by_hand: Gateway) -> Gateway:
    """The same, as good as new: every pod ready, every request to stable."""
    by_hand.wait_pods()
    by_hand.wait_model_pods(by_hand.stable, 2)
    by_hand.wait_model_pods(CANARY, 1)
    by_hand.tell(CANARY, fail=0, hang=0, after_ms=0)
    by_hand.split(0)
    return by_hand


def plan(gateway: Gateway, *, rate: float = RATE, seconds: float = 300, connections: int = 40) -> LoadPlan:
    """Requests to the Service as users call it."""
    return LoadPlan(
        url=f"{gateway.world.url(NAME)}/v2/models/{NAME}/infer",
        rate=rate,
        seconds=seconds,
        count_header=ANSWERED_BY,
        keepalive_connections=connections,
    )


def answered_all(report: LoadReport) -> None:
    assert report.failed == 0, report.describe()
    assert report.sent > 100
    assert "" not in report.answers_by_header, "every answer says who gave it"


def test_a_weight_is_the_share_of_the_requests_and_its_change_costs_none(gateway: Gateway) -> None:
    with background_load(plan(gateway, rate=100)) as others:
        for percent in (1, 5, 50, 95):
            gateway.split(percent)
            report = run_load(plan(gateway, seconds=6))
            answered_all(report)
            low, high = binomial_band(report.sent, percent / 100)
            assert low <= report.answers_by_header.get(CANARY, 0) <= high, (percent, report.describe())
        for step in range(20):
            gateway.split(5 + 90 * (step % 2))
        answered_all(others.report())


@pytest.mark.parametrize(("fail", "after_ms"), [(0.3, 5), (1.0, 5), (0.3, 200)])
def test_no_user_sees_the_failures_of_a_canary_and_each_is_counted_once(
    gateway: Gateway, fail: float, after_ms: float
) -> None:
    gateway.split(50)
    gateway.tell(CANARY, fail=fail, after_ms=after_ms)
    settle()
    pods, gateways = gateway.counted(CANARY), _canary_counters(gateway)
    report = run_load(plan(gateway, rate=100, seconds=6))
    answered_all(report)
    settle()
    seen, told = gateway.counted(CANARY), _canary_counters(gateway)
    asked, failed = (seen[name] - pods[name] for name in ("answers", "failures"))
    assert failed > 0
    assert {name: told[name] - gateways[name] for name in told} == {
        "attempts": asked,
        "attempt_failures": failed,
        "failovers": failed + told["absent"] - gateways["absent"],
        "failover_failures": 0,
        "absent": told["absent"] - gateways["absent"],
    }
    assert report.answers_by_header.get(CANARY, 0) == asked - failed


def _canary_counters(gateway: Gateway) -> dict[str, float]:
    names = ("attempts", "attempt_failures", "failovers", "failover_failures", "absent")
    return {name: gateway.total(f"fairlead_gateway_{name}_total", revision=CANARY) for name in names}


def test_a_canary_that_hangs_is_cut_and_stable_answers(gateway: Gateway) -> None:
    gateway.split(50, attemptTimeout=f"{ATTEMPT_TIMEOUT_SECONDS:g}s")
    gateway.tell(CANARY, hang=1)
    report = run_load(plan(gateway, rate=50, seconds=6))
    answered_all(report)
    assert report.answers_by_header.keys() == {gateway.stable}
    assert report.latency is not None
    assert report.latency.max_seconds < ATTEMPT_TIMEOUT_SECONDS + 2.0


def test_a_canary_that_is_killed_and_one_that_has_no_pod_leave_their_requests_to_stable(gateway: Gateway) -> None:
    gateway.split(50)
    (pod,) = gateway.model_pods(CANARY)
    with background_load(plan(gateway)) as load:
        gateway.world.kubectl("delete", "pod", pod, "--force", "--grace-period=0")
        gateway.wait_model_pods(CANARY, 1, other_than={pod: ""})
        gateway.world.kubectl("scale", f"deploy/{CANARY}", "--replicas=0")
        gateway.wait_model_pods(CANARY, 0)
        time.sleep(2)
        gateway.world.kubectl("scale", f"deploy/{CANARY}", "--replicas=1")
        gateway.wait_model_pods(CANARY, 1)
        report = load.report()
    answered_all(report)


def test_a_canary_that_only_fails_is_left_alone_within_seconds(gateway: Gateway) -> None:
    gateway.split(50)
    with background_load(plan(gateway)) as load:
        time.sleep(1)
        good = _attempts_per_second(gateway, seconds=3)
        gateway.tell(CANARY, fail=1)
        time.sleep(1.5)
        # Within the first pause of 5 s; afterwards each gateway pod tries the canary again for up to a second.
        bad = _attempts_per_second(gateway, seconds=3)
        report = load.report()
    answered_all(report)
    assert good > 0.35 * RATE
    assert bad < 0.2 * good, f"{good:.0f} attempts a second on the canary while it was good, {bad:.0f} when it failed"


def _attempts_per_second(gateway: Gateway, *, seconds: float) -> float:
    before, started = gateway.counted(CANARY)["answers"], time.monotonic()
    time.sleep(seconds)
    return (gateway.counted(CANARY)["answers"] - before) / (time.monotonic() - started)


def test_model_pods_are_replaced_one_by_one_without_a_failed_request(gateway: Gateway) -> None:
    old = gateway.model_pods(gateway.stable)
    with (
        background_load(plan(gateway, rate=RATE / 2)) as load,
        background_load(plan(gateway, rate=RATE / 2, connections=100)) as many,
    ):
        for pod in old:
            gateway.world.kubectl("delete", "pod", pod)
            gateway.wait_model_pods(gateway.stable, 2, other_than={pod: ""})
        gateway.wait_model_pods(gateway.stable, 2, other_than=old)
        time.sleep(1)
        reports = [load.report(), many.report()]
    for report in reports:
        answered_all(report)
    assert gateway.counted(gateway.stable)["answers"] > 0, "the new pods have taken over"


def test_without_an_api_server_the_last_configuration_serves_on_and_afterwards_the_next_one_comes(
    gateway: Gateway, cluster: Cluster
) -> None:
    gateway.split(50)
    with background_load(plan(gateway)) as load:
        cluster.stop_apiserver()
        try:
            time.sleep(AWAY_SECONDS)
        finally:
            cluster.start_apiserver()
        gateway.split(10)
        report = load.report()
    answered_all(report)
    assert report.answers_by_header.keys() == {gateway.stable, CANARY}


def test_gateway_pods_are_rolled_one_by_one_without_a_failed_request(gateway: Gateway) -> None:
    old = gateway.pods()
    fresh = LoadPlan(**{**plan(gateway, rate=40).__dict__, "connections": Connections.FRESH})
    with background_load(plan(gateway)) as kept, background_load(fresh) as opened:
        gateway.world.kubectl("rollout", "restart", f"deploy/{DEPLOYMENT}")
        gateway.world.kubectl("rollout", "status", f"deploy/{DEPLOYMENT}", "--timeout=180s")
        gateway.world.wait("the old pods gone", lambda: not old.keys() & _names(gateway.world), seconds=90)
        reports = [kept.report(), opened.report()]
    for report in reports:
        answered_all(report)


def _names(world: World) -> set[str]:
    return {item["metadata"]["name"] for item in world.items("pods", SELECTOR)}


def test_a_drain_evicts_one_gateway_pod_and_is_refused_the_second(gateway: Gateway, cluster: Cluster) -> None:
    """Only gateway pods are drained: on the cluster's one node a model's pods would find no place to go, either."""
    old = gateway.pods()
    with background_load(plan(gateway)) as load:
        try:
            with pytest.raises(CommandError, match="disruption budget"):
                cluster.kubectl(
                    *("drain", cluster.node_name, f"--pod-selector={SELECTOR}", f"--timeout={DRAIN_SECONDS}s"),
                    *("--delete-emptydir-data", "--ignore-daemonsets"),
                )
            left = gateway.pods().keys() & old.keys()
        finally:
            cluster.kubectl("uncordon", cluster.node_name)
        gateway.wait_pods()
        report = load.report()
    assert len(left) == 1
    answered_all(report)
