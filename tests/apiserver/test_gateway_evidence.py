"""Who may read the evidence, with tokens that the API server has made, and how little reading costs."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.apiserver.gateway_process import EVIDENCE_SUBJECT
from tests.apiserver.gateway_world import GatewayWorld, gateway_world
from tests.apiserver.objects import eventually
from tests.apiserver.plain_http import NO_TLS
from tests.cluster import ControlPlane

AUDIENCE = "fairlead-evidence"


@pytest.fixture
def world(control_plane: ControlPlane, api: httpx.Client, namespace: str, tmp_path: Path) -> Iterator[GatewayWorld]:
    """A gateway without any ModelDeployment."""
    with gateway_world(control_plane, api, namespace, tmp_path) as found:
        found.gateway.start()
        yield found


def forge(world: GatewayWorld, **changed: object) -> str:
    """The operator's token with other claims, signed anew with the cluster's own key."""
    genuine = world.token("fairlead", AUDIENCE)
    claims = jwt.decode(genuine, options={"verify_signature": False})
    key = world.gateway.plane.masters.authority.service_account_keys().key.read_text()
    return jwt.encode({**claims, **changed}, key, "ES256", {"kid": jwt.get_unverified_header(genuine)["kid"]})


def test_the_operators_token_alone_opens_the_door(world: GatewayWorld) -> None:
    genuine = world.token("fairlead", AUDIENCE)
    answer = world.gateway.evidence(genuine)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "\nfairlead_gateway_time_seconds " in answer.text

    claims = jwt.decode(genuine, options={"verify_signature": False})
    kid = jwt.get_unverified_header(genuine)["kid"]
    strange = ec.generate_private_key(ec.SECP256R1())
    public = world.gateway.plane.masters.authority.service_account_keys().cert.read_bytes()
    refused = {
        "missing": None,
        "malformed": "not.a.token",
        "audience": world.token("fairlead", ""),
        "subject": world.token("other", AUDIENCE),
        "expired": forge(world, exp=int(time.time()) - 60),
        "issuer": forge(world, iss="https://elsewhere"),
        "signature": jwt.encode(claims, strange, "ES256", {"kid": kid}),
        "key": jwt.encode(claims, strange, "ES256", {"kid": "another"}),
    }
    for reason, token in refused.items():
        answer = world.gateway.evidence(token)
        assert (answer.status_code, answer.text, answer.headers["www-authenticate"]) == (401, f"{reason}\n", "Bearer")
    for algorithm, key in (("none", ""), ("HS256", public.hex())):
        answer = world.gateway.evidence(jwt.encode(claims, key, algorithm, {"kid": kid}))
        assert (answer.status_code, answer.text) == (401, "algorithm\n"), algorithm
    assert world.gateway.evidence(forge(world)).status_code == 200  # the forger's pen writes well
    assert claims["sub"] == EVIDENCE_SUBJECT


def test_the_public_key_is_no_password(world: GatewayWorld) -> None:
    """HS256 with the text of the public key, which a careless verifier would take for a shared secret."""
    genuine = world.token("fairlead", AUDIENCE)
    private = world.gateway.plane.masters.authority.service_account_keys().key.read_bytes()
    loaded = serialization.load_pem_private_key(private, None)
    text = loaded.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    header = {"alg": "HS256", "kid": jwt.get_unverified_header(genuine)["kid"]}
    signed = f"{part(json.dumps(header).encode())}.{genuine.split('.')[1]}"
    token = f"{signed}.{part(hmac.new(text, signed.encode(), hashlib.sha256).digest())}"
    assert world.gateway.evidence(token).text == "algorithm\n"


def test_each_port_answers_for_itself_alone(world: GatewayWorld) -> None:
    token = world.token("fairlead", AUDIENCE)
    headers = {"Authorization": f"Bearer {token}"}
    for port, paths in (
        (world.gateway.evidence_port, ["/metrics", "/readyz", "/livez", "/", "/stats", "/config_dump"]),
        (world.gateway.metrics_port, ["/evidence", "/", "/stats", "/config_dump"]),
    ):
        for path in paths:
            url = f"http://127.0.0.1:{port}{path}"
            answer = httpx.get(url, headers=headers, timeout=5, trust_env=False, verify=NO_TLS)
            assert answer.status_code == 404, url


def test_reading_often_asks_envoy_no_more_often(world: GatewayWorld) -> None:
    token = world.token("fairlead", AUDIENCE)
    stamps = set()
    started = time.monotonic()
    for _ in range(40):
        text = world.gateway.evidence(token).text
        stamps.add(next(line for line in text.splitlines() if line.startswith("fairlead_gateway_time_seconds ")))
    lasted = time.monotonic() - started
    assert len(stamps) <= lasted / 0.2 + 1


def test_the_start_of_the_counters_is_envoys_own(world: GatewayWorld) -> None:
    gateway = world.gateway
    before = gateway.metrics()["fairlead_gateway_start_time_seconds"]
    gateway.kill("renderer")
    gateway.start_renderer()
    gateway.wait_ready()
    assert gateway.metrics()["fairlead_gateway_start_time_seconds"] == before
    gateway.kill("envoy")
    eventually("no word from Envoy", lambda: gateway.get("/metrics") is None, seconds=5)
    assert gateway.evidence(world.token("fairlead", AUDIENCE)).status_code == 503
    assert gateway.get("/readyz") is None
    gateway.start_envoy()
    gateway.wait_ready()
    assert gateway.metrics()["fairlead_gateway_start_time_seconds"] > before
