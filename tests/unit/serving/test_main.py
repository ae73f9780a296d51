import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead_serving.__main__ import main


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_settings_that_do_not_fit_are_told_in_the_last_words(tmp_path: Path) -> None:
    words = tmp_path / "last-words"
    assert main({"PORT": "http", "TERMINATION_LOG": str(words)}) == 3
    assert json.loads(words.read_text()) == {
        "reason": "ModelLoadFailed",
        "message": "PORT: expected a number from 0 to 65535, got 'http'",
    }
