"""One kind's objects, kept current: a list, then watches from there on, and a list again now and then."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from fairlead_gateway.api import ApiError, Json, KubeApi, parse_status

PAGE = "20"
"""Objects in one answer: of the largest that the API server keeps, so many are below the cap on an answer."""
WATCH_SECONDS = 60
SILENCE_SECONDS = 75.0
"""A watch that has brought nothing, not even its end, for this long is deaf: its connection leads nowhere."""
WATCHES_BETWEEN_LISTS = 5
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
LONGEST_FIRST_PAUSE_SECONDS = 1.0
"""Before the first list: a pod may start before its rights are granted, and nobody is served until it has them."""
GONE = 410

_log = logging.getLogger(__name__)


class Cache(Protocol):
    """Where the objects are kept, by name."""

    def replace(self, objects: dict[str, Any]) -> None:
        """These are all."""
        ...

    def put(self, name: str, value: Any) -> None:
        """One was made or changed."""
        ...

    def drop(self, name: str) -> None:
        """One is gone."""
        ...


class Watcher:
    """Keeps a cache current, whatever the API server does. `slim` takes from an object what is worth keeping.

    Every few minutes a list is compared with what the watch has brought. An object that the watch must have brought
    and has not was missed; missing something twice in a row makes the watcher deaf.
    """

    def __init__(
        self, api: KubeApi, path: str, slim: Callable[[Json], Any], cache: Cache, clock: Callable[[], float]
    ) -> None:
        self._api = api
        self._path = path
        self._slim = slim
        self._cache = cache
        self._clock = clock
        self._version = ""
        self._versions: dict[str, str] = {}
        self._watches_left = 0
        self._misses = 0
        self._turned_at = clock()
        self.listed = False

    async def run(self) -> None:
        """Forever: never raises but for being cancelled."""
        pause, failing = FIRST_PAUSE_SECONDS, ""
        while True:
            self._turned_at = self._clock()
            try:
                await self._step()
            except ApiError as error:
                if error.status == GONE:
                    self._version = ""
                    continue
                if str(error) != failing:
                    _log.warning("watch interrupted", extra={"path": self._path, "cause": str(error)})
                failing = str(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS if self.listed else LONGEST_FIRST_PAUSE_SECONDS)
            else:
                pause, failing = FIRST_PAUSE_SECONDS, ""

    def deaf(self) -> str:
        """Why this watcher can no longer be relied upon; empty while it can. An absent API server is no reason."""
        if self._misses >= 2:
            return f"{self._path}: the watch missed objects that lists showed, twice in a row"
        still = self._clock() - self._turned_at
        if still > SILENCE_SECONDS + 60:
            return f"{self._path}: nothing was heard or tried for {still:.0f} s"
        return ""

    async def _step(self) -> None:
        if not self._version or not self._watches_left:
            await self._list()
            self._watches_left = WATCHES_BETWEEN_LISTS
        else:
            await self._watch()
            self._watches_left -= 1

    async def _list(self) -> None:
        objects: dict[str, Any] = {}
        versions: dict[str, str] = {}
        params = {"limit": PAGE}
        while True:
            page = await self._api.get(self._path, params)
            for item in page.get("items", ()):
                name = item["metadata"]["name"]
                objects[name], versions[name] = self._slim(item), item["metadata"]["resourceVersion"]
            token = page["metadata"].get("continue")
            if not token:
                break
            params = {"limit": PAGE, "continue": token}
        self._count_missed(versions)
        self._versions, self._version = versions, page["metadata"]["resourceVersion"]
        self._cache.replace(objects)
        self.listed = True

    def _count_missed(self, listed: dict[str, str]) -> None:
        if not self._version:
            return
        heard_until = int(self._version)
        missed = sorted(
            name
            for name, version in listed.items()
            if self._versions.get(name) != version and int(version) <= heard_until
        )
        self._misses = self._misses + 1 if missed else 0
        if missed:
            _log.error("watch missed objects", extra={"path": self._path, "names": missed[:10]})

    async def _watch(self) -> None:
        params = {
            "watch": "true",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        async for event in self._api.lines(self._path, params, SILENCE_SECONDS):
            self._turned_at = self._clock()
            self._take(event)

    def _take(self, event: Json) -> None:
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            raise parse_status(item)
        name, self._version = item["metadata"].get("name", ""), item["metadata"]["resourceVersion"]
        if kind == "DELETED":
            self._versions.pop(name, None)
            self._cache.drop(name)
        elif kind in ("ADDED", "MODIFIED"):
            self._versions[name] = self._version
            self._cache.put(name, self._slim(item))
