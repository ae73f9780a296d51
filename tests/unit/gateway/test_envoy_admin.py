from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.gateway.scripted import Scripted, scripted, whole

from fairlead_gateway import envoy_admin
from fairlead_gateway.envoy_admin import AdminError, EnvoyAdmin


@pytest.fixture
async def envoy(tmp_path: Path) -> AsyncIterator[Scripted]:
    async with scripted(tmp_path / "admin.sock") as made:
        yield made


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[EnvoyAdmin]:
    made = EnvoyAdmin(tmp_path / "admin.sock")
    yield made
    await made.close()


async def test_questions_and_commands_go_over_the_socket(envoy: Scripted, admin: EnvoyAdmin) -> None:
    envoy.answers = {"/stats": [whole('{"stats": []}')], "/ready": [whole("LIVE\n")], "/drain": [whole("OK\n")]}
    assert await admin.get_json("/stats?filter=^a[.](b|c)$") == {"stats": []}
    assert await admin.get("/ready") == "LIVE\n"
    await admin.post("/drain_listeners?graceful")
    assert [head.split(" ")[0] for head in envoy.heads] == ["GET", "GET", "POST"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (whole("PRE_INITIALIZING", 503), "/a: expected 200, got 503: PRE_INITIALIZING"),
        (whole("text"), "/a: expected JSON, got b'text'"),
        (whole("1" * 3000), "/a: expected at most 2000 bytes, got more"),
        (b"", "/a: ServerDisconnectedError"),
    ],
)
async def test_an_answer_of_no_use_is_an_admin_error(
    envoy: Scripted, admin: EnvoyAdmin, monkeypatch: pytest.MonkeyPatch, answer: bytes, text: str
) -> None:
    monkeypatch.setattr(envoy_admin, "MAX_ANSWER_BYTES", 2000)
    envoy.answers = {"/a": [answer, answer]}
    with pytest.raises(AdminError, match=f"^{text}"):
        await admin.get_json("/a")


async def test_an_envoy_that_hangs_is_an_admin_error(
    envoy: Scripted, admin: EnvoyAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envoy_admin, "ANSWER_SECONDS", 0.05)
    envoy.answers = {"/a": [None]}
    with pytest.raises(AdminError, match=r"^/a: TimeoutError"):
        await admin.get("/a")


async def test_an_envoy_that_is_not_there_is_an_admin_error_and_has_not_started(admin: EnvoyAdmin) -> None:
    assert admin.started_at() == 0.0
    with pytest.raises(AdminError, match=r"^/ready: "):
        await admin.get("/ready")


async def test_the_socket_tells_when_envoy_started(envoy: Scripted, admin: EnvoyAdmin, tmp_path: Path) -> None:
    assert admin.started_at() == (tmp_path / "admin.sock").stat().st_mtime > 0
