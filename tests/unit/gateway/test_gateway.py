"""The loop against an Envoy that takes or refuses whatever lies in the shared folder."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.gateway.test_claims import claim

from fairlead_gateway.claims import RejectionReason
from fairlead_gateway.confirming import Part
from fairlead_gateway.envoy_admin import AdminError, EnvoyAdmin
from fairlead_gateway.gateway import Gateway
from fairlead_gateway.heard import slim_slice


class Envoy(EnvoyAdmin):
    """Reads the files when it is asked; refuses a file that has `refuses` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refuses = "nothing like this"
        self.details = ""
        self.away = False
        self.taken = {part: "" for part in Part}
        self.judged: dict[Part, str] = {}
        self.refusals = dict.fromkeys(Part, 0)

    def started_at(self) -> float:
        return 1.0

    async def get_json(self, path: str) -> Any:
        await asyncio.sleep(0)
        if self.away:
            raise AdminError("away")
        if path.startswith("/config_dump"):
            state = {"error_state": {"details": self.details}} if self.details else {}
            return {"configs": [{"name": "a"}, {"name": "b", **state}]}
        for part in Part:
            self._read(part)
        stats = [{"name": f"{part.scope}.version_text", "value": self.taken[part]} for part in Part]
        stats += [{"name": f"{part.scope}.update_rejected", "value": self.refusals[part]} for part in Part]
        return {"stats": stats}

    def _read(self, part: Part) -> None:
        text = (self.folder / part.path).read_text()
        version = json.loads(text)["version_info"]
        if self.judged.get(part) == version:
            return
        self.judged[part] = version
        if self.refuses in text:
            self.refusals[part] += 1
        else:
            self.taken[part] = version


@pytest.fixture
def envoy(tmp_path: Path) -> Envoy:
    return Envoy(tmp_path)


@asynccontextmanager
async def running(envoy: Envoy) -> AsyncIterator[Gateway]:
    """A gateway whose loop turns."""
    gateway = Gateway(envoy.folder, envoy, asyncio.get_running_loop().time, "0.0.0.0")
    gateway.prepare()
    task = asyncio.create_task(gateway.run())
    try:
        yield gateway
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(what: Callable[[], object]) -> None:
    """Wait for what should become true."""
    async with asyncio.timeout(5):
        while True:
            if what():
                return
            await asyncio.sleep(0.002)


def generations(gateway: Gateway) -> dict[str, int]:
    return {name: item.traffic.generation for name, item in gateway.standing.applied.items()}


def reasons(gateway: Gateway) -> dict[str, RejectionReason]:
    return {name: item.reason for name, item in gateway.standing.rejected.items()}


def pod(revision: str, address: str) -> Any:
    return slim_slice({
        "metadata": {"name": "x", "labels": {"kubernetes.io/service-name": revision}},
        "addressType": "IPv4",
        "ports": [{"port": 80}],
        "endpoints": [{"addresses": [address]}],
    })  # fmt: skip


async def test_nothing_is_complete_before_both_lists_are_known(envoy: Envoy) -> None:
    async with running(envoy) as gateway:
        gateway.claims.replace({"a": claim("a", generation=1)})
        await asyncio.sleep(0.02)
        assert not gateway.standing.complete
        gateway.slices.replace({})
        await until(lambda: gateway.standing.complete)
        assert generations(gateway) == {"a": 1}


async def test_without_modeldeployments_it_is_complete_as_well(envoy: Envoy) -> None:
    async with running(envoy) as gateway:
        gateway.claims.replace({})
        gateway.slices.replace({})
        await until(lambda: gateway.standing.complete)


async def test_changes_of_traffic_and_endpoints_reach_the_files(envoy: Envoy) -> None:
    async with running(envoy) as gateway:
        gateway.claims.replace({"a": claim("a", generation=1)})
        gateway.slices.replace({"s": pod("a-1", "10.0.0.1")})
        await until(lambda: generations(gateway) == {"a": 1})
        assert "10.0.0.1" in (envoy.folder / Part.CLUSTERS.path).read_text()
        gateway.slices.put("s", pod("a-1", "10.0.0.2"))
        await until(lambda: "10.0.0.2" in (envoy.folder / Part.CLUSTERS.path).read_text())
        gateway.claims.put("a", claim("a", generation=2, port=10005))
        await until(lambda: generations(gateway) == {"a": 2})
        assert "10005" in (envoy.folder / Part.LISTENERS.path).read_text()
        [deployment] = gateway.standing.deployments
        assert [tuple(found) for found in deployment.endpoints["a-1"]] == [("10.0.0.2", 80)]


async def test_a_new_process_goes_on_with_what_the_one_before_served(envoy: Envoy) -> None:
    async with running(envoy) as gateway:
        gateway.claims.replace({"a": claim("a", generation=4)})
        gateway.slices.replace({})
        await until(lambda: generations(gateway) == {"a": 4})
    files = {path: path.stat().st_mtime_ns for path in envoy.folder.rglob("*.json")}
    async with running(envoy) as gateway:
        assert gateway.standing.complete
        assert generations(gateway) == {"a": 4}
        gateway.claims.replace({"a": claim("a")})
        gateway.slices.replace({})
        await asyncio.sleep(0.05)
        assert generations(gateway) == {"a": 4}
    assert {path: path.stat().st_mtime_ns for path in envoy.folder.rglob("*.json")} == files


async def test_an_envoy_that_is_away_is_waited_for(envoy: Envoy) -> None:
    envoy.away = True
    async with running(envoy) as gateway:
        gateway.claims.replace({"a": claim("a", generation=1)})
        gateway.slices.replace({})
        await asyncio.sleep(0.05)
        assert not gateway.standing.complete
        envoy.away = False
        await until(lambda: gateway.standing.complete)


async def test_a_rejection_is_told_and_counted_once(envoy: Envoy) -> None:
    async with running(envoy) as gateway:
        gateway.slices.replace({})
        gateway.claims.replace({"a": claim("a", generation=1)})
        await until(lambda: generations(gateway) == {"a": 1})
        gateway.claims.put("a", claim("a", generation=2, port=80))
        await until(lambda: reasons(gateway) == {"a": RejectionReason.INVALID})
        gateway.slices.put("s", pod("a-1", "10.0.0.1"))
        await until(lambda: "10.0.0.1" in (envoy.folder / Part.CLUSTERS.path).read_text())
        assert gateway.standing.rejections["a"] == 1
        assert generations(gateway) == {"a": 1}
        gateway.claims.drop("a")
        await until(lambda: not generations(gateway))
        assert (reasons(gateway), dict(gateway.standing.rejections)) == ({}, {})


async def test_one_that_envoy_refuses_spoils_nobody_elses(envoy: Envoy) -> None:
    envoy.refuses, envoy.details = '"port_value":10666', "Address already in use"
    async with running(envoy) as gateway:
        gateway.slices.replace({})
        names = ["a", "b", "c"]
        gateway.claims.replace({name: claim(name, generation=1, port=10000 + ord(name)) for name in names})
        await until(lambda: generations(gateway) == dict.fromkeys(names, 1))
        gateway.claims.put("b", claim("b", generation=2, port=10666))
        gateway.claims.put("c", claim("c", generation=2, port=10777))
        gateway.claims.put("d", claim("d", generation=1, port=10778))
        await until(lambda: generations(gateway) == {"a": 1, "b": 1, "c": 2, "d": 1})
        assert reasons(gateway) == {"b": RejectionReason.REFUSED}
        rejection = gateway.standing.rejected["b"]
        assert (rejection.generation, rejection.message) == (2, "Envoy refused the listeners: Address already in use")
        gateway.claims.put("b", claim("b", generation=3, port=10779))
        await until(lambda: generations(gateway)["b"] == 3)
        assert reasons(gateway) == {}


async def test_refused_routes_are_told_without_envoys_words(envoy: Envoy) -> None:
    envoy.refuses = "c-1"
    async with running(envoy) as gateway:
        gateway.slices.replace({})
        gateway.claims.replace({"a": claim("a", generation=1)})
        await until(lambda: generations(gateway) == {"a": 1})
        gateway.claims.put("c", claim("c", generation=1, port=10001))
        await until(lambda: reasons(gateway) == {"c": RejectionReason.REFUSED})
        assert gateway.standing.rejected["c"].message == "Envoy refused the clusters: its log says why"
        assert generations(gateway) == {"a": 1}


async def test_a_refusal_that_no_change_explains_changes_nothing(
    envoy: Envoy, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(envoy) as gateway:
        gateway.slices.replace({})
        gateway.claims.replace({"a": claim("a", generation=1)})
        await until(lambda: generations(gateway) == {"a": 1})
        envoy.refuses = "10.0.0.66"
        gateway.slices.put("s", pod("a-1", "10.0.0.66"))
        await until(lambda: "files refused by Envoy" in caplog.text)
        assert generations(gateway) == {"a": 1}
        gateway.slices.put("s", pod("a-1", "10.0.0.67"))
        await until(lambda: "10.0.0.67" in (envoy.folder / Part.CLUSTERS.path).read_text())
