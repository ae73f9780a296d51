"""The plugin's way to the API server."""

from contextlib import aclosing

import httpx
import pytest
from tests.unit.cli.plugin.fake_api import FakeApi, StoppedClock
from tests.unit.cli.plugin.statuses import rolling

from fairlead.api.kinds import MODEL_DEPLOYMENT
from fairlead.cli.plugin.running import Where
from fairlead.errors import Refused, RetryLater

NOWHERE = Where(None, None, None)


async def phases(api: FakeApi, count: int) -> list[str]:
    """Of the first changes; `gone` for a deletion."""
    cluster, found = api.reach(NOWHERE, StoppedClock()), []
    async with aclosing(cluster.follow(MODEL_DEPLOYMENT, "churn")) as changes:
        async for body in changes:
            found.append(body["status"]["phase"] if body else "gone")
            if len(found) == count:
                break
    await cluster.close()
    return found


async def test_changes_are_followed_over_the_end_of_a_stream() -> None:
    api = FakeApi([rolling("Canary"), rolling("Braked"), rolling("Guard")])
    assert await phases(api, 5) == ["Canary", "Braked", "Braked", "Guard", "Guard"]


async def test_an_outage_is_waited_for_once_something_was_seen() -> None:
    api, failures = FakeApi([rolling("Canary"), rolling("Braked")]), iter([503, 429, 503])

    def sometimes(_: httpx.Request) -> httpx.Response | None:
        code = next(failures, 200) if len(api.requests) > 1 else 200
        return None if code == 200 else httpx.Response(code, json={"message": "not now"})

    api.other = sometimes
    assert (await phases(api, 3))[-1] == "Braked"


async def test_an_api_server_that_never_answered_is_told_at_once() -> None:
    api = FakeApi([rolling()], other=lambda _: httpx.Response(503, json={"message": "not now"}))
    with pytest.raises(RetryLater):
        await phases(api, 1)
    assert len(api.requests) == 1


async def test_who_may_not_watch_asks_again_and_again() -> None:
    api = FakeApi([rolling("Canary"), rolling("Braked")])

    def no_watch(request: httpx.Request) -> httpx.Response | None:
        if "watch" not in request.url.params:
            return None
        api.at = 1
        return httpx.Response(403, json={"message": "cannot watch"})

    api.other = no_watch
    assert await phases(api, 3) == ["Canary", "Braked", "Braked"]
    assert sum("watch" in request.url.params for request in api.requests) == 1


async def test_who_may_no_longer_look_is_told_so() -> None:
    api = FakeApi([rolling()])
    api.other = lambda _: None if len(api.requests) == 1 else httpx.Response(403, json={"message": "no more"})
    with pytest.raises(Refused):
        await phases(api, 2)
