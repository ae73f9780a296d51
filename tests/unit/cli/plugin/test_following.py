"""What is on the screen while something is followed."""

from io import StringIO

import pytest
from rich.console import Console
from tests.unit.builders import serving_body, training_body
from tests.unit.cli.plugin.fake_api import MODEL, StoppedClock
from tests.unit.cli.plugin.statuses import rolled_back, rolling

from fairlead.api.kinds import MODEL_DEPLOYMENT, TRAINING_JOB
from fairlead.cli.plugin.bars import BLOCKS
from fairlead.cli.plugin.following import Picture, Seen, see
from fairlead.cli.plugin.running import Screen

CANARY = see(MODEL_DEPLOYMENT, serving_body(status=rolling(), model=MODEL))
BACK = see(MODEL_DEPLOYMENT, serving_body(status=rolled_back(), model=MODEL))
TRAINING = see(TRAINING_JOB, training_body(status={"phase": "Running"}))


def screen(*, terminal: bool) -> tuple[Screen, StringIO]:
    """A screen, and what is on it."""
    sink, found = StringIO(), Screen()
    found.console = Console(file=sink, force_terminal=terminal, width=200, highlight=False, markup=False)
    found.glyphs = BLOCKS if terminal else found.glyphs
    return found, sink


def test_a_program_gets_a_line_when_something_has_changed_and_only_then() -> None:
    shown, sink = screen(terminal=False)
    picture = Picture(StoppedClock(), shown)
    with picture.drawn():
        for seen in (CANARY, CANARY, BACK):
            picture.show(seen)
        picture.show(BACK, "version 8: waits")
    lines = sink.getvalue().splitlines()
    assert [line.split()[2] for line in lines] == ["Canary", "RolledBack", "RolledBack"]
    assert lines[-1].endswith("(version 8: waits)")


def test_on_a_terminal_it_is_drawn_in_place_with_colours() -> None:
    shown, sink = screen(terminal=True)
    picture = Picture(StoppedClock(), shown)
    with picture.drawn():
        picture.show(CANARY)
    said = sink.getvalue()
    assert "█" in said and "\x1b[33mCanary\x1b[0m" in said and "Serves" in said
    assert "stable=" not in said


@pytest.mark.parametrize("seen", [CANARY, TRAINING], ids=["deployment", "training"])
def test_both_kinds_have_lines_a_line_and_a_document(seen: Seen) -> None:
    assert seen.lines(StoppedClock(), screen(terminal=False)[0])
    assert seen.line()
    assert seen.document()["name"]
