"""A watcher against an API server that follows a script."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from fairlead_gateway import watching
from fairlead_gateway.api import ApiError, KubeApi
from fairlead_gateway.watching import Watcher


class Script(KubeApi):
    """Answers lists and watches in the order in which they were given; then nothing more comes."""

    def __init__(self) -> None:
        self.lists: list[Any] = []
        self.watches: list[Any] = []
        self.asked: list[dict[str, str]] = []
        self.done = asyncio.Event()

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        self.asked.append(dict(params or {}))
        return await self._next(self.lists)

    async def lines(
        self, path: str, params: Mapping[str, str], silence_seconds: float
    ) -> AsyncIterator[Mapping[str, Any]]:
        self.asked.append({"watch": params["resourceVersion"]})
        for event in await self._next(self.watches):
            if isinstance(event, Exception):
                raise event
            yield event

    async def _next(self, queue: list[Any]) -> Any:
        if not queue:
            self.done.set()
            await asyncio.Event().wait()
        item = queue.pop(0)
        if isinstance(item, Exception):
            raise item
        return item


class Cache:
    """Keeps the objects, and what was done to them."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def replace(self, objects: dict[str, Any]) -> None:
        self.objects = dict(objects)

    def put(self, name: str, value: Any) -> None:
        self.objects[name] = value

    def drop(self, name: str) -> None:
        self.objects.pop(name, None)


def item(name: str, version: int, value: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "value": value}


def page(version: int, *items: dict[str, Any], token: str = "") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version), "continue": token}, "items": list(items)}


def event(kind: str, *given: Any) -> dict[str, Any]:
    return {"type": kind, "object": item(*given)}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FIRST_PAUSE_SECONDS", 0.001)


async def follow(script: Script, cache: Cache, clock: Any = lambda: 0.0) -> Watcher:
    """Run until the script has nothing more to say."""
    watcher = Watcher(script, "/things", lambda given: given["value"], cache, clock)
    running = asyncio.create_task(watcher.run())
    await asyncio.wait_for(script.done.wait(), 5)
    running.cancel()
    return watcher


async def test_a_list_of_pages_and_then_what_changes() -> None:
    script, cache = Script(), Cache()
    script.lists = [page(9, item("a", 1, "A"), token="more"), page(9, item("b", 2, "B"))]
    script.watches = [[event("ADDED", "c", 10, "C"), event("MODIFIED", "a", 11, "A2"), event("DELETED", "b", 12)]]
    watcher = await follow(script, cache)
    assert cache.objects == {"a": "A2", "c": "C"}
    assert watcher.listed
    assert script.asked == [{"limit": "20"}, {"limit": "20", "continue": "more"}, {"watch": "9"}, {"watch": "12"}]


async def test_a_bookmark_moves_the_version_alone() -> None:
    script, cache = Script(), Cache()
    script.lists = [page(9, item("a", 1, "A"))]
    script.watches = [[{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "50"}}}]]
    await follow(script, cache)
    assert cache.objects == {"a": "A"}
    assert script.asked[-1] == {"watch": "50"}


@pytest.mark.parametrize(
    "gone",
    [
        [ApiError(410, "too old")],
        [{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}],
    ],
)
async def test_a_version_that_is_too_old_is_listed_again_at_once(gone: list[Any]) -> None:
    script, cache = Script(), Cache()
    script.lists = [page(9, item("a", 1)), page(20, item("b", 15))]
    script.watches = [gone]
    await follow(script, cache)
    assert list(cache.objects) == ["b"]
    assert [asked for asked in script.asked if "watch" in asked] == [{"watch": "9"}, {"watch": "20"}]


async def test_a_page_that_is_too_old_begins_the_list_anew() -> None:
    script, cache = Script(), Cache()
    script.lists = [page(9, item("a", 1), token="more"), ApiError(410, "expired"), page(10, item("b", 2))]
    await follow(script, cache)
    assert list(cache.objects) == ["b"]


async def test_a_watch_that_breaks_goes_on_from_where_it_was(caplog: pytest.LogCaptureFixture) -> None:
    script, cache = Script(), Cache()
    broken = ApiError(0, "connection reset")
    script.lists = [ApiError(0, "refused"), ApiError(0, "refused"), page(9)]
    script.watches = [[event("ADDED", "a", 10), broken], [broken], [event("ADDED", "b", 11)]]
    await follow(script, cache)
    assert list(cache.objects) == ["a", "b"]
    assert [asked["watch"] for asked in script.asked if "watch" in asked] == ["9", "10", "10", "11"]
    causes = [getattr(record, "cause", "") for record in caplog.records]
    assert causes == ["refused", "connection reset"]  # once for each cause, however long it lasts


async def test_a_list_now_and_then_finds_what_the_watch_has_missed() -> None:
    script, cache = Script(), Cache()
    rounds = watching.WATCHES_BETWEEN_LISTS
    script.lists = [page(9, item("a", 1)), page(99, item("a", 1), item("b", 12)), page(200, item("c", 150))]
    heard = [event("ADDED", "x", 20), event("DELETED", "x", 21)]
    script.watches = [heard, *([[]] * (rounds - 1)), [event("ADDED", "y", 160)], *([[]] * (rounds - 1))]
    watcher = await follow(script, cache)
    assert list(cache.objects) == ["c"]
    assert watcher.deaf() == "/things: the watch missed objects that lists showed, twice in a row"


async def test_what_came_after_the_last_word_of_the_watch_was_not_missed() -> None:
    script, cache = Script(), Cache()
    script.lists = [page(9), page(99, item("a", 50)), page(200, item("a", 150))]
    script.watches = [[]] * (2 * watching.WATCHES_BETWEEN_LISTS)
    assert (await follow(script, cache)).deaf() == ""


async def test_a_watcher_that_stands_still_is_deaf() -> None:
    script, cache = Script(), Cache()
    now = [0.0]
    script.lists = [page(9)]
    watcher = await follow(script, cache, lambda: now[0])
    assert watcher.deaf() == ""
    now[0] = 136.0
    assert watcher.deaf() == "/things: nothing was heard or tried for 136 s"
