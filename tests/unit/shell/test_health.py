"""What alive and ready mean, asked over HTTP."""

from collections.abc import Sequence

import pytest
from aiohttp.test_utils import TestClient, TestServer

from fairlead.shell.health import STUCK_SECONDS, Probes, alive, build_app


def probes(*, synced: bool = True, leading: bool = True, oldest: float = 0.0, deaf: Sequence[str] = ()) -> Probes:
    return Probes(
        synced=lambda: synced,
        leading=lambda: leading,
        oldest_seconds=lambda: oldest,
        deaf_kinds=lambda: deaf,
        metrics=lambda: b"fairlead_leader 1\n",
    )


def test_a_leader_whose_queue_does_not_move_is_not_alive() -> None:
    assert alive(probes(oldest=STUCK_SECONDS)) == ""
    assert "has waited for 301 s" in alive(probes(oldest=STUCK_SECONDS + 1))


def test_a_standby_s_queue_may_wait() -> None:
    assert alive(probes(oldest=STUCK_SECONDS * 9, leading=False)) == ""


def test_a_deaf_watch_is_not_alive_on_a_standby_either() -> None:
    assert alive(probes(deaf=["Pod", "Job"], leading=False)) == "the watch of Pod, Job misses events"


@pytest.mark.parametrize(
    ("given", "path", "code", "text"),
    [
        (probes(), "/healthz", 200, "ok"),
        (probes(deaf=["Pod"]), "/healthz", 503, "the watch of Pod misses events"),
        (probes(), "/readyz", 200, "ok"),
        (probes(leading=False), "/readyz", 200, "ok"),
        (probes(synced=False), "/readyz", 503, "the cache is not filled yet"),
        (probes(synced=False), "/healthz", 200, "ok"),
        (probes(), "/metrics", 200, "fairlead_leader 1\n"),
        (probes(), "/other", 404, "404: Not Found"),
    ],
)
async def test_the_routes_answer(given: Probes, path: str, code: int, text: str) -> None:
    async with TestClient(TestServer(build_app(given))) as client:
        response = await client.get(path)
        assert (response.status, await response.text()) == (code, text)
