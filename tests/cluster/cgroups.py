"""The node's cgroups, in every hierarchy of the machine (version 1, version 2 or both side by side)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tests.cluster.node import Node
from tests.cluster.processes import stop_pids
from tests.cluster.progress import pause

ROOT = Path("/sys/fs/cgroup")

SHARES_PER_CORE = 4096
"""Four times what Kubernetes gives a core. On a real node the pods stand beside a few other cgroups; here beside every
process of the machine, each weighing 1024: with the weight of one, all pods together starved on a busy machine."""


def hierarchies() -> list[Path]:
    """The mount point of each cgroup hierarchy."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return sorted({Path(mount[1]) for mount in mounts if mount[2] in ("cgroup", "cgroup2")})


def create(node: Node) -> None:
    """Make the node's root cgroup everywhere: the kubelet wants its `cgroupRoot` to exist."""
    for hierarchy in hierarchies():
        folder = hierarchy / node.name
        folder.mkdir(exist_ok=True)
        for controlled in (hierarchy, folder):
            _enable_controllers(controlled)
        for name in ("cpuset.cpus", "cpuset.mems"):
            # A new cpuset of version 1 is empty, and nothing can run in an empty one.
            own = folder / name
            if own.exists() and (hierarchy / name).exists() and not own.read_text().strip():
                own.write_text((hierarchy / name).read_text())
        _weigh(folder)


def _weigh(folder: Path) -> None:
    shares = SHARES_PER_CORE * (os.cpu_count() or 1)
    for name, value in (("cpu.shares", shares), ("cpu.weight", min(10_000, shares * 100 // 1024))):
        if (folder / name).exists():
            (folder / name).write_text(str(value))


def _enable_controllers(folder: Path) -> None:
    # Version 2 hands a controller down only when told to; where systemd runs, most are on already. Version 1 has
    # no such files, and a controller that cannot be handed down is left to the kubelet to complain about.
    controllers = folder / "cgroup.controllers"
    for name in controllers.read_text().split() if controllers.exists() else []:
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{name}")


def kill_all(node: Node) -> None:
    """Kill every process in the node's cgroups: the containers, and nothing else."""
    pids: set[int] = set()
    for hierarchy in hierarchies():
        for procs in (hierarchy / node.name).rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                pids.update(int(pid) for pid in procs.read_text().split())
    stop_pids(pids, patience_seconds=0)


def delete(node: Node) -> None:
    """Remove the node's cgroups, children first; one that is busy is tried again for a while."""
    for hierarchy in hierarchies():
        root = hierarchy / node.name
        for _ in range(50):
            for folder, _names, _files in os.walk(root, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            if not root.exists():
                break
            pause(0.1)
