import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.unit.serving.servers import Reply, Script, folder_script, scripted_registry

from fairlead_serving import registry
from fairlead_serving.download import ensure_model
from fairlead_serving.errors import DigestMismatch, LoadError, ModelNotFound, RegistryUnavailable
from fairlead_serving.integrity import Manifest, hash_folder, make_manifest
from fairlead_serving.settings import Settings, parse_settings


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    folder = tmp_path / "remote"
    (folder / "code" / "deep").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}")
    (folder / "model.skops").write_bytes(bytes(range(256)) * 1000)
    (folder / "code" / "deep" / "a b.txt").write_text("hello")
    return folder


def settings(url: str, **env: str) -> Settings:
    return parse_settings(
        {"MLFLOW_TRACKING_URI": url, "MODEL_NAME": "churn", "MODEL_VERSION": "2", "LOAD_DEADLINE_SECONDS": "5"} | env
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def test_all_files_arrive_in_their_folders(remote: Path, tmp_path: Path) -> None:
    with scripted_registry(folder_script(remote)) as url:
        await ensure_model(settings(url), tmp_path / "model")
    assert contents(tmp_path / "model") == contents(remote)


async def test_a_model_on_disk_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("")
    await ensure_model(settings("http://127.0.0.1:9"), tmp_path)


def failing_once(script: Script, part: str, reply: Reply) -> Script:
    failed: list[str] = []

    def answer(path: str) -> Reply:
        if part in path and not failed:
            failed.append(path)
            return reply
        return script(path)

    return answer


@pytest.mark.parametrize("reply", [(503, b""), (200, b"short")])
async def test_an_interrupted_file_is_fetched_again(remote: Path, tmp_path: Path, reply: Reply) -> None:
    with scripted_registry(failing_once(folder_script(remote), "/model.skops", reply)) as url:
        await ensure_model(settings(url), tmp_path / "model")
    assert contents(tmp_path / "model") == contents(remote)


async def test_a_broken_download_leaves_no_mlmodel_file(remote: Path, tmp_path: Path) -> None:
    script = folder_script(remote)

    def answer(path: str) -> Reply:
        return (500, b"") if "/model.skops" in path else script(path)

    with scripted_registry(answer) as url, pytest.raises(RegistryUnavailable):
        await ensure_model(settings(url, LOAD_DEADLINE_SECONDS="1"), tmp_path / "model")
    assert not (tmp_path / "model" / "MLmodel").exists()


async def test_a_model_above_the_cap_is_refused_before_it_is_fetched(remote: Path, tmp_path: Path) -> None:
    with scripted_registry(folder_script(remote)) as url, pytest.raises(LoadError, match="expected at most 1000 bytes"):
        await ensure_model(settings(url, MAX_MODEL_BYTES="1000"), tmp_path / "model")
    assert not (tmp_path / "model").exists()


async def test_a_file_longer_than_listed_is_not_kept(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FIRST_PAUSE_SECONDS", 100.0)  # beyond the deadline: it is asked once
    script = folder_script(remote)

    def answer(path: str) -> Reply:
        return (200, b"x" * 300_000) if "/model.skops" in path else script(path)

    with scripted_registry(answer) as url, pytest.raises(RegistryUnavailable, match="expected the 256000 bytes"):
        await ensure_model(settings(url), tmp_path / "model")


async def test_a_version_without_an_mlmodel_file_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    with scripted_registry(folder_script(tmp_path / "remote")) as url, pytest.raises(ModelNotFound, match="MLmodel"):
        await ensure_model(settings(url), tmp_path / "model")


async def test_a_hostile_name_ends_the_download(tmp_path: Path) -> None:
    def answer(path: str) -> Reply:
        if "get-download-uri" in path:
            return 200, b'{"artifact_uri": "mlflow-artifacts:/1/models/m-1/artifacts"}'
        return 200, json.dumps({"files": [{"path": "../../x", "is_dir": False, "file_size": 1}]}).encode()

    with scripted_registry(answer) as url, pytest.raises(LoadError, match="listing: expected the name of a file"):
        await ensure_model(settings(url), tmp_path / "model")


async def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    def answer(path: str) -> Reply:
        if "get-download-uri" in path:
            return 200, b'{"artifact_uri": "mlflow-artifacts:/1"}'
        assert len(httpx.URL(path).params["path"]) < 100
        return 200, b'{"files": [{"path": "more", "is_dir": true}]}'

    with scripted_registry(answer) as url, pytest.raises(LoadError, match="levels of folders"):
        await ensure_model(settings(url), tmp_path / "model")


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "MODEL_NAME", "MODEL_VERSION"])
async def test_a_missing_variable_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(LoadError, match=f"^{name}: expected"):
        await ensure_model(settings("http://127.0.0.1:9", **{name: ""}), tmp_path)


def manifest_of(folder: Path) -> Manifest:
    return make_manifest("m-1", hash_folder(folder).files)


async def test_files_that_are_as_registered_arrive(remote: Path, tmp_path: Path) -> None:
    manifest = manifest_of(remote)
    with scripted_registry(folder_script(remote, manifest.to_json())) as url:
        await ensure_model(settings(url, MODEL_DIGEST=manifest.digest), tmp_path / "model")
    assert contents(tmp_path / "model") == contents(remote)


def changed(remote: Path) -> None:
    (remote / "model.skops").write_bytes(bytes(256_000))


def shortened(remote: Path) -> None:
    (remote / "model.skops").write_bytes(b"")


def added(remote: Path) -> None:
    (remote / "code" / "x.py").write_text("")


def removed(remote: Path) -> None:
    (remote / "code" / "deep" / "a b.txt").unlink()


TAMPERINGS = {
    changed: r"model\.skops: expected sha256 [0-9a-f]{64}, got [0-9a-f]{64}",
    shortened: r"model\.skops: expected 256000 bytes, got 0",
    added: r"code/x\.py: expected only the manifest's files",
    removed: r"code/deep/a b\.txt: expected this file",
}


@pytest.mark.parametrize("tamper", TAMPERINGS)
async def test_files_that_changed_since_are_refused_by_name(
    remote: Path, tmp_path: Path, tamper: Callable[[Path], None]
) -> None:
    manifest = manifest_of(remote)
    tamper(remote)
    with (
        scripted_registry(folder_script(remote, manifest.to_json())) as url,
        pytest.raises(DigestMismatch, match=TAMPERINGS[tamper]),
    ):
        await ensure_model(settings(url, MODEL_DIGEST=manifest.digest), tmp_path / "model")
    assert not (tmp_path / "model" / "MLmodel").exists()


@pytest.mark.parametrize("tamper", TAMPERINGS)
async def test_without_a_manifest_the_digest_of_all_files_decides(
    remote: Path, tmp_path: Path, tamper: Callable[[Path], None]
) -> None:
    digest = manifest_of(remote).digest
    with scripted_registry(folder_script(remote)) as url:
        await ensure_model(settings(url, MODEL_DIGEST=digest), tmp_path / "whole")
        tamper(remote)
        with pytest.raises(DigestMismatch, match=f"all files of the version: expected digest {digest}, got sha256:"):
            await ensure_model(settings(url, MODEL_DIGEST=digest), tmp_path / "model")
    assert not (tmp_path / "model" / "MLmodel").exists()


async def test_a_run_that_is_gone_is_a_missing_manifest(remote: Path, tmp_path: Path) -> None:
    script = folder_script(remote)

    def answer(path: str) -> Reply:
        return (404, b"{}") if "/runs/get" in path else script(path)

    with scripted_registry(answer) as url:
        await ensure_model(settings(url, MODEL_DIGEST=manifest_of(remote).digest), tmp_path / "model")


async def test_another_manifest_is_refused_before_any_file_is_fetched(remote: Path, tmp_path: Path) -> None:
    digest = manifest_of(remote).digest
    changed(remote)
    with (
        scripted_registry(folder_script(remote, manifest_of(remote).to_json())) as url,
        pytest.raises(DigestMismatch, match=r"manifest\.json: expected digest"),
    ):
        await ensure_model(settings(url, MODEL_DIGEST=digest), tmp_path / "model")
    assert not (tmp_path / "model").exists()


async def test_a_model_on_disk_is_checked_as_well(remote: Path) -> None:
    digest = manifest_of(remote).digest
    await ensure_model(settings("http://127.0.0.1:9", MODEL_DIGEST=digest), remote)
    changed(remote)
    with pytest.raises(DigestMismatch, match=f"{remote}: expected digest {digest}"):
        await ensure_model(settings("http://127.0.0.1:9", MODEL_DIGEST=digest), remote)


async def test_an_unverified_model_says_so(remote: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with scripted_registry(folder_script(remote)) as url:
        await ensure_model(settings(url), tmp_path / "model")
        assert "model unverified" in caplog.text
        caplog.clear()
        await ensure_model(settings(url, MODEL_DIGEST=manifest_of(remote).digest), tmp_path / "verified")
    assert "model unverified" not in caplog.text
