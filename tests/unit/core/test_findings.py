"""Why pods do not run, by the table of causes."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.builders import NOW, Body, container_status, pod_body

from fairlead.api.observed import ObservedWorkload, parse_pod
from fairlead.api.reasons import Reason
from fairlead.core.findings import SECOND_PULL_AFTER, Finding, Symptoms, describe_exit, inspect, refusal_finding


def symptoms(*pods: Body, builtin: bool = False, refusal: str = "", age: timedelta = timedelta(0)) -> Symptoms:
    workload = ObservedWorkload("churn-1", current=True, replicas=1, ready=0, refusal=refusal)
    return Symptoms(workload, tuple(parse_pod(pod) for pod in pods), builtin_server=builtin, now=NOW + age)


def seen(container: Body, **more: Any) -> Finding | None:
    return inspect(symptoms(pod_body("churn-1", container), **more))


def load_error(said: object, *, name: str = "model", code: int = 3) -> Body:
    return container_status(name, exit_code=code, exit_message=json.dumps(said))


@pytest.mark.parametrize(
    "pod",
    [
        pod_body("churn-1"),
        pod_body("churn-1", container_status()),
        pod_body("churn-1", container_status(waiting="ContainerCreating")),
        pod_body("churn-1", container_status(restarts=2)),
        pod_body("churn-1", container_status("fetch-model", exit_code=0)),
    ],
)
def test_a_pod_that_runs_or_is_on_its_way_shows_nothing(pod: Body) -> None:
    assert inspect(symptoms(pod)) is None


def test_what_a_pod_that_answers_went_through_before_is_history() -> None:
    restarting = container_status(exit_code=1, restarts=3)
    assert inspect(symptoms(pod_body("churn-1", restarting, ready=True))) is None
    assert inspect(symptoms(pod_body("churn-1", restarting))) is not None


def test_no_pods_and_no_workload_show_nothing() -> None:
    assert inspect(Symptoms(None, (), builtin_server=False, now=NOW)) is None


@pytest.mark.parametrize(
    ("word", "reason", "final"),
    [
        ("ModelLoadFailed", Reason.MODEL_LOAD_FAILED, True),
        ("UnsupportedFlavor", Reason.UNSUPPORTED_FLAVOR, True),
        ("DigestMismatch", Reason.DIGEST_MISMATCH, True),
        ("ModelNotFound", Reason.MODEL_VERSION_NOT_FOUND, True),
        ("RegistryUnavailable", Reason.REGISTRY_UNAVAILABLE, False),
    ],
)
def test_a_typed_load_error_is_a_verdict_at_once_but_for_a_registry_that_is_away(
    word: str, reason: Reason, final: bool
) -> None:
    found = seen(load_error({"reason": word, "message": "why"}), builtin=True)
    assert found == Finding(reason, "pod pod-1: why", final=final, quarantine=final)


def test_the_init_container_that_fetches_a_model_speaks_for_any_image() -> None:
    found = seen(load_error({"reason": "ModelLoadFailed"}, name="fetch-model"))
    assert found and found.reason is Reason.MODEL_LOAD_FAILED


@pytest.mark.parametrize(
    ("container", "builtin"),
    [
        (load_error({"reason": "ModelLoadFailed"}), False),
        (load_error({"reason": "ModelLoadFailed"}, code=4), True),
        (load_error({"reason": "Whatever"}), True),
        (load_error(["no", "object"]), True),
        (container_status(exit_code=3, exit_message="no JSON"), True),
    ],
)
def test_an_exit_that_is_no_typed_load_error_is_a_crash(container: Body, builtin: bool) -> None:
    found = seen(container, builtin=builtin)
    assert found and found.reason is Reason.CONTAINER_CRASHED


def test_the_first_exit_is_shown_and_the_second_is_the_verdict() -> None:
    first = seen(container_status(exit_code=7, exit_message="last line"))
    assert first == Finding(Reason.CONTAINER_CRASHED, 'pod pod-1: container "model" exited with code 7: last line')
    second = seen(container_status(exit_code=7, restarts=1))
    assert second and second.final and second.quarantine


def test_a_container_that_waits_for_its_restart_has_crashed() -> None:
    found = seen(container_status(exit_code=7, restarts=1, waiting="CrashLoopBackOff"))
    assert found and found.reason is Reason.CONTAINER_CRASHED and found.final


@pytest.mark.parametrize(("restarts", "final"), [(1, False), (2, True)])
def test_a_container_that_runs_again_is_still_the_one_that_crashed_until_it_is_ready(
    restarts: int, final: bool
) -> None:
    container = container_status(exit_code=7, restarts=restarts, again=True)
    found = seen(container)
    assert found and (found.reason, found.final) == (Reason.CONTAINER_CRASHED, final)
    assert inspect(symptoms(pod_body("churn-1", container, ready=True))) is None


def test_a_server_that_ends_without_an_error_has_crashed_too() -> None:
    found = seen(container_status(exit_code=0))
    assert found and found.reason is Reason.CONTAINER_CRASHED and "code 0" in found.message


@pytest.mark.parametrize(("restarts", "final"), [(0, False), (1, True)])
def test_memory_as_the_cause_has_a_word_of_its_own(restarts: int, final: bool) -> None:
    pod = pod_body("churn-1", container_status(exit_code=137, exit_reason="OOMKilled", restarts=restarts))
    pod["spec"] = {"containers": [{"name": "model", "resources": {"limits": {"memory": "64Mi"}}}]}
    found = inspect(symptoms(pod))
    assert found and (found.reason, found.final, found.quarantine) == (Reason.OUT_OF_MEMORY, final, final)
    assert "it was ended at its memory limit of 64Mi" in found.message


PULLS = [
    ("ErrImagePull", "manifest for x not found", Reason.IMAGE_NOT_FOUND),
    ("ImagePullBackOff", "Back-off: x: not found", Reason.IMAGE_NOT_FOUND),
    ("ErrImageNeverPull", "policy is Never", Reason.IMAGE_NOT_FOUND),
    ("ErrImagePull", "401 Unauthorized", Reason.IMAGE_DENIED),
    ("ErrImagePull", "pull access denied", Reason.IMAGE_DENIED),
    ("ErrImagePull", "403 Forbidden", Reason.IMAGE_DENIED),
    ("InvalidImageName", "couldn't parse image", Reason.IMAGE_INVALID),
    ("ErrImagePull", "429 Too Many Requests", Reason.IMAGE_PULL_FAILED),
    ("ImagePullBackOff", "i/o timeout", Reason.IMAGE_PULL_FAILED),
]


@pytest.mark.parametrize(("waiting", "message", "reason"), PULLS)
def test_a_failed_pull_is_told_by_its_cause_and_never_quarantines(waiting: str, message: str, reason: Reason) -> None:
    container = container_status(waiting=waiting, waiting_message=message)
    for age in (timedelta(0), SECOND_PULL_AFTER):
        found = seen(container, age=age)
        assert found and found.reason is reason
        assert message in found.message
        assert not found.quarantine


@pytest.mark.parametrize(("waiting", "message", "reason"), PULLS)
def test_a_failed_pull_is_final_only_after_the_second_one_and_never_for_a_busy_network(
    waiting: str, message: str, reason: Reason
) -> None:
    container = container_status(waiting=waiting, waiting_message=message)
    early = seen(container, age=SECOND_PULL_AFTER - timedelta(seconds=1))
    late = seen(container, age=SECOND_PULL_AFTER)
    assert early and early.final is (reason is Reason.IMAGE_INVALID)
    assert late and late.final is (reason is not Reason.IMAGE_PULL_FAILED)


def test_a_pod_without_a_creation_time_counts_as_old() -> None:
    waits = container_status(waiting="ErrImagePull", waiting_message="not found")
    found = inspect(symptoms(pod_body("churn-1", waits, created=None)))
    assert found and found.final


@pytest.mark.parametrize(
    ("message", "reason", "final"),
    [
        ('secret "keys" not found', Reason.SECRET_NOT_FOUND, False),
        ("couldn't find key a in Secret team/keys", Reason.SECRET_NOT_FOUND, False),
        ('configmap "conf" not found', Reason.CONFIG_MAP_NOT_FOUND, False),
        ("container has runAsNonRoot and image will run as root", Reason.CONTAINER_CONFIG_INVALID, True),
    ],
)
@pytest.mark.parametrize("waiting", ["CreateContainerConfigError", "CreateContainerError"])
def test_what_the_kubelet_lacks_is_named(waiting: str, message: str, reason: Reason, final: bool) -> None:
    found = seen(container_status(waiting=waiting, waiting_message=message))
    assert found == Finding(reason, f"pod pod-1: {message}", final=final)


def test_a_quota_is_waited_for_and_a_policy_is_not() -> None:
    assert refusal_finding("exceeded quota: team") == Finding(
        Reason.QUOTA_EXCEEDED, "exceeded quota: team", pending=True
    )
    found = inspect(symptoms(refusal="violates PodSecurity"))
    assert found == Finding(Reason.PODS_FORBIDDEN, "violates PodSecurity", final=True)


def test_a_pod_that_fits_nowhere_waits_for_room() -> None:
    found = inspect(symptoms(pod_body("churn-1", unschedulable="0/1 nodes: Insufficient nvidia.com/gpu")))
    assert found == Finding(Reason.UNSCHEDULABLE, "pod pod-1: 0/1 nodes: Insufficient nvidia.com/gpu", pending=True)


def test_the_most_telling_cause_comes_first() -> None:
    crash = pod_body("churn-1", container_status(exit_code=1), name="a")
    fits_not = pod_body("churn-1", unschedulable="0/1 nodes", name="b")
    found = inspect(symptoms(fits_not, crash, refusal="exceeded quota"))
    assert found and found.reason is Reason.CONTAINER_CRASHED
    found = inspect(symptoms(fits_not, refusal="exceeded quota"))
    assert found and found.reason is Reason.QUOTA_EXCEEDED


def test_an_exit_without_words_is_described_by_its_code() -> None:
    (container,) = parse_pod(pod_body("", container_status("trainer", exit_code=9))).containers
    assert describe_exit(container) == 'container "trainer" exited with code 9'


@pytest.mark.parametrize(("why", "hint"), [("OOMKilled", False), ("Error", True)])
def test_an_exit_by_kill_that_the_node_does_not_explain_hints_at_the_memory_limit(why: str, hint: bool) -> None:
    (container,) = parse_pod(pod_body("", container_status(exit_code=137, exit_reason=why))).containers
    assert ("perhaps at its memory limit" in describe_exit(container)) is hint
