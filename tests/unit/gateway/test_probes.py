from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
from tests.unit.gateway.test_evidence import Known, standing

from fairlead_gateway.draining import MARK
from fairlead_gateway.envoy_admin import AdminError, EnvoyAdmin
from fairlead_gateway.probes import Probes
from fairlead_gateway.watching import Watcher


class Admin(EnvoyAdmin):
    """An Envoy that is live, or not."""

    def __init__(self) -> None:
        self.error = ""

    async def get(self, path: str) -> str:
        if self.error:
            raise AdminError(self.error)
        return "LIVE\n"

    def started_at(self) -> float:
        return 7.5


class Watch(Watcher):
    """A watch that is deaf for a reason, or not at all."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    def deaf(self) -> str:
        return self.reason


@pytest.fixture
def known() -> Known:
    return Known(standing())


async def test_ready_means_that_envoy_has_a_complete_configuration(tmp_path: Path, known: Known) -> None:
    admin = Admin()
    probes = Probes(tmp_path, admin, known, [])
    assert (await probes.ready()).status is HTTPStatus.OK
    admin.error = "/ready: expected 200, got 503: INITIALIZING"
    answer = await probes.ready()
    assert answer.status is HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.body == "Envoy is not ready: /ready: expected 200, got 503: INITIALIZING\n"
    known.told = replace(known.told, complete=False)
    assert (await probes.ready()).body == "the first configuration is not complete\n"


async def test_a_pod_that_drains_is_not_ready_but_lives(tmp_path: Path, known: Known) -> None:
    probes = Probes(tmp_path, Admin(), known, [Watch()])
    (tmp_path / MARK).write_text("7.5")
    assert (await probes.ready()).body == "draining\n"
    assert probes.live().status is HTTPStatus.OK


def test_a_deaf_watch_is_no_life(tmp_path: Path, known: Known) -> None:
    answer = Probes(tmp_path, Admin(), known, [Watch(), Watch("/things: deaf")]).live()
    assert (answer.status, answer.body) == (HTTPStatus.SERVICE_UNAVAILABLE, "/things: deaf\n")
