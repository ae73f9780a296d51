import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from fairlead_gateway.tokens import Issuer, KeysUnavailable, Refusal, TokenCheck, parse_issuer

ISSUER = "https://kubernetes.default.svc"
SUBJECT = "system:serviceaccount:fairlead-system:fairlead"
RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
RSA_PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def jwk(key: Any, kid: str) -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm if hasattr(key, "private_numbers") and key.key_size > 1000 else None
    maker = algorithm or jwt.algorithms.ECAlgorithm
    return {**maker.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


KEYS = {"keys": [jwk(RSA, "rsa"), jwk(EC, "ec")]}


class Cluster:
    """Gives its keys out, counts how often, and may be away."""

    def __init__(self, keys: Mapping[str, Any] = KEYS) -> None:
        self.keys, self.asked, self.away, self.now = keys, 0, False, 1000.0

    async def fetch(self) -> Issuer:
        self.asked += 1
        if self.away:
            raise KeysUnavailable("away")
        return parse_issuer({"issuer": ISSUER}, self.keys)

    def check(self, subject: str = SUBJECT) -> TokenCheck:
        return TokenCheck(subject, self.fetch, lambda: self.now)


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        **{"iss": ISSUER, "sub": SUBJECT, "aud": ["fairlead-evidence"], "iat": now, "nbf": now, "exp": now + 600},
        **changed,
    }


def token(payload: Mapping[str, Any] | None = None, key: Any = RSA, kid: str = "rsa", algorithm: str = "RS256") -> str:
    return jwt.encode(dict(claims() if payload is None else payload), key, algorithm, {"kid": kid})


def forged(header: Mapping[str, Any], key: bytes) -> str:
    """A token with a signature made with HMAC, which the library itself refuses to make with a public key."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    text = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims()).encode())}"
    return f"{text}.{part(hmac.new(key, text.encode(), hashlib.sha256).digest()) if key else ''}"


async def test_the_operators_token_opens_the_door() -> None:
    check = Cluster().check()
    assert await check.check(f"Bearer {token()}") is None
    assert await check.check(f"bearer {token(key=EC, kid='ec', algorithm='ES256')}") is None
    assert await check.check(f"Bearer {token(claims(aud='fairlead-evidence'))}") is None


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in claims().items() if key != name}


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        (None, Refusal.MISSING),
        ("", Refusal.MISSING),
        ("Bearer", Refusal.MISSING),
        (f"Basic {token()}", Refusal.MISSING),
        ("Bearer not-a-token", Refusal.MALFORMED),
        ("Bearer a.b.c", Refusal.MALFORMED),
        ("Bearer \u00e4.\u00f6.\u00fc", Refusal.MALFORMED),
        ("Bearer " + "a" * 9000, Refusal.MALFORMED),
        (f"Bearer {forged({'alg': 'none', 'kid': 'rsa'}, b'')}", Refusal.ALGORITHM),
        (f"Bearer {forged({'alg': 'HS256', 'kid': 'rsa'}, RSA_PEM)}", Refusal.ALGORITHM),
        (f"Bearer {token(algorithm='RS512')}", Refusal.ALGORITHM),
        (f"Bearer {token(kid='ec')}", Refusal.ALGORITHM),
        (f"Bearer {token(kid='unknown')}", Refusal.KEY),
        (f"Bearer {jwt.encode(claims(), RSA, 'RS256')}", Refusal.KEY),
        (f"Bearer {token(key=OTHER_RSA)}", Refusal.SIGNATURE),
        (f"Bearer {token()[:-6]}AAAAAA", Refusal.SIGNATURE),
        (f"Bearer {token(claims(exp=int(time.time()) - 60))}", Refusal.EXPIRED),
        (f"Bearer {token(claims(aud=['https://kubernetes.default.svc']))}", Refusal.AUDIENCE),
        (f"Bearer {token(claims(iss='https://elsewhere'))}", Refusal.ISSUER),
        (f"Bearer {token(claims(sub='system:serviceaccount:team-a:default'))}", Refusal.SUBJECT),
        (f"Bearer {token(claims(nbf=int(time.time()) + 600))}", Refusal.MALFORMED),
        (f"Bearer {token(without('exp'))}", Refusal.MALFORMED),
        (f"Bearer {token(without('sub'))}", Refusal.MALFORMED),
        (f"Bearer {token(without('aud'))}", Refusal.MALFORMED),
        (f"Bearer {token(without('iss'))}", Refusal.MALFORMED),
    ],
)
async def test_everything_else_is_refused_with_one_word(header: str | None, refusal: Refusal) -> None:
    assert await Cluster().check().check(header) is refusal


async def test_without_a_subject_nobody_is_let_in() -> None:
    assert await Cluster().check("").check(f"Bearer {token(claims(sub=''))}") is Refusal.SUBJECT


async def test_keys_are_asked_for_once_and_an_unknown_one_asks_again_but_seldom() -> None:
    cluster = Cluster({"keys": [jwk(EC, "ec")]})
    check = cluster.check()
    for _ in range(5):
        assert await check.check(f"Bearer {token()}") is Refusal.KEY
    assert cluster.asked == 1
    cluster.keys, cluster.now = KEYS, cluster.now + 10
    for _ in range(5):
        assert await check.check(f"Bearer {token()}") is None
    assert cluster.asked == 2


async def test_a_key_that_the_cluster_gave_up_is_forgotten_within_minutes() -> None:
    cluster = Cluster()
    check = cluster.check()
    assert await check.check(f"Bearer {token()}") is None
    cluster.keys, cluster.now = {"keys": [jwk(EC, "ec")]}, cluster.now + 600
    assert await check.check(f"Bearer {token()}") is Refusal.KEY


async def test_without_the_cluster_known_keys_stay_good_and_unknown_ones_wait() -> None:
    cluster = Cluster()
    check = cluster.check()
    cluster.away = True
    assert await check.check(f"Bearer {token()}") is Refusal.UNAVAILABLE
    cluster.away, cluster.now = False, cluster.now + 10
    assert await check.check(f"Bearer {token()}") is None
    cluster.away, cluster.now = True, cluster.now + 3600
    assert await check.check(f"Bearer {token()}") is None


def test_keys_of_other_kinds_are_left_out() -> None:
    others = [{"kty": "oct", "kid": "a", "k": "AAAA"}, "text", {**jwk(RSA, "b"), "kid": 7}]
    p384 = jwk(ec.generate_private_key(ec.SECP384R1()), "p384")
    issuer = parse_issuer({"issuer": ISSUER}, {"keys": [*others, p384, jwk(EC, "ec")]})
    assert list(issuer.keys) == ["ec"]


@pytest.mark.parametrize(
    ("discovery", "key_set"), [({}, KEYS), ({"issuer": ""}, KEYS), ({"issuer": ISSUER}, {}), ({"issuer": 7}, KEYS)]
)
def test_documents_of_another_shape_bring_no_keys(discovery: dict[str, Any], key_set: dict[str, Any]) -> None:
    with pytest.raises(KeysUnavailable):
        parse_issuer(discovery, key_set)


def test_a_broken_key_does_not_hide_the_others() -> None:
    broken = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
    assert list(parse_issuer({"issuer": ISSUER}, {"keys": [broken, jwk(RSA, "rsa")]}).keys) == ["rsa"]
