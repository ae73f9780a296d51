"""Asking before a machine is changed."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.cluster import consent
from tests.cluster.node import Node
from tests.cluster.progress import ClusterError, wait_until

NODE = Node(7)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without container programs where nobody is at a terminal and no answer was given."""
    for name in ("FAIRLEAD_BARE", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FAIRLEAD_STATE", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr(consent, "foreign_programs", lambda node: [])
    return monkeypatch


def test_an_empty_machine_with_nobody_at_it_is_not_asked_about(
    machine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    consent.ask(NODE)
    assert capsys.readouterr().err == ""


def test_a_machine_that_runs_containers_is_left_alone_when_nobody_can_be_asked(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(consent, "foreign_programs", lambda node: ["dockerd"])
    with pytest.raises(ClusterError, match="FAIRLEAD_BARE=1"):
        consent.ask(NODE)


def test_the_answer_may_be_given_beforehand(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(consent, "foreign_programs", lambda node: ["dockerd"])
    machine.setenv("FAIRLEAD_BARE", "1")
    consent.ask(NODE)


def test_a_ci_machine_is_used_even_when_it_runs_containers(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(consent, "foreign_programs", lambda node: ["dockerd"])
    machine.setenv("CI", "true")
    consent.ask(NODE)


def test_somebody_at_a_terminal_is_asked_even_where_ci_is_set(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("CI", "true")
    machine.setattr("sys.stdin", Terminal("n\n"))
    with pytest.raises(ClusterError, match="nothing was changed"):
        consent.ask(NODE)


@pytest.mark.parametrize("answer", ["\n", "n\n", "what?\n", ""])
def test_somebody_at_a_terminal_who_does_not_say_yes_stops_it(machine: pytest.MonkeyPatch, answer: str) -> None:
    machine.setattr("sys.stdin", Terminal(answer))
    with pytest.raises(ClusterError, match="nothing was changed"):
        consent.ask(NODE)


def test_somebody_at_a_terminal_is_told_what_will_change_and_may_say_yes(
    machine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.setattr("sys.stdin", Terminal("yes\n"))
    consent.ask(NODE)
    told = capsys.readouterr().err
    for change in ("fairlead-7", "10.245.7.1/30", NODE.pod_cidr, str(NODE.state), "apt-get", "make down"):
        assert change in told


def stand_in(folder: Path, program: str) -> str:
    """A program that the kernel knows by the name of a foreign one, because it is a copy of `program` under it."""
    return shutil.copy2(str(shutil.which(program)), folder / "k0s")


def test_a_running_container_program_is_found(tmp_path: Path) -> None:
    with subprocess.Popen([stand_in(tmp_path, "sleep"), "60"]) as process:
        try:
            # A process that has only just been started has no command line yet, and counts as one that has ended.
            unseen = lambda: None if "k0s" in consent.foreign_programs(NODE) else "it is not found"  # noqa: E731
            wait_until("the stand-in", unseen, 5.0, lambda: "")
        finally:
            process.kill()


def test_a_container_program_that_has_ended_is_not_found(tmp_path: Path) -> None:
    with subprocess.Popen([stand_in(tmp_path, "true")]) as process:
        stat = Path(f"/proc/{process.pid}/stat")
        ended = lambda: None if ") Z " in stat.read_text() else "it still runs"  # noqa: E731
        wait_until("the end of the stand-in", ended, 5.0, lambda: "")
        assert (stat.parent / "comm").read_text() == "k0s\n"
        assert "k0s" not in consent.foreign_programs(NODE)
