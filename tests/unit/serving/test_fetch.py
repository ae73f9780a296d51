import json
from pathlib import Path

import pytest
from tests.unit.serving.servers import folder_script, scripted_registry

from fairlead_serving.fetch import fetch, main


def test_the_files_are_fetched(iris_folder: Path, tmp_path: Path) -> None:
    with scripted_registry(folder_script(iris_folder)) as url:
        env = {"MLFLOW_TRACKING_URI": url, "MODEL_NAME": "iris", "MODEL_VERSION": "3"}
        assert fetch(env, tmp_path / "model") == 0
    names = [sorted(file.name for file in folder.iterdir()) for folder in (iris_folder, tmp_path / "model")]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("env", "reason", "message"),
    [
        ({"MODEL_NAME": "iris"}, "ModelLoadFailed", "MLFLOW_TRACKING_URI: expected a value"),
        ({"PORT": "x"}, "ModelLoadFailed", "PORT: expected a number"),
    ],
)
def test_a_failure_leaves_last_words(tmp_path: Path, env: dict[str, str], reason: str, message: str) -> None:
    words = tmp_path / "last-words"
    assert fetch(env | {"TERMINATION_LOG": str(words)}, tmp_path / "model") == 3
    written = json.loads(words.read_text())
    assert written["reason"] == reason
    assert message in written["message"]


def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: python -m fairlead_serving.fetch DEST" in capsys.readouterr().err
