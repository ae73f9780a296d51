"""The whole process against an API server and an Envoy that say little; its real partners are in tests/apiserver."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import certifi
import pytest
from tests.unit.gateway.scripted import Scripted, scripted, whole
from tests.unit.gateway.test_tokens import ISSUER, KEYS

from fairlead_gateway.api import KubeApi
from fairlead_gateway.gateway import Gateway
from fairlead_gateway.life import fetch_issuer, listen_address, serve
from fairlead_gateway.settings import ApiAccess, Settings
from fairlead_gateway.tokens import KeysUnavailable


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
async def api() -> AsyncIterator[Scripted]:
    async with scripted() as made:
        yield made


@pytest.fixture
def settings(api: Scripted, tmp_path: Path) -> Settings:
    token = tmp_path / "token"
    token.write_text("t")
    access = ApiAccess(f"http://127.0.0.1:{api.port}", token, Path(certifi.where()))
    return Settings("team-a", tmp_path / "run", "", free_port(), free_port(), access)


async def ask(port: int, path: str) -> tuple[int, str]:
    """GET, as soon as somebody listens."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(5):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    return answer.status, await answer.text()
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.01)


async def test_from_start_to_sigterm(settings: Settings) -> None:
    running = asyncio.create_task(serve(settings))
    assert await ask(settings.metrics_port, "/livez") == (200, "ok\n")
    # All that Envoy needs to start lies there by now.
    assert {path.name for path in settings.directory.glob("*.json")} == {
        "bootstrap.json",
        "clusters.json",
        "listeners.json",
        "routes.json",
    }
    assert json.loads((settings.directory / "bootstrap.json").read_text())["node"]
    assert await ask(settings.metrics_port, "/readyz") == (503, "the first configuration is not complete\n")
    status, text = await ask(settings.metrics_port, "/metrics")
    assert (status, text.partition(":")[0]) == (503, "Envoy does not answer")
    assert (await ask(settings.metrics_port, "/evidence"))[0] == 404
    assert await ask(settings.evidence_port, "/evidence") == (401, "missing\n")
    assert (await ask(settings.evidence_port, "/metrics"))[0] == 404
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, 5) == 0


async def test_a_port_that_is_taken_is_told(settings: Settings) -> None:
    with socket.create_server(("0.0.0.0", settings.evidence_port)), pytest.raises(OSError, match="in use"):
        await serve(settings)


async def test_a_part_that_fails_ends_the_process(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(self: Gateway) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Gateway, "run", fail)
    assert await asyncio.wait_for(serve(settings), 5) == 1
    assert "disk full" in caplog.text


async def test_the_clusters_keys_are_two_documents(api: Scripted, settings: Settings) -> None:
    async with aiohttp.ClientSession() as session:
        kube = KubeApi(session, settings.api)
        api.answers = {"/.well-known": [whole(json.dumps({"issuer": ISSUER}))], "/openid": [whole(json.dumps(KEYS))]}
        issuer = await fetch_issuer(kube)
        assert (issuer.name, sorted(issuer.keys)) == (ISSUER, ["ec", "rsa"])
        assert api.targets() == ["/.well-known/openid-configuration", "/openid/v1/jwks"]
        with pytest.raises(KeysUnavailable):
            await fetch_issuer(kube)


def test_both_families_are_listened_on_where_there_are_both(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listen_address() in ("::", "0.0.0.0")

    def refuse(*_: object) -> socket.socket:
        raise OSError("Address family not supported by protocol")

    monkeypatch.setattr(socket, "socket", refuse)
    assert listen_address() == "0.0.0.0"
