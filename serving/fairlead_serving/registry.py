"""Where a registered model's files are, asked of MLflow over plain HTTP.

Names, sizes and addresses in the answers were written by whoever may write to the registry: all are checked.
"""

import asyncio
import json
import logging
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx

from fairlead_serving.errors import LoadError, ModelNotFound, RegistryUnavailable

_Answer = TypeVar("_Answer")

MAX_ANSWER_BYTES = 4 * 2**20
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)

_log = logging.getLogger(__name__)


class Interrupted(Exception):
    """An exchange that failed in a way that may pass: no connection, a time-out, a 5xx, 429, a short body."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of a listing; name is one path component."""

    name: str
    is_dir: bool
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Registry:
    """An MLflow tracking server, asked until deadline (on the event loop's clock)."""

    http: httpx.AsyncClient
    url: str
    deadline: float

    async def artifact_root(self, name: str, version: str) -> str:
        """The path of a model version's files below the artifact proxy. Raises LoadError."""
        where = {"name": name, "version": version}
        answer = await self._ask(
            "/api/2.0/mlflow/model-versions/get-download-uri", where, what=f"{name} version {version}"
        )
        return parse_artifact_root(answer.get("artifact_uri"))

    async def list_folder(self, path: str) -> list[Entry]:
        """The entries of a folder; none for one that does not exist. Raises LoadError."""
        answer = await self._ask("/api/2.0/mlflow-artifacts/artifacts", {"path": path}, what=path)
        return parse_listing(answer)

    async def fetch_file(self, path: str, save: Callable[[AsyncIterator[bytes]], Awaitable[None]]) -> None:
        """Stream a file into save, once more from the start after an interruption. Raises LoadError."""

        async def attempt() -> None:
            async with self._exchange(f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}", {}, path) as response:
                await save(response.aiter_bytes())

        await self._persist(attempt, path)

    async def _ask(self, route: str, query: Mapping[str, str], *, what: str) -> Mapping[str, object]:
        async def attempt() -> Mapping[str, object]:
            async with self._exchange(route, query, what) as response:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise LoadError(f"MLflow about {what}: expected at most {MAX_ANSWER_BYTES} bytes, got more")
            return _parse_object(body, what)

        return await self._persist(attempt, what)

    @asynccontextmanager
    async def _exchange(self, route: str, query: Mapping[str, str], what: str) -> AsyncIterator[httpx.Response]:
        try:
            async with self.http.stream("GET", self.url + route, params=dict(query), timeout=_TIMEOUT) as response:
                _check_status(response.status_code, what, self.url)
                yield response
        except httpx.TransportError as error:
            raise Interrupted(f"{type(error).__name__} {error}".strip()) from error
        except httpx.HTTPError as error:
            raise LoadError(f"MLflow about {what}: expected a readable answer, got {error}") from error

    async def _persist(self, attempt: Callable[[], Awaitable[_Answer]], what: str) -> _Answer:
        """Repeat an interrupted exchange, with growing pauses, until it succeeds or the deadline is near."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(self.deadline):
                    return await attempt()
            except (Interrupted, TimeoutError) as error:
                cause = str(error) or "no answer"
                if loop.time() + pause >= self.deadline:
                    raise RegistryUnavailable(
                        f"MLflow at {self.url} about {what}: expected an answer before the load deadline, got {cause}"
                    ) from error
                _log.warning("registry asked again", extra={"about": what, "cause": cause, "pause_seconds": pause})
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _check_status(status: int, what: str, url: str) -> None:
    if status == 200:
        return
    if status >= 500 or status in (408, 425, 429):
        raise Interrupted(f"HTTP {status}")
    if status == 404:
        raise ModelNotFound(f"MLflow at {url} about {what}: expected a registered model version, got HTTP 404")
    if status in (401, 403):
        raise RegistryUnavailable(
            f"MLflow at {url} about {what}: expected HTTP 200, got {status}; check its --allowed-hosts and credentials"
        )
    raise LoadError(f"MLflow at {url} about {what}: expected HTTP 200, got {status}")


def _parse_object(body: bytes, what: str) -> Mapping[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise LoadError(f"MLflow about {what}: expected a JSON object, got {body[:60]!r}; is this address an MLflow?")
    return answer


def parse_artifact_root(uri: object) -> str:
    """The path of `mlflow-artifacts:/1/models/m-1/artifacts` below the proxy. Raises LoadError."""
    text = uri if isinstance(uri, str) else ""
    parts = urlsplit(text)
    if parts.scheme != "mlflow-artifacts" or parts.query or parts.fragment:
        raise LoadError(
            f"artifact location: expected mlflow-artifacts:/..., got {str(uri)[:100]!r}; start MLflow with "
            "--serve-artifacts, so that pods need no credentials of the store"
        )
    components = [component for component in parts.path.split("/") if component]
    if not components or not all(is_plain_name(component) for component in components):
        raise LoadError(f"artifact location: expected plain path components, got {text[:100]!r}")
    return "/".join(components)


def parse_listing(answer: Mapping[str, object]) -> list[Entry]:
    """The entries of a listing. Raises LoadError for a name that is more than one plain path component."""
    files = answer.get("files", [])
    if not isinstance(files, list):
        raise LoadError(f"listing: expected files as a list, got {type(files).__name__}")
    return [_parse_entry(file) for file in files]


def _parse_entry(file: object) -> Entry:
    fields: Mapping[str, object] = file if isinstance(file, dict) else {}
    name, size = fields.get("path"), fields.get("file_size", 0)
    if not isinstance(name, str) or not is_plain_name(name):
        raise LoadError(f"listing: expected the name of a file, got {str(name)[:100]!r}")
    if not isinstance(size, int) or size < 0:
        raise LoadError(f"listing: expected the size of {name}, got {str(size)[:100]!r}")
    return Entry(name=name, is_dir=fields.get("is_dir") is True, size_bytes=size)


def is_plain_name(name: str) -> bool:
    """Whether a name is one path component that cannot lead out of its folder."""
    return (
        0 < len(name.encode(errors="replace")) <= 255
        and name not in (".", "..")
        and not any(character in "/\\" or unicodedata.category(character)[0] == "C" for character in name)
    )
