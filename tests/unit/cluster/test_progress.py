"""Progress lines and the errors of the harness."""

import re
import sys
from pathlib import Path

import pytest
from tests.cluster import progress
from tests.cluster.progress import ClusterError, last_lines, pause, run, step, wait_until


def test_a_step_says_what_it_did_and_for_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    with step("boil water"):
        pass
    captured = capsys.readouterr()
    assert re.fullmatch(r"\[cluster\] boil water: \d+\.\d s\n", captured.err)
    assert captured.out == ""


def test_a_long_step_gives_signs_of_life(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "HEARTBEAT_SECONDS", 0.02)
    with step("boil water"):
        pause(0.1)
    assert "... boil water: 0 s so far" in capsys.readouterr().err


def test_a_step_that_fails_says_so_and_lets_the_error_through(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), step("boil water"):
        raise KeyError("no kettle")
    assert "FAILED boil water" in capsys.readouterr().err


def test_waiting_in_vain_names_what_is_missing_and_gives_the_hint() -> None:
    with pytest.raises(ClusterError, match=r"(?s)kettle: not ready after 0 s: cold\nlook at the plug"):
        wait_until("kettle", lambda: "cold", 0.1, lambda: "look at the plug")


def test_a_failing_command_is_shown_with_its_exit_code_and_output() -> None:
    command = [sys.executable, "-c", "import sys; print('bad flour', file=sys.stderr); sys.exit(4)"]
    with pytest.raises(ClusterError, match=r"(?s)baking failed with exit code 4: .*bad flour"):
        run(command, what="baking")


def test_a_failing_command_with_a_log_is_shown_with_the_logs_path(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "bake.log"
    command = [sys.executable, "-c", "import sys; print('bad flour'); sys.exit(4)"]
    with pytest.raises(ClusterError, match=r"(?s)bake\.log:\n  bad flour"):
        run(command, what="baking", log=log)


def test_only_the_last_lines_of_a_log_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("\n".join(f"line {number}" for number in range(100)))
    assert last_lines(log, count=2).splitlines()[1:] == ["  line 98", "  line 99"]
