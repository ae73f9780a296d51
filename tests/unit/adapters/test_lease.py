"""Leader election over a Lease that is kept in memory with the API server's compare-and-swap."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.unit.shell.in_memory import FakeClock, until

from fairlead.adapters.connection import Connection
from fairlead.adapters.kubernetes import KubernetesCluster
from fairlead.adapters.lease import Elector, LeaseTerms

PATH = "/apis/coordination.k8s.io/v1/namespaces/fairlead-system/leases"


class LeaseEndpoint:
    """One Lease; a PUT with an old resourceVersion is a conflict. `down` answers 503, `hook` sees each request."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.down = False
        self.hook: Callable[[httpx.Request], None] = lambda request: None
        self.http = httpx.AsyncClient(base_url="https://api", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.hook(request)
        if self.down:
            return httpx.Response(503, json={})
        if request.method == "GET":
            assert request.url.path == f"{PATH}/fairlead"
            return httpx.Response(200 if self.lease else 404, json=self.lease or {})
        body = json.loads(request.content)
        if request.method == "POST":
            assert request.url.path == PATH
            return httpx.Response(409, json={}) if self.lease else self._keep(body, 201)
        if self.lease is None or body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            return httpx.Response(409, json={})
        return self._keep(body, 200)

    def _keep(self, body: dict[str, Any], code: int) -> httpx.Response:
        self.version += 1
        uid = self.lease["metadata"]["uid"] if self.lease else "lease-uid"
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version), "uid": uid}}
        return httpx.Response(code, json=self.lease)

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease
        spec = self.lease["spec"]
        assert isinstance(spec, dict)
        return spec

    def steal(self, identity: str = "thief") -> None:
        """Someone else becomes the holder."""
        assert self.lease
        self._keep({**self.lease, "spec": {**self.spec, "holderIdentity": identity}}, 200)


@pytest.fixture
def endpoint() -> LeaseEndpoint:
    return LeaseEndpoint()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def elector(endpoint: LeaseEndpoint, clock: FakeClock, identity: str = "a") -> Elector:
    cluster = KubernetesCluster(
        Connection(endpoint.http, lambda: ""), may_write=lambda: True, observe=lambda verb, code: None
    )
    terms = LeaseTerms(
        namespace="fairlead-system",
        name="fairlead",
        identity=identity,
        duration_seconds=15,
        renew_seconds=5,
        retry_seconds=2,
    )
    return Elector(cluster, clock, terms)


async def test_a_first_leader_makes_the_lease(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    one = elector(endpoint, clock)
    assert not one.holds()
    assert await one._attempt()
    assert one.holds()
    assert (one.epoch, one.uid) == (1, "lease-uid")
    assert (endpoint.spec["holderIdentity"], endpoint.spec["leaseDurationSeconds"]) == ("a", 15)
    assert endpoint.spec["renewTime"] == "2026-05-04T12:00:00.000000Z"


async def test_of_two_that_start_together_one_leads(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    electors = [elector(endpoint, clock, name) for name in "ab"]
    assert sorted(await asyncio.gather(*(one._attempt() for one in electors))) == [False, True]
    assert sum(one.holds() for one in electors) == 1


async def test_a_lease_that_is_renewed_is_kept_and_its_epoch_stays(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    one = elector(endpoint, clock)
    for _ in range(5):
        assert await one._attempt()
        clock.advance(10)
    assert one.holds()
    assert one.epoch == 1


async def test_validity_counts_from_before_the_request(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    one = elector(endpoint, clock)
    endpoint.hook = lambda request: clock.advance(4)
    await one._attempt()
    clock.advance(6.9)
    assert one.holds(), "8 s of requests and 6.9 s since"
    clock.advance(0.2)
    assert not one.holds()


async def test_a_blocked_process_does_not_hold_when_it_wakes(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    one = elector(endpoint, clock)
    await one._attempt()
    clock.advance(15)
    assert not one.holds()


async def test_a_standby_waits_for_the_duration_since_it_last_saw_the_lease_change(
    endpoint: LeaseEndpoint, clock: FakeClock
) -> None:
    one, other = elector(endpoint, clock, "a"), elector(endpoint, clock, "b")
    await one._attempt()
    clock.advance(100)
    assert not await other._attempt(), "clocks need not agree: what it sees first is new to it"
    clock.advance(10)
    await one._attempt()
    assert not await other._attempt(), "the holder has renewed it"
    clock.advance(15)
    assert not await other._attempt()
    clock.advance(0.1)
    assert await other._attempt()
    assert (other.epoch, endpoint.spec["holderIdentity"]) == (2, "b")


async def test_a_holder_that_sees_another_one_stops_writing_at_once(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    one = elector(endpoint, clock)
    await one._attempt()
    endpoint.steal()
    assert not await one._attempt()
    assert not one.holds()


async def test_a_lost_race_for_the_lease_is_no_lease(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    one, other = elector(endpoint, clock, "a"), elector(endpoint, clock, "b")
    await one._attempt()
    await one.release()

    def faster(request: httpx.Request) -> None:
        if request.method == "PUT":
            endpoint.hook = lambda request: None
            endpoint.steal("c")

    endpoint.hook = faster
    assert not await other._attempt()
    assert not other.holds()


async def test_a_released_lease_is_free_at_once_and_its_epoch_grows(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    one, other = elector(endpoint, clock, "a"), elector(endpoint, clock, "b")
    await one._attempt()
    await one.release()
    assert not one.holds()
    assert endpoint.spec["holderIdentity"] == ""
    assert await other._attempt()
    assert other.epoch == 2


async def test_only_the_holder_releases(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    one, other = elector(endpoint, clock, "a"), elector(endpoint, clock, "b")
    await one._attempt()
    await other.release()
    assert endpoint.spec["holderIdentity"] == "a"
    endpoint.steal()
    await one.release()
    assert endpoint.spec["holderIdentity"] == "thief"
    assert not one.holds()


async def test_an_api_server_that_is_away_does_not_keep_the_process_from_ending(
    endpoint: LeaseEndpoint, clock: FakeClock
) -> None:
    one = elector(endpoint, clock)
    await one._attempt()

    def lost(request: httpx.Request) -> None:
        raise httpx.ConnectError("refused")

    endpoint.hook = lost
    await one.release()
    assert not one.holds()


async def test_an_unreadable_lease_is_no_lease(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    endpoint.down = True
    assert not await elector(endpoint, clock)._attempt()


async def test_a_lease_without_a_spec_is_free(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    endpoint._keep({"metadata": {"name": "fairlead"}}, 200)
    one = elector(endpoint, clock)
    assert await one._attempt()
    assert one.epoch == 1


async def test_the_election_goes_on_until_the_lease_is_lost(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    one = elector(endpoint, clock)
    task = asyncio.create_task(one.run())
    await asyncio.wait_for(one.elected.wait(), timeout=5)
    await until(lambda: len(clock.slept) > 3)
    assert set(clock.slept) == {5.0}, "renewed well before it ends"
    endpoint.down = True
    before = clock.seconds
    await asyncio.wait_for(task, timeout=5)
    assert 10 <= clock.seconds - before <= 20
    assert not one.holds()


async def test_a_short_outage_costs_no_lease(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    one = elector(endpoint, clock)
    task = asyncio.create_task(one.run())
    await asyncio.wait_for(one.elected.wait(), timeout=5)
    endpoint.down = True
    seen = clock.slept.count(2.0)
    await until(lambda: clock.slept.count(2.0) >= seen + 2)
    endpoint.down = False
    seen = clock.slept.count(5.0)
    await until(lambda: clock.slept.count(5.0) >= seen + 2)
    assert one.holds()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_standby_tries_on_through_errors(endpoint: LeaseEndpoint, clock: FakeClock) -> None:
    failures = iter([httpx.ConnectError("refused"), httpx.ReadTimeout("slow")])

    def flaky(request: httpx.Request) -> None:
        if error := next(failures, None):
            raise error

    endpoint.hook = flaky
    one = elector(endpoint, clock)
    task = asyncio.create_task(one.run())
    await asyncio.wait_for(one.elected.wait(), timeout=5)
    assert clock.slept[:2] == [2.0, 2.0]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
