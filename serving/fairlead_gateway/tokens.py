"""Who asks: checks a bearer token as the API server would, without the right to ask it to."""

import asyncio
import contextlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt

AUDIENCE = "fairlead-evidence"
MAX_TOKEN_CHARS = 8192
MAX_KEYS = 32
ASK_AGAIN_SECONDS = 10.0
KEYS_KEPT_SECONDS = 600.0
CLOCK_SKEW_SECONDS = 10.0
ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}


class Refusal(StrEnum):
    """Why a request is answered with 401."""

    MISSING = "missing"
    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    KEY = "key"
    SIGNATURE = "signature"
    EXPIRED = "expired"
    AUDIENCE = "audience"
    ISSUER = "issuer"
    SUBJECT = "subject"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Issuer:
    """The cluster as an issuer of tokens: its name and its public keys by key id."""

    name: str
    keys: Mapping[str, jwt.PyJWK]


class KeysUnavailable(Exception):
    """The cluster's keys could not be read, and none are known."""


def parse_issuer(discovery: Mapping[str, Any], key_set: Mapping[str, Any]) -> Issuer:
    """From /.well-known/openid-configuration and /openid/v1/jwks. Keys of other kinds than RSA and P-256 are left out.

    Raises KeysUnavailable for documents of another shape.
    """
    name, listed = discovery.get("issuer"), key_set.get("keys")
    if not isinstance(name, str) or not name or not isinstance(listed, list):
        raise KeysUnavailable("expected an issuer and a list of keys")
    keys = {}
    for item in listed[:MAX_KEYS]:
        algorithm = ALGORITHMS.get(item.get("kty", "")) if isinstance(item, dict) else None
        if algorithm and isinstance(item.get("kid"), str) and item.get("crv", "P-256") == "P-256":
            # A key that cannot be read must not hide the others.
            with contextlib.suppress(jwt.PyJWTError):
                keys[item["kid"]] = jwt.PyJWK(item, algorithm=algorithm)
    return Issuer(name, keys)


class TokenCheck:
    """Lets in the one subject whose token is meant for us. `fetch` asks the cluster for its keys.

    The keys are kept for ten minutes, and longer while they cannot be read anew. An unknown key id asks again, but
    not more than once in ten seconds.
    """

    def __init__(self, subject: str, fetch: Callable[[], Awaitable[Issuer]], clock: Callable[[], float]) -> None:
        self._subject = subject
        self._fetch = fetch
        self._clock = clock
        self._issuer: Issuer | None = None
        self._read_at = self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def check(self, authorization: str | None) -> Refusal | None:
        """What is wrong with an Authorization header; None when it opens the door."""
        scheme, _, token = (authorization or "").partition(" ")
        if not token or scheme.lower() != "bearer":
            return Refusal.MISSING
        if len(token) > MAX_TOKEN_CHARS:
            return Refusal.MALFORMED
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            return Refusal.MALFORMED
        if header.get("alg") not in ALGORITHMS.values():
            return Refusal.ALGORITHM
        issuer = await self._issuer_with(header.get("kid", ""))
        if issuer is None:
            return Refusal.UNAVAILABLE
        key = issuer.keys.get(header.get("kid", ""))
        return Refusal.KEY if key is None else verify(token, key, issuer.name, self._subject)

    async def _issuer_with(self, key_id: str) -> Issuer | None:
        """The issuer, read anew when it is old or does not know the key."""
        async with self._asking:
            now = self._clock()
            known = self._issuer is not None and key_id in self._issuer.keys
            fresh = now - self._read_at < KEYS_KEPT_SECONDS
            if not (known and fresh) and now - self._asked_at >= ASK_AGAIN_SECONDS:
                self._asked_at = now
                try:
                    self._issuer = await self._fetch()
                except KeysUnavailable:
                    return self._issuer
                self._read_at = now
            return self._issuer


def verify(token: str, key: jwt.PyJWK, issuer: str, subject: str) -> Refusal | None:
    """What is wrong with a token that claims to be signed by this key; None when nothing is."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=AUDIENCE,
            issuer=issuer,
            leeway=CLOCK_SKEW_SECONDS,
            options={"require": ["exp", "aud", "iss", "sub"]},
        )
    except jwt.InvalidTokenError as error:
        return _refusal(error)
    same = hmac.compare_digest(str(claims["sub"]).encode(), subject.encode())
    return None if subject and same else Refusal.SUBJECT


def _refusal(error: jwt.InvalidTokenError) -> Refusal:
    match error:
        case jwt.InvalidAlgorithmError():
            return Refusal.ALGORITHM
        case jwt.InvalidSignatureError():
            return Refusal.SIGNATURE
        case jwt.ExpiredSignatureError():
            return Refusal.EXPIRED
        case jwt.InvalidAudienceError():
            return Refusal.AUDIENCE
        case jwt.InvalidIssuerError():
            return Refusal.ISSUER
    return Refusal.MALFORMED
