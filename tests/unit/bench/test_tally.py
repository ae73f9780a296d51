"""Counting what the operator asked of the API server."""

from datetime import UTC, datetime, timedelta

from tests.bench.tally import arrivals, last_write, tally
from tests.cluster import Request

START = datetime(2026, 1, 1, tzinfo=UTC)


def asked(
    verb: str,
    resource: str,
    *,
    second: int = 0,
    user: str = "operator",
    subresource: str = "",
    code: int = 200,
    agent: str = "fairlead-operator",
) -> Request:
    """One request."""
    return Request(
        received=START + timedelta(seconds=second),
        verb=verb,
        user=user,
        user_agent=agent,
        group="",
        resource=resource,
        subresource=subresource,
        namespace="bench",
        name="web",
        code=code,
        uri="/",
    )


REQUESTS = [
    asked("create", "modeldeployments", second=1, user="admin", code=201),
    asked("watch", "modeldeployments", second=1, agent="kopf/1"),
    asked("get", "deployments", second=2),
    asked("patch", "modeldeployments", second=3, subresource="status"),
    asked("patch", "deployments", second=4, code=201),
    asked("patch", "deployments", second=5),
    asked("patch", "deployments", second=6, subresource="status", user="admin"),
    asked("create", "events", second=7, code=409),
    asked("update", "leases", second=8),
]


def test_writes_are_told_apart_by_what_they_are_about() -> None:
    found = tally(REQUESTS, "operator")
    assert found.writes == {"deployments": 2, "events": 1, "status": 1}
    assert (found.written, found.refused) == (4, 1)


def test_reads_the_lease_and_other_users_are_not_writes_of_the_operator() -> None:
    found = tally(REQUESTS, "operator")
    assert found.verbs == {"create": 1, "get": 1, "patch": 3, "watch": 1}
    assert found.sources == {"kopf": 1, "operator": 5}


def test_only_a_request_that_made_something_counts_as_created() -> None:
    created = arrivals(REQUESTS, "deployments", by="operator", created=True)
    assert created == [START + timedelta(seconds=4)]
    assert len(arrivals(REQUESTS, "deployments", by="operator", created=False)) == 2
    assert len(arrivals(REQUESTS, "deployments", by="admin", created=False)) == 0, "a status is not the object"


def test_the_renewal_of_the_lease_is_not_the_last_write() -> None:
    assert last_write(REQUESTS, "operator") == START + timedelta(seconds=7)
    assert last_write([], "operator") is None
