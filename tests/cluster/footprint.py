"""What a cluster could leave behind on a machine, in a form that can be compared before and after."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cluster.cgroups import hierarchies

# Programs that a node is made of; an editor that somebody opens meanwhile is no trace of ours.
PROGRAMS = frozenset(
    {"etcd", "kubelet", "containerd", "pause", "coredns", "runc", "buildah", "ctr"}
    | {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "containerd-shim"}
)
FOLDERS = ("/var/lib", "/var/log", "/run", "/run/netns", "/etc/cni", "/opt/cni", "/var/lib/kubelet", "/var/lib/cni")


def take() -> dict[str, list[str]]:
    """Kind of trace -> sorted list: processes, mounts, interfaces, routes, namespaces, rules, cgroups and folders."""
    return {
        "processes": _processes(),
        "mounts": sorted(f"{_field(line, 1)} {_field(line, 2)}" for line in _lines("/proc/self/mounts")),
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "routes": _output("ip", "route", "show", "table", "all"),
        "network_namespaces": sorted(os.listdir("/run/netns")) if Path("/run/netns").exists() else [],
        "iptables": _rules("iptables-save"),
        "ip6tables": _rules("ip6tables-save"),
        "cgroups": sorted(str(path) for root in hierarchies() for path in root.rglob("*") if path.is_dir()),
        "folders": sorted(str(path) for folder in FOLDERS for path in Path(folder).glob("*")),
    }


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, dict[str, list[str]]]:
    """Only what differs: kind -> {"new": [...], "gone": [...]}; empty when nothing does."""
    changes = {}
    for kind in sorted(before.keys() | after.keys()):
        old, new = before.get(kind, []), after.get(kind, [])
        change = {"new": sorted(set(new) - set(old)), "gone": sorted(set(old) - set(new))}
        if any(change.values()):
            changes[kind] = change
    return changes


def _processes() -> list[str]:
    """`PID CGROUP COMMAND` of each process of ours; cgroup and command tell whose it is."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_text(errors="replace").split("\0")
            cgroups = (entry / "cgroup").read_text().splitlines()
        except OSError:
            continue
        if Path(words[0]).name in PROGRAMS or Path(words[0]).name.startswith("containerd-shim"):
            cgroup = max((line.split(":", 2)[2] for line in cgroups), key=len, default="")
            found.append(f"{entry.name} {cgroup} {' '.join(words)[:300]}")
    return sorted(found)


def _rules(command: str) -> list[str]:
    # Counters and dates change by themselves; the rules are what counts.
    return [line.split("[")[0].rstrip() for line in _output(command) if not line.startswith("#")]


def _output(*command: str) -> list[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return done.stdout.splitlines()


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _field(line: str, index: int) -> str:
    return line.split()[index]
