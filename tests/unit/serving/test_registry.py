import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.serving.servers import Reply, scripted_registry

from fairlead_serving import registry as module
from fairlead_serving.errors import LoadError, ModelNotFound, RegistryUnavailable
from fairlead_serving.registry import Entry, Registry, is_plain_name, parse_artifact_root, parse_listing


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)


async def artifact_root(url: str, *, seconds: float = 5) -> str:
    async with httpx.AsyncClient() as http:
        return await Registry(http, url, asyncio.get_running_loop().time() + seconds).artifact_root("churn", "2")


FOUND: Reply = (200, b'{"artifact_uri": "mlflow-artifacts:/1/models/m-1/artifacts"}')


async def test_a_versions_files_are_found() -> None:
    asked: list[str] = []
    with scripted_registry(lambda path: asked.append(path) or FOUND) as url:
        assert await artifact_root(url) == "1/models/m-1/artifacts"
    assert asked == ["/api/2.0/mlflow/model-versions/get-download-uri?name=churn&version=2"]


async def test_a_registry_that_recovers_is_asked_again() -> None:
    replies: list[Reply] = [(503, b""), (500, b"oops"), (429, b""), FOUND]
    with scripted_registry(lambda _: replies.pop(0)) as url:
        assert await artifact_root(url) == "1/models/m-1/artifacts"
    assert replies == []


async def test_a_registry_that_stays_broken_is_unavailable_at_the_deadline() -> None:
    with (
        scripted_registry(lambda _: (500, b"")) as url,
        pytest.raises(RegistryUnavailable, match="before the load deadline, got HTTP 500"),
    ):
        await artifact_root(url, seconds=0.3)


async def test_a_registry_that_is_not_there_is_unavailable_at_the_deadline() -> None:
    with pytest.raises(RegistryUnavailable, match="ConnectError"):
        await artifact_root("http://127.0.0.1:9", seconds=0.3)


@pytest.mark.parametrize(
    ("reply", "expected", "message"),
    [
        ((404, b"{}"), ModelNotFound, "churn version 2: expected a registered model version, got HTTP 404"),
        ((403, b"Invalid Host header"), RegistryUnavailable, "got 403; check its --allowed-hosts"),
        ((401, b""), RegistryUnavailable, "got 401"),
        ((400, b"{}"), LoadError, "got 400"),
        ((302, b""), LoadError, "got 302"),
        ((200, b"<html>"), LoadError, "is this address an MLflow"),
        ((200, b"[" * 100_000), LoadError, "expected a JSON object"),
        ((200, b" " * (4 * 2**20 + 1)), LoadError, "expected at most 4194304 bytes"),
        ((200, b'{"artifact_uri": "s3://bucket/model"}'), LoadError, "start MLflow with --serve-artifacts"),
    ],
)
async def test_an_answer_that_will_not_change_ends_the_load_at_once(
    reply: Reply, expected: type[LoadError], message: str
) -> None:
    asked: list[str] = []
    with (
        scripted_registry(lambda path: asked.append(path) or reply) as url,
        pytest.raises(LoadError, match=message) as caught,
    ):
        await artifact_root(url)
    assert type(caught.value) is expected
    assert len(asked) == 1


async def test_a_file_is_streamed_and_its_name_is_quoted() -> None:
    asked: list[str] = []
    received = b""

    async def save(chunks: AsyncIterator[bytes]) -> None:
        nonlocal received
        async for chunk in chunks:
            received += chunk

    with scripted_registry(lambda path: asked.append(path) or (200, b"abc")) as url:
        async with httpx.AsyncClient() as http:
            await Registry(http, url, asyncio.get_running_loop().time() + 5).fetch_file("1/a b?c#d%2e", save)
    assert asked == ["/api/2.0/mlflow-artifacts/artifacts/1/a%20b%3Fc%23d%252e"]
    assert received == b"abc"


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        "/etc",
        "mlflow-artifacts:/",
        "mlflow-artifacts:/1/../2",
        "mlflow-artifacts:/1/./2",
        "mlflow-artifacts:/1?x=2",
        "http://elsewhere/1",
        7,
    ],
)
def test_an_artifact_location_beyond_the_proxy_is_refused(uri: object) -> None:
    with pytest.raises(LoadError, match="artifact location"):
        parse_artifact_root(uri)


def test_a_listing_is_parsed_and_an_absent_one_is_empty() -> None:
    files = [{"path": "MLmodel", "is_dir": False, "file_size": 3}, {"path": "code", "is_dir": True}]
    assert parse_listing({"files": files}) == [Entry("MLmodel", False, 3), Entry("code", True, 0)]
    assert parse_listing({}) == []


@pytest.mark.parametrize(
    "file",
    [
        {"path": ".."},
        {"path": "../x"},
        {"path": "a/b"},
        {"path": "/etc/passwd"},
        {"path": "a\\b"},
        {"path": "a\nb"},
        {"path": "x" * 256},
        {"path": ""},
        {"path": None},
        {"path": "a", "file_size": -1},
        {"path": "a", "file_size": "1"},
        "a",
    ],
)
def test_a_hostile_entry_is_refused(file: Any) -> None:
    with pytest.raises(LoadError, match="listing: expected"):
        parse_listing(json.loads(json.dumps({"files": [file]})))


@given(st.text(max_size=300))
def test_a_plain_name_is_one_component(name: str) -> None:
    if is_plain_name(name):
        assert "/" not in name and "\0" not in name and name not in ("", ".", "..")
