"""The evidence endpoint of gateway pods, over HTTP with a token that is good for nothing else.

aiohttp and not httpx: this is asked for every second of every gateway pod, and takes a sixth of httpx' processor time.
"""

from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

import aiohttp
from yarl import URL

from fairlead.api.gateway_evidence import InvalidEvidence, PodEvidence
from fairlead.api.gateway_text import parse_evidence
from fairlead.errors import GatewayError

TIMEOUT_SECONDS = 1.0
BODY_LIMIT_BYTES = 2 * 1024 * 1024
KEPT_SECONDS = 20.0
"""How long an idle connection may be used again: longer than the longest pause between two reads."""
_MOST_CONNECTIONS = 256
_REMEMBERED_ADDRESSES = 4096
_QUOTE_LIMIT = 64


class TokenFile:
    """A token that is projected into the operator's pod: read again when the kubelet has written another one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._header = ""

    def authorization(self) -> str:
        """`Bearer ...`; GatewayError without a usable file. The text never quotes what the file holds."""
        try:
            stat = self._path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._header = self._read()
                self._seen = seen
        except (OSError, UnicodeDecodeError) as error:
            raise GatewayError("no_token", f"cannot read {self._path}: {type(error).__name__}") from error
        return self._header

    def _read(self) -> str:
        text = self._path.read_text(encoding="ascii").strip()
        if not text or " " in text or not text.isprintable():
            raise GatewayError("no_token", f"expected one word of printable ASCII in {self._path}")
        return f"Bearer {text}"


class HttpGateways:
    """Implements ports.Gateways."""

    def __init__(self, token: TokenFile, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    def _session(self) -> aiohttp.ClientSession:
        """Made with the first request: it belongs to the event loop."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_MOST_CONNECTIONS, keepalive_timeout=KEPT_SECONDS),
                timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                # An answer is read as it is: a compressed one could be a thousand times larger than it looks.
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        return self._http

    async def read(self, address: str, port: int) -> PodEvidence:
        """One GET. No redirect is followed: the token goes to gateway pods alone."""
        headers = {"Authorization": self._token.authorization()}
        where = _url(address, port)
        try:
            async with self._session().get(where, headers=headers, allow_redirects=False) as response:
                body = await _body(response, where)
                if response.status != 200:
                    raise GatewayError(*_refusal(response.status, body, where))
        except TimeoutError as error:
            raise GatewayError("timeout", f"no answer from {where} in time") from error
        except aiohttp.ClientError as error:
            raise GatewayError("unreachable", f"no answer from {where}: {type(error).__name__}") from error
        try:
            return parse_evidence(body)
        except InvalidEvidence as error:
            raise GatewayError("invalid", f"{where} gave no evidence: {error}") from error


def _refusal(status: int, body: bytes, where: URL) -> tuple[str, str]:
    """A gateway says in a word why it lets nobody in."""
    said = ascii(body[:_QUOTE_LIMIT].decode(errors="replace").strip())
    if status == 401:
        return "unauthorized", f"{where} does not take the operator's token: {said}"
    return "refused", f"{where} answered {status}: {said}"


async def _body(response: aiohttp.ClientResponse, where: URL) -> bytes:
    """The body, up to a limit."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > BODY_LIMIT_BYTES:
            raise GatewayError("too_large", f"{where} answered with more than {BODY_LIMIT_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


@lru_cache(maxsize=_REMEMBERED_ADDRESSES)
def _url(address: str, port: int) -> URL:
    """The endpoint of a pod's address, which has brackets when it is one of IPv6."""
    try:
        host = ip_address(address)
    except ValueError as error:
        raise GatewayError("unreachable", f"expected the pod's IP address, got {address[:_QUOTE_LIMIT]!r}") from error
    return URL(f"http://{f'[{host}]' if host.version == 6 else host}:{port}/evidence")
