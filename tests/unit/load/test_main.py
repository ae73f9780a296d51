import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.load import BadPlanError
from tests.load.__main__ import parse_arguments
from tests.load.process import ROOT
from tests.unit.load.misbehaving import ERROR, OK, misbehaving


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.load", *arguments],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_clean_run_exits_0_and_writes_its_report(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    with misbehaving(lambda e: e.answer(OK)) as server:
        done = command(
            *(server.url, "--rate", "50", "--seconds", "0.2", "--late-seconds", "1", "--json", str(out)),
            *("--body", '{"x": 1}', "--expect-field", "a.b=[1, 2]"),
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(out.read_text())["ok"] == 10


def test_a_run_with_failures_exits_1_and_names_them() -> None:
    with misbehaving(lambda e: e.answer(ERROR)) as server:
        done = command(server.url, "--rate", "50", "--seconds", "0.1")
    assert done.returncode == 1
    assert "500x5" in done.stdout


def test_bad_arguments_exit_2_and_say_what_was_expected() -> None:
    done = command("http://h/", "--rate", "-1")
    assert (done.returncode, done.stderr) == (2, "error: rate: expected a number above 0, got -1.0\n")


def test_a_body_is_json_text_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text("[3]")
    assert parse_arguments(["http://h/", "--body", str(tmp_path / "body.json")])[0].body == "[3]"
    assert parse_arguments(["http://h/", "--body", "[4]"])[0].body == "[4]"
    with pytest.raises(BadPlanError, match="body: expected JSON or a readable file"):
        parse_arguments(["http://h/", "--body", str(tmp_path / "none.json")])


def test_an_expectation_without_a_value_is_refused() -> None:
    with pytest.raises(BadPlanError, match=r"expect-field: expected NAME=VALUE, got 'a\.b'"):
        parse_arguments(["http://h/", "--expect-field", "a.b"])
