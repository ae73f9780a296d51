"""Long-running processes: started detached, remembered in pid files, stopped by pid and never by name.

A pid file also holds the process's start time in clock ticks since boot, so that a pid that the kernel has given to
another process meanwhile is never signalled.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.progress import ClusterError, last_lines, pause, wait_until


@dataclass(frozen=True)
class Supervisor:
    """Starts and stops the processes of one cluster; `folder` gets `NAME.pid` and `NAME.log`."""

    folder: Path
    netns: str | None = None

    def start(self, name: str, args: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        """Start `args` in a session of its own unless `name` is running already; its output goes to `NAME.log`."""
        if self.running(name):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [str(arg) for arg in args]
        if self.netns:
            # Not `ip netns exec`: that hides the cgroup mounts from the process.
            command = ["nsenter", f"--net=/run/netns/{self.netns}", *command]
        program = shutil.which(command[0])
        if program is None:
            raise ClusterError(f"{name}: {command[0]} is neither a file nor on PATH")
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self.log(name)), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        pid = os.posix_spawn(program, command, {**os.environ, **(env or {})}, file_actions=actions, setsid=True)
        record = {"pid": pid, "started": start_ticks(pid), "command": command}
        self._pid_file(name).write_text(json.dumps(record))

    def stop(self, name: str, patience_seconds: float = 10.0) -> None:
        """SIGTERM, then SIGKILL once `patience_seconds` are over (0: at once); removes the pid file."""
        pid = self.pid(name)
        if pid is not None:
            stop_pids([pid], patience_seconds)
        self._pid_file(name).unlink(missing_ok=True)

    def pid(self, name: str) -> int | None:
        """The pid of `name` when the very process that was started is still alive."""
        try:
            record = json.loads(self._pid_file(name).read_text())
        except (FileNotFoundError, ValueError):
            return None
        pid = int(record["pid"])
        return pid if record["started"] is not None and start_ticks(pid) == record["started"] else None

    def running(self, name: str) -> bool:
        """Whether `name` was started from here and still lives."""
        return self.pid(name) is not None

    def names(self) -> list[str]:
        """Every process that has a pid file, running or not."""
        return sorted(path.stem for path in self.folder.glob("*.pid"))

    def log(self, name: str) -> Path:
        """The file that gets the output of `name`."""
        return self.folder / f"{name}.log"

    def require(self, name: str) -> None:
        """Raises ClusterError with the log's last lines when `name` has died."""
        if not self.running(name):
            raise ClusterError(f"{name} has exited; {last_lines(self.log(name))}")

    def _pid_file(self, name: str) -> Path:
        return self.folder / f"{name}.pid"


def start_ticks(pid: int) -> int | None:
    """When `pid` started, in clock ticks since boot; None when there is no such process or it is a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # reaps it if it is a dead child of ours
    try:
        return ticks_of(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None


def ticks_of(stat: str) -> int | None:
    """The start time in a line of /proc/PID/stat; None for a zombie.

    A process whose first thread has ended looks like a zombie while its other threads live on, and holds its ports for
    as long: it counts as alive until the last one has ended.
    """
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    state, threads, started = fields[0], int(fields[17]), int(fields[19])
    return None if state == "Z" and threads <= 1 else started


def stop_pids(pids: Iterable[int], patience_seconds: float) -> None:
    """SIGTERM to each pid, SIGKILL to those left after `patience_seconds`; returns when all are gone.

    Raises ClusterError when a process survives SIGKILL for 10 s.
    """
    alive = {pid: ticks for pid in pids if (ticks := start_ticks(pid)) is not None}
    if patience_seconds > 0:
        _signal(alive, signal.SIGTERM)
        for _ in range(int(patience_seconds / 0.05)):
            alive = _still(alive)
            if not alive:
                return
            pause(0.05)
    _signal(alive, signal.SIGKILL)

    def survivors() -> str | None:
        left = _still(alive)
        return f"pids {sorted(left)} survive SIGKILL" if left else None

    wait_until("stopping processes", survivors, 10.0, lambda: "Look at /proc/PID/stack for what they wait on.")


def _still(pids: Mapping[int, int]) -> dict[int, int]:
    return {pid: ticks for pid, ticks in pids.items() if start_ticks(pid) == ticks}


def _signal(pids: Mapping[int, int], number: signal.Signals) -> None:
    for pid in _still(pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
