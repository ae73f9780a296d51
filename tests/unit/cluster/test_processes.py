"""Starting, finding again and stopping processes by pid."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.processes import Supervisor, start_ticks, stop_pids
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
