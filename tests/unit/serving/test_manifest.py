import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.serving.servers import MODEL_ROOT, RUN_ROOT, Reply, Seen, folder_script, scripted_registry

from fairlead_serving import registry
from fairlead_serving.integrity import hash_folder, parse_manifest
from fairlead_serving.manifest import main


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FIRST_PAUSE_SECONDS", 0.01)


def env(tmp_path: Path, url: str, **more: str) -> dict[str, str]:
    ours = {"MODEL_ID": "m-1", "RUN_ID": "r-1", "LOAD_DEADLINE_SECONDS": "2"}
    return {"MLFLOW_TRACKING_URI": url, "TERMINATION_LOG": str(tmp_path / "last-words")} | ours | more


def last_words(tmp_path: Path) -> dict[str, Any]:
    words: dict[str, Any] = json.loads((tmp_path / "last-words").read_text())
    return words


def test_the_manifest_is_stored_beside_the_run_and_its_digest_told(iris_folder: Path, tmp_path: Path) -> None:
    seen: list[Seen] = []
    script = folder_script(iris_folder)

    def answer(path: str) -> Reply:
        return (200, b"{}") if path.endswith("manifest.json") else script(path)

    with scripted_registry(answer, seen) as url:
        assert main(env(tmp_path, url, MLFLOW_TRACKING_TOKEN="t0ken")) == 0
    digest = hash_folder(iris_folder).digest
    assert last_words(tmp_path) == {"digest": digest}
    stored = seen[-1]
    assert (stored.method, stored.path) == (
        "PUT",
        f"/api/2.0/mlflow-artifacts/artifacts/{RUN_ROOT}/fairlead/m-1/manifest.json",
    )
    assert parse_manifest(stored.body, digest).model_id == "m-1"
    assert {request.authorization for request in seen} == {"Bearer t0ken"}


def test_an_interrupted_file_is_read_again(iris_folder: Path, tmp_path: Path) -> None:
    replies: list[Reply] = [(503, b""), (200, b"short")]
    script = folder_script(iris_folder, b"{}")

    def answer(path: str) -> Reply:
        return replies.pop() if path.endswith(f"{MODEL_ROOT}/model.skops") and replies else script(path)

    with scripted_registry(answer) as url:
        assert main(env(tmp_path, url)) == 0
    assert (replies, last_words(tmp_path)) == ([], {"digest": hash_folder(iris_folder).digest})


def test_a_model_without_files_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with scripted_registry(folder_script(tmp_path / "empty")) as url:
        assert main(env(tmp_path, url)) == 3
    words = last_words(tmp_path)
    assert words["reason"] == "ModelNotFound"
    assert "logged model m-1: expected an MLmodel file among its artifacts" in words["message"]


@pytest.mark.parametrize(
    ("changes", "reason", "message"),
    [
        ({"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}, "RegistryUnavailable", "before the load deadline"),
        ({"MLFLOW_TRACKING_URI": ""}, "ModelLoadFailed", "MLFLOW_TRACKING_URI: expected an http"),
        ({"MODEL_ID": "../x"}, "ModelLoadFailed", "MODEL_ID: expected an id of MLflow, got '../x'"),
        ({"RUN_ID": ""}, "ModelLoadFailed", "RUN_ID: expected an id of MLflow"),
    ],
)
def test_a_failure_leaves_last_words(tmp_path: Path, changes: dict[str, str], reason: str, message: str) -> None:
    given = env(tmp_path, "http://127.0.0.1:9", LOAD_DEADLINE_SECONDS="1")
    assert main(given | changes) == 3
    words = last_words(tmp_path)
    assert words["reason"] == reason
    assert message in words["message"]
