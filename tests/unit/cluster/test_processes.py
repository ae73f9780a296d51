"""Starting, finding again and stopping processes by pid."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.processes import Supervisor, start_ticks, stop_pids, ticks_of
from tests.cluster.progress import ClusterError, wait_until

SLEEP = ["sleep", "600"]
STUBBORN = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "processes")
    yield made
    for name in made.names():
        made.stop(name, patience_seconds=0)


def test_a_started_process_runs_until_it_is_stopped(supervisor: Supervisor) -> None:
    supervisor.start("sleeper", SLEEP)
    pid = supervisor.pid("sleeper")
    assert pid is not None and supervisor.names() == ["sleeper"]
    supervisor.stop("sleeper")
    assert not supervisor.running("sleeper")
    assert start_ticks(pid) is None
    assert supervisor.names() == []


def test_starting_twice_keeps_the_first(supervisor: Supervisor) -> None:
    supervisor.start("sleeper", SLEEP)
    first = supervisor.pid("sleeper")
    supervisor.start("sleeper", SLEEP)
    assert supervisor.pid("sleeper") == first


def test_another_supervisor_of_the_folder_finds_the_process_again(supervisor: Supervisor) -> None:
    supervisor.start("sleeper", SLEEP)
    assert Supervisor(supervisor.folder).pid("sleeper") == supervisor.pid("sleeper")


def test_a_pid_that_belongs_to_another_process_now_is_never_signalled(supervisor: Supervisor) -> None:
    supervisor.start("bystander", SLEEP)
    pid = supervisor.pid("bystander")
    assert pid is not None
    stale = {"pid": pid, "started": (start_ticks(pid) or 0) - 1, "command": SLEEP}
    (supervisor.folder / "stale.pid").write_text(json.dumps(stale))
    assert not supervisor.running("stale")
    supervisor.stop("stale")
    assert supervisor.running("bystander")


def test_a_process_that_ignores_sigterm_is_killed_when_patience_ends(supervisor: Supervisor) -> None:
    supervisor.start("stubborn", STUBBORN)
    log = supervisor.log("stubborn")
    wait_until("trap", lambda: None if log.read_text() else "no output yet", 5.0, lambda: "")
    pid = supervisor.pid("stubborn")
    assert pid is not None
    supervisor.stop("stubborn", patience_seconds=0.2)
    assert start_ticks(pid) is None


def test_a_process_that_died_is_reported_with_its_last_lines(supervisor: Supervisor) -> None:
    supervisor.start("brief", ["sh", "-c", "echo no such flag >&2; exit 3"])
    wait_until("its end", lambda: "still there" if supervisor.running("brief") else None, 5.0, lambda: "")
    with pytest.raises(ClusterError, match=r"(?s)brief has exited.*brief\.log.*no such flag"):
        supervisor.require("brief")


def test_a_program_that_does_not_exist_is_named(supervisor: Supervisor) -> None:
    with pytest.raises(ClusterError, match="ghost: no-such-program is neither"):
        supervisor.start("ghost", ["no-such-program"])


def test_stopping_pids_that_are_gone_already_is_no_error(supervisor: Supervisor) -> None:
    supervisor.start("sleeper", SLEEP)
    pid = supervisor.pid("sleeper")
    assert pid is not None
    supervisor.stop("sleeper")
    stop_pids([pid], patience_seconds=1.0)


HEADLESS = """
import ctypes, threading, time
threading.Thread(target=lambda: (print("ready", flush=True), time.sleep(600))).start()
ctypes.CDLL(None).syscall(60, 0)  # exit(2) of x86-64: the first thread alone
"""


def test_a_process_whose_first_thread_has_ended_lives_until_the_last_one_has(supervisor: Supervisor) -> None:
    supervisor.start("headless", [sys.executable, "-c", HEADLESS])
    pid = supervisor.pid("headless")
    assert pid is not None

    def headless() -> str | None:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return None if state == "Z" else state

    wait_until("the first thread ends", headless, 10.0, lambda: "")
    assert supervisor.running("headless")
    supervisor.stop("headless", patience_seconds=0)
    assert start_ticks(pid) is None


def test_a_process_that_has_ended_and_was_not_waited_for_is_gone() -> None:
    line = "7 (a (b) c) {state} 1 " + "0 " * 15 + "{threads} 0 4711 0"
    assert ticks_of(line.format(state="S", threads=1)) == 4711
    assert ticks_of(line.format(state="Z", threads=2)) == 4711
    assert ticks_of(line.format(state="Z", threads=1)) is None
