import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import httpx
import pytest
from tests.unit.serving.servers import Reply, Seen, scripted_registry

from fairlead_serving import registry as module
from fairlead_serving.errors import LoadError, ModelNotFound, RegistryUnavailable
from fairlead_serving.registry import Registry, VersionSource, open_registry
from fairlead_serving.settings import parse_settings


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


async def test_a_registry_that_stays_broken_is_unavailable_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 100.0)
    with (
        scripted_registry(lambda _: (500, b"")) as url,
        pytest.raises(RegistryUnavailable, match="before the load deadline, got HTTP 500"),
    ):
        await artifact_root(url)


async def test_a_registry_that_is_not_there_is_unavailable_at_the_deadline() -> None:
    with pytest.raises(RegistryUnavailable, match="ConnectError"):
        await artifact_root("http://127.0.0.1:9", seconds=0.3)


@pytest.mark.parametrize(
    ("reply", "expected", "message"),
    [
        ((404, b"{}"), ModelNotFound, "churn version 2: expected to find it, got HTTP 404"),
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


async def test_a_versions_run_and_model_are_found() -> None:
    answers = [
        {"model_version": {"run_id": "r", "model_id": "m-1", "source": "models:/m-2"}},
        {"model_version": {"run_id": "r", "source": "models:/m-2"}},
        {"model_version": {"source": "mlflow-artifacts:/1/r/artifacts/model"}},
        {},
    ]
    found = []
    for answer in answers:
        reply = json.dumps(answer).encode()
        with scripted_registry(lambda _, reply=reply: (200, reply)) as url:
            async with opened(url) as registry:
                found.append(await registry.version_source("churn", "2"))
    empty = VersionSource("", "")
    assert found == [VersionSource("r", "m-1"), VersionSource("r", "m-2"), empty, empty]


@pytest.mark.parametrize("field", ["run_id", "model_id"])
async def test_an_id_that_leads_elsewhere_is_refused(field: str) -> None:
    reply = json.dumps({"model_version": {field: "../../x"}}).encode()
    with scripted_registry(lambda _: (200, reply)) as url:
        async with opened(url) as registry:
            with pytest.raises(LoadError, match="expected plain ids"):
                await registry.version_source("churn", "2")


def opened(url: str, **env: str) -> AbstractAsyncContextManager[Registry]:
    return open_registry(parse_settings({"MLFLOW_TRACKING_URI": url, "LOAD_DEADLINE_SECONDS": "5"} | env).access)


async def test_every_call_carries_the_credentials() -> None:
    seen: list[Seen] = []
    with scripted_registry(lambda _: FOUND, seen) as url:
        async with opened(url, MLFLOW_TRACKING_TOKEN="t0ken") as registry:
            await registry.artifact_root("churn", "2")
            await registry.list_folder("1")
            await registry.read_file("1/x")
            await registry.store_file("1/x", b"abc")
    assert [request.authorization for request in seen] == ["Bearer t0ken"] * 4
    assert (seen[-1].method, seen[-1].body) == ("PUT", b"abc")


async def test_credentials_go_to_no_host_that_a_redirect_names_and_into_no_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    elsewhere: list[Seen] = []
    with (
        scripted_registry(lambda _: FOUND, elsewhere) as other,
        scripted_registry(lambda _: (302, other.encode())) as url,
    ):
        access = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "s3cret"}
        async with opened(url, **access) as registry:
            with pytest.raises(LoadError, match="expected HTTP 200, got 302") as caught:
                await registry.artifact_root("churn", "2")
    assert elsewhere == []
    assert "s3cret" not in f"{caplog.text} {caught.value} {registry}"


async def test_storing_is_tried_again_after_an_outage() -> None:
    replies: list[Reply] = [(503, b""), (502, b""), (200, b"{}")]
    seen: list[Seen] = []
    with scripted_registry(lambda _: replies.pop(0), seen) as url:
        async with opened(url) as registry:
            await registry.store_file("1/r/manifest.json", b"{}")
    assert [request.body for request in seen] == [b"{}"] * 3
