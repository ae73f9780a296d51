"""Requests, paging and errors of the Kubernetes adapter. What a real API server does is tested with one."""

import json
import re
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest

from fairlead.adapters.connection import Connection
from fairlead.adapters.kubernetes import KubernetesCluster, raise_for
from fairlead.api.kinds import MODEL_DEPLOYMENT
from fairlead.errors import FairleadError, ReadAgain, Refused, RetryLater


class Bench:
    """The adapter over canned answers; `requests` keeps what was sent."""

    def __init__(
        self, *answers: httpx.Response | Exception, may_write: bool = True, authorization: str = "Bearer t"
    ) -> None:
        self.requests: list[httpx.Request] = []
        self.observed: list[tuple[str, int]] = []
        self._answers = list(answers)
        http = httpx.AsyncClient(base_url="https://api", transport=httpx.MockTransport(self._answer))
        connection = Connection(http, lambda: authorization)
        self.cluster = KubernetesCluster(
            connection, may_write=lambda: may_write, observe=lambda verb, code: self.observed.append((verb, code))
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def sent(self) -> httpx.Request:
        (request,) = self.requests
        return request


def answer(code: int = 200, **body: Any) -> httpx.Response:
    return httpx.Response(code, json=body)


SERVICE: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "churn", "namespace": "team"}}
EVENT: dict[str, Any] = {
    "kind": "Event",
    "metadata": {"name": "churn.1", "namespace": "team"},
    "lastTimestamp": "2026-05-04T12:00:00Z",
}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (409, ReadAgain),
        (401, RetryLater),
        (429, RetryLater),
        (500, RetryLater),
        (503, RetryLater),
        (400, Refused),
        (403, Refused),
        (404, Refused),
        (422, Refused),
    ],
)
def test_an_error_is_sorted_by_what_can_be_done_about_it(code: int, error: type[FairleadError]) -> None:
    with pytest.raises(error, match="said so") as caught:
        raise_for(answer(code, message="said so"))
    assert not isinstance(caught.value, Refused) or caught.value.code == code


@pytest.mark.parametrize(
    "said",
    [
        "etcdserver: request is too large",
        'failed to create typed patch object (a/b; apps/v1): .spec.volumes: duplicate entries for key [name="tmp"]',
    ],
)
def test_a_500_about_the_object_itself_is_a_refusal(said: str) -> None:
    with pytest.raises(Refused, match=re.escape(said)):
        raise_for(answer(500, message=said))


@pytest.mark.parametrize("code", [200, 201, 302])
def test_an_answer_that_is_no_error_raises_nothing(code: int) -> None:
    raise_for(answer(code))


def test_an_error_that_is_no_json_is_quoted_and_cut() -> None:
    with pytest.raises(Refused) as caught:
        raise_for(httpx.Response(403, text="x" * 5000))
    assert str(caught.value) == "x" * 1024


async def test_a_lost_connection_is_tried_later_and_counted_without_a_code() -> None:
    bench = Bench(httpx.ConnectError("refused"))
    with pytest.raises(RetryLater, match="no answer from the API server: ConnectError"):
        await bench.cluster.get("Service", "team", "churn")
    assert bench.observed == [("get", 0)]


async def test_a_deposed_leader_reads_and_does_not_write() -> None:
    def writes(cluster: KubernetesCluster) -> list[Awaitable[Any]]:
        return [
            cluster.apply(SERVICE, force=True),
            cluster.delete("Service", "team", "churn", "u"),
            cluster.suspend("Job", "team", "fit-1", "u", on=True),
            cluster.patch_status("ModelDeployment", "team", "churn", []),
            cluster.record_event(EVENT),
        ]

    bench = Bench(answer(), may_write=False)
    for write in writes(bench.cluster):
        with pytest.raises(RetryLater, match="does not hold the lease"):
            await write
    assert bench.requests == []
    await bench.cluster.get("Service", "team", "churn")
    assert len(bench.requests) == 1


async def test_a_request_is_authorized_by_the_newest_token() -> None:
    bench = Bench(answer())
    await bench.cluster.get("Service", "team", "churn")
    assert bench.sent.headers["Authorization"] == "Bearer t"
    bench = Bench(answer(), authorization="")
    await bench.cluster.get("Service", "team", "churn")
    assert "Authorization" not in bench.sent.headers


async def test_an_object_that_is_not_there_is_none() -> None:
    bench = Bench(answer(404), answer(200, kind="Service"))
    assert await bench.cluster.get("Service", "team", "churn") is None
    assert await bench.cluster.get("Service", "team", "churn") == {"kind": "Service"}
    assert bench.requests[0].url.path == "/api/v1/namespaces/team/services/churn"
    assert bench.observed == [("get", 404), ("get", 200)]


async def test_a_list_is_read_page_by_page_and_its_items_say_what_they_are() -> None:
    bench = Bench(
        answer(items=[{"metadata": {"name": "a"}}], metadata={"continue": "next"}),
        answer(items=[{"metadata": {"name": "b"}}], metadata={}),
    )
    items = await bench.cluster.list(MODEL_DEPLOYMENT, "", "")
    assert [(item["kind"], item["apiVersion"], item["metadata"]["name"]) for item in items] == [
        ("ModelDeployment", "fairlead.dev/v1alpha1", "a"),
        ("ModelDeployment", "fairlead.dev/v1alpha1", "b"),
    ]
    assert bench.requests[0].url.path == "/apis/fairlead.dev/v1alpha1/modeldeployments"
    assert [request.url.params.get("continue") for request in bench.requests] == [None, "next"]
    assert "labelSelector" not in bench.requests[0].url.params


async def test_a_list_is_narrowed_by_namespace_and_label() -> None:
    bench = Bench(answer(items=[], metadata={}))
    await bench.cluster.list(MODEL_DEPLOYMENT, "team", "a=b")
    assert bench.sent.url.path == "/apis/fairlead.dev/v1alpha1/namespaces/team/modeldeployments"
    assert bench.sent.url.params["labelSelector"] == "a=b"


@pytest.mark.parametrize("force", [True, False])
async def test_a_child_is_applied_as_our_field_manager(force: bool) -> None:
    bench = Bench(answer(**SERVICE))
    assert await bench.cluster.apply(SERVICE, force=force) == SERVICE
    assert (bench.sent.method, bench.sent.url.path) == ("PATCH", "/api/v1/namespaces/team/services/churn")
    assert dict(bench.sent.url.params) == {"fieldManager": "fairlead", "force": str(force).lower()}
    assert bench.sent.headers["Content-Type"] == "application/apply-patch+yaml"
    assert json.loads(bench.sent.content) == SERVICE
    assert bench.observed == [("apply", 200)]


async def test_a_deletion_is_bound_to_the_uid_and_what_is_gone_already_is_fine() -> None:
    bench = Bench(answer(404))
    await bench.cluster.delete("Service", "team", "churn", "u-1")
    assert json.loads(bench.sent.content) == {"preconditions": {"uid": "u-1"}, "propagationPolicy": "Background"}
    bench = Bench(answer(409, message="uid differs"))
    with pytest.raises(ReadAgain):
        await bench.cluster.delete("Service", "team", "churn", "u-1")


@pytest.mark.parametrize("on", [True, False])
async def test_a_job_is_suspended_only_if_it_is_still_the_same(on: bool) -> None:
    bench = Bench(answer(kind="Job"))
    assert await bench.cluster.suspend("Job", "team", "fit-1", "u-1", on=on) == {"kind": "Job"}
    assert json.loads(bench.sent.content) == {"metadata": {"uid": "u-1"}, "spec": {"suspend": on}}
    assert bench.sent.url.path == "/apis/batch/v1/namespaces/team/jobs/fit-1"
    assert bench.sent.url.params["fieldManager"] == "fairlead"
    assert bench.sent.headers["Content-Type"] == "application/merge-patch+json"


@pytest.mark.parametrize(("code", "error"), [(404, ReadAgain), (409, ReadAgain), (500, RetryLater), (422, Refused)])
async def test_a_job_that_is_another_one_or_gone_is_read_again(code: int, error: type[FairleadError]) -> None:
    bench = Bench(answer(code, message="gone"))
    with pytest.raises(error):
        await bench.cluster.suspend("Job", "team", "fit-1", "u-1", on=True)


@pytest.mark.parametrize(
    ("code", "error"), [(422, ReadAgain), (404, ReadAgain), (409, ReadAgain), (500, RetryLater), (403, Refused)]
)
async def test_a_status_whose_tests_fail_is_read_again(code: int, error: type[FairleadError]) -> None:
    bench = Bench(answer(code, message="test failed"))
    with pytest.raises(error):
        await bench.cluster.patch_status("ModelDeployment", "team", "churn", [{"op": "test"}])
    assert bench.sent.url.path.endswith("/modeldeployments/churn/status")
    assert bench.sent.headers["Content-Type"] == "application/json-patch+json"


async def test_a_status_that_is_written_comes_back() -> None:
    bench = Bench(answer(kind="ModelDeployment"))
    assert await bench.cluster.patch_status("ModelDeployment", "team", "churn", []) == {"kind": "ModelDeployment"}


async def test_an_event_is_created_and_counted_up_when_it_was_said_before() -> None:
    bench = Bench(answer(201))
    await bench.cluster.record_event(EVENT)
    assert (bench.sent.method, bench.sent.url.path) == ("POST", "/api/v1/namespaces/team/events")
    bench = Bench(answer(409), answer(count=4), answer())
    await bench.cluster.record_event(EVENT)
    assert [request.method for request in bench.requests] == ["POST", "GET", "PATCH"]
    assert json.loads(bench.requests[-1].content) == {"count": 5, "lastTimestamp": "2026-05-04T12:00:00Z"}


async def test_an_event_that_went_away_meanwhile_is_an_error_like_any_other() -> None:
    bench = Bench(answer(409), answer(404), answer(404, message="gone"))
    with pytest.raises(Refused, match="gone"):
        await bench.cluster.record_event(EVENT)


async def test_an_event_that_is_refused_says_so() -> None:
    with pytest.raises(Refused, match="terminating"):
        await Bench(answer(403, message="terminating")).cluster.record_event(EVENT)


async def test_warnings_come_the_oldest_first() -> None:
    items = [{"message": "new", "lastTimestamp": "2026-02"}, {"message": "old", "lastTimestamp": "2026-01"}]
    bench = Bench(answer(items=items))
    assert await bench.cluster.warnings("team", "u-1") == ["old", "new"]
    assert bench.sent.url.params["fieldSelector"] == "involvedObject.uid=u-1,type=Warning"
