import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead_gateway.__main__ import FAILED_EXIT_CODE, REFUSED_EXIT_CODE, main

POD = {"POD_NAMESPACE": "team-a", "KUBE_API_URL": "https://127.0.0.1:1"}


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """`main` takes the root logger over."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    found: dict[str, str] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_settings_that_do_not_fit_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], {}) == REFUSED_EXIT_CODE
    assert said(capsys)["cause"].startswith("POD_NAMESPACE: expected")
    assert main(["drain"], {"FAIRLEAD_DIR": "here"}) == REFUSED_EXIT_CODE
    assert said(capsys)["cause"].startswith("FAIRLEAD_DIR: expected")


def test_other_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "now"], POD) == REFUSED_EXIT_CODE
    assert said(capsys)["got"] == "render now"


def test_a_folder_that_is_not_to_be_had_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main([], {**POD, "FAIRLEAD_DIR": str(tmp_path / "file" / "run")}) == FAILED_EXIT_CODE
    assert said(capsys)["message"] == "not to be had"


def test_draining_without_envoy_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drain"], {"FAIRLEAD_DIR": str(tmp_path)}) == 0
    assert said(capsys)["message"] == "nothing to drain"
