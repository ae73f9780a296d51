"""What is read back from Kubernetes' own objects."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fairlead.api.observed import (
    clean_text,
    owner_uid,
    parse_job,
    parse_pod,
    parse_revision,
    parse_time,
    parse_workload,
)


def _pod(status: dict[str, Any], **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", **meta}, "status": status}


def _container_of(state: dict[str, Any], **more: Any) -> Any:
    (container,) = parse_pod(_pod({"containerStatuses": [{"name": "model", "state": state, **more}]})).containers
    return container


def test_text_of_a_user_s_process_loses_control_characters_and_all_but_its_end() -> None:
    assert clean_text("a\x1b[31mb\x00\tc\nd\n") == "a[31mbc\nd"
    assert clean_text("x" * 2000 + "end") == "x" * 1021 + "end"


def test_a_time_of_the_api_server_has_a_zone() -> None:
    assert parse_time("2026-01-02T03:04:05Z") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert parse_time(None) is None


def test_a_pod_that_nobody_has_reported_on_yet_is_pending_and_not_ready() -> None:
    pod = parse_pod({"metadata": {"name": "p"}})
    assert (pod.phase, pod.ready, pod.deleting, pod.containers, pod.unschedulable) == ("Pending", False, False, (), "")


def test_a_pod_that_fits_no_node_says_so_in_the_scheduler_s_words() -> None:
    waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: cpu"}
    assert parse_pod(_pod({"conditions": [waits]})).unschedulable == "0/1 nodes: cpu"
    gated = {**waits, "reason": "SchedulingGated"}
    assert parse_pod(_pod({"conditions": [gated]})).unschedulable == ""


def test_a_pod_under_deletion_is_told_apart() -> None:
    pod = parse_pod(_pod({}, deletionTimestamp="2026-01-01T00:00:00Z", labels={"fairlead.dev/revision": "a-1"}))
    assert pod.deleting
    assert pod.revision == "a-1"


def test_a_waiting_container_keeps_what_its_last_exit_said() -> None:
    container = _container_of(
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        lastState={"terminated": {"exitCode": 7, "reason": "Error", "message": "boom\x07"}},
        restartCount=2,
    )
    assert (container.waiting_reason, container.exit_code, container.exit_message) == ("CrashLoopBackOff", 7, "boom")
    assert not container.running


@pytest.mark.parametrize(
    ("state", "more", "exits"),
    [
        ({"running": {}}, {}, 0),
        ({"running": {}}, {"restartCount": 1, "lastState": {"terminated": {"exitCode": 1}}}, 1),
        ({"terminated": {"exitCode": 1}}, {}, 1),
        ({"waiting": {}}, {"restartCount": 1, "lastState": {"terminated": {"exitCode": 1}}}, 2),
        ({"waiting": {"reason": "ContainerCreating"}}, {}, 0),
    ],
)
def test_exits_are_counted_whether_the_container_is_up_or_down(
    state: dict[str, Any], more: dict[str, Any], exits: int
) -> None:
    assert _container_of(state, **more).exits == exits


def test_init_containers_are_seen_too() -> None:
    pod = parse_pod(_pod({"initContainerStatuses": [{"name": "fetch"}], "containerStatuses": [{"name": "model"}]}))
    assert [item.name for item in pod.containers] == ["fetch", "model"]


def test_a_workload_is_current_only_when_its_controller_has_seen_the_latest_spec() -> None:
    body = {"metadata": {"name": "d", "generation": 2}, "status": {"observedGeneration": 1, "readyReplicas": 3}}
    assert not parse_workload(body).current
    body["status"] = {"observedGeneration": 2, "readyReplicas": 3, "replicas": 3}
    assert parse_workload(body).current
    assert parse_workload(body).ready == 3


def test_a_workload_whose_pods_are_refused_quotes_the_refusal() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: team"}
    body = {"metadata": {"name": "d"}, "status": {"conditions": [refused]}}
    assert parse_workload(body).refusal == "exceeded quota: team"
    body = {"metadata": {"name": "d"}, "status": {"conditions": [{**refused, "status": "False"}]}}
    assert parse_workload(body).refusal == ""


def test_a_job_has_ended_only_by_a_condition_that_holds() -> None:
    meta = {"name": "j", "uid": "u"}
    assert not parse_job({"metadata": meta, "status": {"failed": 1}}).failed
    done = {"type": "Complete", "status": "True"}
    assert parse_job({"metadata": meta, "status": {"conditions": [done]}}).complete
    not_done = {"type": "Complete", "status": "False"}
    assert not parse_job({"metadata": meta, "status": {"conditions": [not_done]}}).complete


def test_a_failed_job_says_why_and_when() -> None:
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "message": "has failed",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    job = parse_job({"metadata": {"name": "j", "uid": "u"}, "status": {"conditions": [failed]}})
    assert job.failure == "BackoffLimitExceeded: has failed"
    assert job.finished == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_revision_comes_back_with_inputs_template_and_role() -> None:
    body = {
        "metadata": {"name": "a-1", "annotations": {"fairlead.dev/role": "stable"}},
        "revision": 4,
        "data": {"inputs": {"x": 1}, "template": {"spec": {}}},
    }
    revision = parse_revision(body)
    assert (revision.number, revision.role, revision.inputs, revision.template) == (4, "stable", {"x": 1}, {"spec": {}})


def test_the_owner_is_the_controller_and_no_other_reference() -> None:
    references = [{"uid": "other"}, {"uid": "ours", "controller": True}]
    assert owner_uid({"metadata": {"ownerReferences": references}}) == "ours"
    assert owner_uid({"metadata": {"ownerReferences": references[:1]}}) == ""
    assert owner_uid({"metadata": {}}) == ""


def test_a_pod_tells_since_when_it_has_a_node() -> None:
    placed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-05-04T12:00:00Z"}
    waits = {**placed, "status": "False", "reason": "Unschedulable"}
    assert parse_pod(_pod({"conditions": [placed]})).scheduled == parse_time("2026-05-04T12:00:00Z")
    assert parse_pod(_pod({"conditions": [waits]})).scheduled is None
    assert parse_pod(_pod({})).scheduled is None


def test_a_job_that_is_suspended_says_since_when() -> None:
    body: dict[str, Any] = {"metadata": {"name": "j", "uid": "u"}, "spec": {"suspend": True}}
    assert (parse_job(body).suspended, parse_job(body).suspended_since) == (True, None)
    said = {"type": "Suspended", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    body["status"] = {"conditions": [said]}
    assert parse_job(body).suspended_since == datetime(2026, 1, 1, tzinfo=UTC)
    body = {"metadata": {"name": "j", "uid": "u"}, "status": {"conditions": [{**said, "status": "False"}]}}
    assert (parse_job(body).suspended, parse_job(body).suspended_since) == (False, None)


def test_a_container_tells_when_it_ran_and_what_memory_it_may_use() -> None:
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"}
    ended = _container_of({"terminated": {"exitCode": 0, **times}})
    assert (ended.started, ended.finished) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
    runs = _container_of({"running": {"startedAt": times["startedAt"]}}, lastState={"terminated": times})
    assert (runs.started, runs.finished) == (datetime(2026, 1, 1, tzinfo=UTC), None)
    lost = _container_of({"terminated": {"exitCode": 137, "startedAt": None, "finishedAt": None}})
    assert (lost.started, lost.finished, lost.memory_limit) == (None, None, "")
    pod = _pod({"containerStatuses": [{"name": "a"}, {"name": "b"}, {"name": "c"}]})
    limited = {"name": "a", "resources": {"limits": {"memory": "1Gi"}}}
    pod["spec"] = {"containers": [limited, {"name": "b", "resources": {}}, {"name": "c"}]}
    assert [item.memory_limit for item in parse_pod(pod).containers] == ["1Gi", "", ""]
