import io

import pytest
from rich.console import Console
from tests.demo.progress import DemoError, Progress
from tests.unit.builders import serving_body
from tests.unit.cli.plugin.statuses import rolling


def screen() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=150, highlight=False)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_each_change_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    states = iter([(False, "Starting"), (False, "Starting"), (True, "Stable")])
    progress = Progress()
    with progress.part("serving"), progress.live():
        progress.wait_for("churn", lambda: next(states), 5)
    told = [line.split("] ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert told[:3] == ["serving ...", "  churn: Starting", "  churn: Stable"]
    assert told[3].startswith("serving: done in")


def test_on_a_terminal_the_picture_shows_the_rollout_and_lines_go_above_it() -> None:
    console = screen()
    progress = Progress(console)
    with progress.part("a better version"), progress.live():
        progress.show(serving_body(status=rolling(), model={"name": "churn", "alias": "candidate"}))
        progress.show_users("load: 400/72000 sent, 0 failed, 0 not on time")
        progress.say("version 7 is registered")
    text = text_of(console)
    assert "version 7 is registered" in text
    assert "95% version 6, 5% version 7" in text and "400/72000 sent, 0 failed" in text


def test_what_is_no_count_of_the_users_is_not_shown() -> None:
    console = screen()
    progress = Progress(console)
    with progress.live():
        progress.show_users("<frozen runpy>:128: RuntimeWarning: unpredictable behaviour")
    assert "RuntimeWarning" not in text_of(console)


def test_a_deployment_that_is_not_there_leaves_the_picture_as_it_is() -> None:
    console = screen()
    progress = Progress(console)
    with progress.live():
        progress.show({})
    assert "Story" in text_of(console)


def test_waiting_in_vain_tells_what_was_there_last() -> None:
    with pytest.raises(DemoError, match="churn: expected it within 0 s, got: Starting"):
        Progress().wait_for("churn", lambda: (False, "Starting"), 0)
