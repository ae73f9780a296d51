"""Envoy's admin interface, on a unix socket that only this pod sees."""

import json
from pathlib import Path
from typing import Any

import aiohttp

ANSWER_SECONDS = 5.0
MAX_ANSWER_BYTES = 16 * 2**20
SOCKET = "admin.sock"


class AdminError(Exception):
    """Envoy is not there, or did not answer as it should; the text says which."""


class EnvoyAdmin:
    """Asks one Envoy. A connection for each question: Envoy may have been started anew in between."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def get_json(self, path: str) -> Any:
        """A JSON answer. Raises AdminError."""
        body = await self._ask("GET", path)
        try:
            return json.loads(body)
        except ValueError:
            raise AdminError(f"{path}: expected JSON, got {body[:100]!r}") from None

    async def get(self, path: str) -> str:
        """A text answer. Raises AdminError."""
        return (await self._ask("GET", path)).decode(errors="replace")

    async def post(self, path: str) -> None:
        """Something that changes Envoy. Raises AdminError."""
        await self._ask("POST", path)

    def started_at(self) -> float:
        """When Envoy started, in seconds of the Unix epoch: it makes its socket anew. 0 when there is none."""
        try:
            return self._socket.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    async def _ask(self, method: str, path: str) -> bytes:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self._socket), force_close=True), timeout=timeout
            )
        try:
            async with self._session.request(method, f"http://envoy{path}") as answer:
                body = bytearray()
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise AdminError(f"{path}: expected at most {MAX_ANSWER_BYTES} bytes, got more")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AdminError(f"{path}: {type(error).__name__}: {error}"[:300]) from error
        if answer.status != 200:
            raise AdminError(f"{path}: expected 200, got {answer.status}: {bytes(body[:200]).decode(errors='replace')}")
        return bytes(body)
