import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.termination import MAX_BYTES, termination_message, write_termination


@given(st.text(max_size=3000))
def test_any_message_fits_and_has_no_control_characters(text: str) -> None:
    rendered = termination_message("ModelLoadFailed", text)
    document = json.loads(rendered)
    assert len(rendered.encode()) <= MAX_BYTES
    assert document["reason"] == "ModelLoadFailed"
    assert document["message"].isprintable() or document["message"] == ""


def test_a_short_message_is_kept_word_for_word() -> None:
    assert json.loads(termination_message("ModelNotFound", "no such\tversion: 7\x1b[0m")) == {
        "reason": "ModelNotFound",
        "message": "no such version: 7 [0m",
    }


def test_a_long_message_is_cut_no_more_than_needed() -> None:
    assert MAX_BYTES - 12 < len(termination_message("ModelLoadFailed", "x" * 5000)) <= MAX_BYTES


def test_a_path_that_cannot_be_written_is_only_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        write_termination(tmp_path / "no" / "such", "ModelLoadFailed", "why")
    assert "termination message not written" in caplog.text
