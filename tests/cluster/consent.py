"""Asks before changing a machine that somebody uses. FAIRLEAD_BARE=1 is the answer given beforehand.

CI=true counts as that answer where nobody is at a terminal: a CI machine is there to be used.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.cluster.node import Node
from tests.cluster.progress import ClusterError, say

FOREIGN_PROGRAMS = frozenset({"dockerd", "containerd", "crio", "kubelet", "kube-apiserver", "k3s", "k0s", "microk8s"})


def ask(node: Node) -> None:
    """Returns when the bare node may be brought up. Raises ClusterError when the answer is no or nobody can answer."""
    if os.environ.get("FAIRLEAD_BARE") == "1":
        return
    found = foreign_programs(node)
    at_terminal = sys.stdin.isatty()
    if not at_terminal and (not found or os.environ.get("CI") == "true"):
        return
    for line in plan(node, found):
        say(line)
    if not at_terminal:
        raise ClusterError(
            f"{', '.join(found)} runs here already and nobody can be asked: set FAIRLEAD_BARE=1 to go on"
        )
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ClusterError("not confirmed; nothing was changed")


def plan(node: Node, found: list[str]) -> list[str]:
    """What bringing up the node changes, line by line; `found` are the container programs that run already."""
    lines = [f"This machine already runs {', '.join(found)}; they are left alone."] if found else []
    return [
        *lines,
        "No Docker engine answers, so Kubernetes will run directly on this machine (as root). It will:",
        "  install missing Debian packages (containerd, runc, buildah, iptables, ...) with apt-get",
        f"  add the network namespace {node.name}, the interface {node.host_link} ({node.host_ip}/30)",
        f"  add routes to {node.pod_cidr} and {node.service_cidr}; the host's iptables rules stay as they are",
        f"  keep its state in {node.state} and add the cgroup {node.name}",
        "`make down` removes all of that except the packages and the cache.",
    ]


def foreign_programs(node: Node) -> list[str]:
    """Names of running container programs that this node did not start."""
    supervisor = node.supervisor
    own = {supervisor.pid(name) for name in supervisor.names()}
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in own and not _harmless(entry, node):
            try:
                name = (entry / "comm").read_text().strip()
            except OSError:
                continue
            if name in FOREIGN_PROGRAMS:
                found.add(name)
    return sorted(found)


def _harmless(entry: Path, node: Node) -> bool:
    # Another node of this harness, or a control plane of the apiserver tier, is no reason to ask; nor is a process that
    # has ended and waits for its parent, whose command line is empty.
    try:
        command = (entry / "cmdline").read_bytes()
    except OSError:
        return True
    return not command or str(node.state.parent).encode() in command or b"--audit-policy-file" in command
