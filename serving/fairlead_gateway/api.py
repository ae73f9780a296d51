"""The Kubernetes API as a pod sees it: two kinds of reads, whole answers and streams of lines."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from fairlead_gateway.settings import ApiAccess

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
MAX_ANSWER_BYTES = 32 * 2**20
MAX_LINE_BYTES = 8 * 2**20
"""An object is 1.5 MiB in etcd; some fields grow when they are written as JSON."""

Json = Mapping[str, Any]


class ApiError(Exception):
    """A request that brought nothing of use; `status` is HTTP's, or 0 when no whole answer came."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KubeApi:
    """GET requests with the pod's token, which is read anew each time: the kubelet replaces it every hour or so."""

    def __init__(self, session: aiohttp.ClientSession, access: ApiAccess) -> None:
        self._session = session
        self._access = access
        self._context: tuple[float, ssl.SSLContext] | None = None

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """A JSON object. Raises ApiError."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS)
        try:
            async with self._request(path, params, timeout) as answer:
                body = await _read(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(path, error) from error
        return _parse(path, body)

    async def lines(self, path: str, params: Mapping[str, str], silence_seconds: float) -> AsyncIterator[Json]:
        """The JSON objects of a watch, as they come, until the server ends it.

        Raises ApiError, also when nothing came for `silence_seconds`.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds)
        buffer = bytearray()
        try:
            async with self._request(path, params, timeout) as answer:
                if answer.status != 200:
                    await _read(answer)
                async for chunk in answer.content.iter_any():
                    buffer += chunk
                    while (end := buffer.find(b"\n")) >= 0:
                        line = bytes(buffer[:end])
                        del buffer[: end + 1]
                        yield _parse(path, line)
                    if len(buffer) > MAX_LINE_BYTES:
                        raise ApiError(0, f"{path}: expected lines of at most {MAX_LINE_BYTES} bytes, got a longer one")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(path, error) from error

    def _request(
        self, path: str, params: Mapping[str, str] | None, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.client._RequestContextManager:
        headers = {
            "Authorization": f"Bearer {self._access.token_file.read_text().strip()}",
            "Accept": "application/json, application/jwk-set+json",
            "Accept-Encoding": "identity",
        }
        url = self._access.url + path
        return self._session.get(
            url, params=params, headers=headers, timeout=timeout, ssl=self._trust(), allow_redirects=False
        )

    def _trust(self) -> ssl.SSLContext:
        """The cluster's certificate, loaded again when the file has become another one."""
        changed = self._access.ca_file.stat().st_mtime
        if self._context is None or self._context[0] != changed:
            self._context = (changed, ssl.create_default_context(cafile=str(self._access.ca_file)))
        return self._context[1]


def parse_status(body: Json) -> ApiError:
    """The error that a Status object tells, as an answer's body or as a line of a watch."""
    code = body.get("code")
    return ApiError(code if isinstance(code, int) else 0, str(body.get("message", "no message"))[:300])


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """The whole body of an answer with status 200; ApiError for another one or a body above the cap."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ApiError(0, f"{answer.url.path}: expected at most {MAX_ANSWER_BYTES} bytes, got more")
    if answer.status == 200:
        return bytes(body)
    raise ApiError(answer.status, f"{answer.url.path}: {bytes(body[:300]).decode(errors='replace')}")


def _parse(path: str, body: bytes) -> Json:
    try:
        value = json.loads(body)
    except ValueError:
        raise ApiError(0, f"{path}: expected JSON, got {body[:100]!r}") from None
    if not isinstance(value, dict):
        raise ApiError(0, f"{path}: expected a JSON object, got {body[:100]!r}")
    return value


def _unreachable(path: str, error: Exception) -> ApiError:
    return ApiError(0, f"{path}: {type(error).__name__}: {error}"[:300])
