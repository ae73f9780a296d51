"""Where a registered model's files are, asked of MLflow over plain HTTP.

Names, sizes and addresses in the answers were written by whoever may write to the registry: all are checked.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import httpx

from fairlead_serving.errors import LoadError, ModelNotFound, RegistryUnavailable
from fairlead_serving.listing import Entry, is_plain_name, parse_artifact_root, parse_listing
from fairlead_serving.settings import RegistryAccess

_Answer = TypeVar("_Answer")

MAX_ANSWER_BYTES = 4 * 2**20
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_API = "/api/2.0/mlflow"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"

_log = logging.getLogger(__name__)


class Interrupted(Exception):
    """An exchange that failed in a way that may pass: no connection, a time-out, a 5xx, 429, a short body."""


@dataclass(frozen=True, slots=True)
class VersionSource:
    """The run that a version comes from and its logged model; empty where MLflow knows none."""

    run_id: str
    model_id: str


@dataclass(frozen=True, slots=True)
class Registry:
    """An MLflow tracking server, asked until deadline (on the event loop's clock)."""

    http: httpx.AsyncClient
    url: str
    deadline: float

    async def artifact_root(self, name: str, version: str) -> str:
        """The path of a model version's files below the artifact proxy. Raises LoadError."""
        where = {"name": name, "version": version}
        what = f"{name} version {version}"
        answer = await self._ask(f"{_API}/model-versions/get-download-uri", where, what=what)
        return parse_artifact_root(answer.get("artifact_uri"))

    async def version_source(self, name: str, version: str) -> VersionSource:
        """The run and the logged model of a version. Raises LoadError."""
        where = {"name": name, "version": version}
        answer = await self._ask(f"{_API}/model-versions/get", where, what=f"{name} version {version}")
        fields = _inner(answer, "model_version")
        model_id = fields.get("model_id") or _logged_model(fields.get("source"))
        return VersionSource(run_id=_identifier(fields.get("run_id")), model_id=_identifier(model_id))

    async def model_root(self, model_id: str) -> str:
        """The path of a logged model's files below the artifact proxy. Raises LoadError."""
        what = f"logged model {model_id}"
        answer = await self._ask(f"{_API}/logged-models/{quote(model_id, safe='')}", {}, what=what)
        return parse_artifact_root(_inner(_inner(answer, "model"), "info").get("artifact_uri"))

    async def run_root(self, run_id: str) -> str:
        """The path of a run's own artifacts below the artifact proxy. Raises LoadError."""
        answer = await self._ask(f"{_API}/runs/get", {"run_id": run_id}, what=f"run {run_id}")
        return parse_artifact_root(_inner(_inner(answer, "run"), "info").get("artifact_uri"))

    async def list_folder(self, path: str) -> list[Entry]:
        """The entries of a folder; none for one that does not exist. Raises LoadError."""
        return parse_listing(await self._ask(_ARTIFACTS, {"path": path}, what=path))

    async def fetch_file(self, path: str, save: Callable[[AsyncIterator[bytes]], Awaitable[None]]) -> None:
        """Stream a file into save, once more from the start after an interruption. Raises LoadError."""

        async def attempt() -> None:
            async with self._exchange("GET", f"{_ARTIFACTS}/{quote(path)}", {}, path) as response:
                await save(response.aiter_bytes())

        await self._persist(attempt, path)

    async def store_file(self, path: str, content: bytes) -> None:
        """Store a small file, in the place of one that may be there. Raises LoadError."""

        async def attempt() -> None:
            async with self._exchange("PUT", f"{_ARTIFACTS}/{quote(path)}", {}, path, content):
                return

        await self._persist(attempt, path)

    async def read_file(self, path: str) -> bytes:
        """A small file's content. Raises LoadError, also above MAX_ANSWER_BYTES."""
        return await self._read(f"{_ARTIFACTS}/{quote(path)}", {}, path)

    async def _ask(self, route: str, query: Mapping[str, str], *, what: str) -> Mapping[str, object]:
        return _parse_object(await self._read(route, query, what), what)

    async def _read(self, route: str, query: Mapping[str, str], what: str) -> bytes:
        async def attempt() -> bytes:
            body = b""
            async with self._exchange("GET", route, query, what) as response:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise LoadError(f"MLflow about {what}: expected at most {MAX_ANSWER_BYTES} bytes, got more")
            return body

        return await self._persist(attempt, what)

    @asynccontextmanager
    async def _exchange(
        self, method: str, route: str, query: Mapping[str, str], what: str, content: bytes | None = None
    ) -> AsyncIterator[httpx.Response]:
        arguments = {"params": dict(query), "timeout": _TIMEOUT, "content": content}
        try:
            async with self.http.stream(method, self.url + route, **arguments) as response:  # type: ignore[arg-type]
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
        cause = "no answer"
        while True:
            try:
                async with asyncio.timeout_at(self.deadline):
                    return await attempt()
            except (Interrupted, TimeoutError) as error:
                # The deadline itself says nothing: what came before it is the cause.
                cause = str(error) or cause
                if loop.time() + pause >= self.deadline:
                    raise RegistryUnavailable(
                        f"MLflow at {self.url} about {what}: expected an answer before the load deadline, got {cause}"
                    ) from error
                _log.warning("registry asked again", extra={"about": what, "cause": cause, "pause_seconds": pause})
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


@asynccontextmanager
async def open_registry(access: RegistryAccess) -> AsyncIterator[Registry]:
    """A registry to ask from now until the deadline. Redirects are not followed: they would carry the credentials."""
    headers = {"Authorization": access.authorization} if access.authorization else {}
    deadline = asyncio.get_running_loop().time() + access.deadline_seconds
    async with httpx.AsyncClient(headers=headers, follow_redirects=False) as http:
        yield Registry(http=http, url=access.url, deadline=deadline)


def _check_status(status: int, what: str, url: str) -> None:
    if status == 200:
        return
    if status >= 500 or status in (408, 425, 429):
        raise Interrupted(f"HTTP {status}")
    if status == 404:
        raise ModelNotFound(f"MLflow at {url} about {what}: expected to find it, got HTTP 404")
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


def _inner(answer: Mapping[str, object], field: str) -> Mapping[str, object]:
    inner = answer.get(field)
    return inner if isinstance(inner, dict) else {}


def _logged_model(source: object) -> str:
    """The id in `models:/m-...`; empty for a source of another kind."""
    text = source if isinstance(source, str) else ""
    return text.removeprefix("models:/") if text.startswith("models:/m-") else ""


def _identifier(value: object) -> str:
    """An id that becomes part of a path; empty for none. Raises LoadError for one that could lead elsewhere."""
    text = value if isinstance(value, str) else ""
    if text and not is_plain_name(text):
        raise LoadError(f"model version: expected plain ids of its run and model, got {text[:100]!r}")
    return text
