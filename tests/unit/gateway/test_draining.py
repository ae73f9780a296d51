import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.gateway.scripted import Scripted, scripted, whole

from fairlead_gateway import draining
from fairlead_gateway.draining import drain, is_draining
from fairlead_gateway.envoy_admin import EnvoyAdmin


def active(count: int) -> bytes:
    stats = '{"stats": [{"name": "http.users.downstream_rq_active", "value": %d}]}'
    return whole(stats % count)


@pytest.fixture
async def envoy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scripted]:
    monkeypatch.setattr(draining, "FORGOTTEN_SECONDS", 0.05)
    monkeypatch.setattr(draining, "LOOK_SECONDS", 0.01)
    async with scripted(tmp_path / "admin.sock") as made:
        yield made


async def test_it_lasts_until_no_request_is_in_flight(envoy: Scripted, tmp_path: Path) -> None:
    envoy.answers = {"/drain_listeners": [whole("OK")], "/stats": [active(2), active(1), active(0), active(9)]}
    await drain(tmp_path, asyncio.get_running_loop().time)
    assert envoy.targets()[0] == "/drain_listeners?graceful&skip_exit"
    assert len(envoy.targets()) == 4


async def test_it_does_not_last_for_ever(envoy: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "IN_FLIGHT_SECONDS", 0.05)
    envoy.answers = {"/drain_listeners": [whole("OK")], "/stats": [active(1)] * 1000}
    loop = asyncio.get_running_loop()
    started = loop.time()
    await drain(tmp_path, loop.time)
    assert 0.1 <= loop.time() - started < 5


async def test_an_envoy_that_is_gone_has_nothing_to_drain(tmp_path: Path) -> None:
    await asyncio.wait_for(drain(tmp_path, asyncio.get_running_loop().time), 4)


async def test_the_mark_is_meant_for_this_envoy_and_not_for_the_next(envoy: Scripted, tmp_path: Path) -> None:
    admin = EnvoyAdmin(tmp_path / "admin.sock")
    assert not is_draining(tmp_path, admin)
    envoy.answers = {"/drain_listeners": [whole("OK")], "/stats": [active(0)]}
    await drain(tmp_path, asyncio.get_running_loop().time)
    assert is_draining(tmp_path, admin)
    os.utime(tmp_path / "admin.sock", (1, 1))  # another process has made the socket anew
    assert not is_draining(tmp_path, admin)
