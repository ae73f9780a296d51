"""Removes a bare node without a trace: processes, mounts, interfaces, namespaces, rules, cgroups and files."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cluster import cgroups, images, netns
from tests.cluster.node import Node
from tests.cluster.processes import start_ticks, stop_pids

# The kubelet goes first, so that nothing is started again; etcd last, so that nobody logs its absence at length.
STOP_ORDER = ("kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
POD_LOG_LINKS = Path("/var/log/containers")
CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINERD_RUN = [Path("/run/containerd", name) for name in ("s", "runc/k8s.io", "runc", "")]
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")  # the kubelet's, wherever its root folder is
NAMESPACES = Path("/run/netns")


def remove(node: Node) -> None:
    """Every step looks at what is there, so a node that never came up or has crashed is removed as well."""
    supervisor = node.supervisor
    for name in STOP_ORDER:
        supervisor.stop(name, patience_seconds=0)
    cgroups.kill_all(node)
    stop_pids(_shims(node), patience_seconds=0)
    supervisor.stop("containerd", patience_seconds=5)
    unmount_below([node.state, images.storage()])
    netns.delete(node)
    cgroups.delete(node)
    _remove_links(POD_LOG_LINKS, node)
    _remove_cni_results(node)
    if not _kubelet_runs():
        (DEVICE_PLUGINS / "kubelet.sock").unlink(missing_ok=True)
    shutil.rmtree(node.state, ignore_errors=True)
    _remove_empty([node.state.parent, POD_LOG_LINKS, CNI_RESULTS, CNI_RESULTS.parent, *CONTAINERD_RUN])
    _remove_empty([DEVICE_PLUGINS, DEVICE_PLUGINS.parent])
    _remove_namespace_folder()


def _shims(node: Node) -> list[int]:
    """Pids of containerd's shims that serve this node's own socket."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"containerd-shim" in words[0] and str(node.containerd_socket).encode() in words:
                    found.append(int(entry.name))
    return found


def unmount_below(folders: Iterable[Path]) -> None:
    mounted = [line.split()[1].replace("\\040", " ") for line in Path("/proc/self/mounts").read_text().splitlines()]
    prefixes = tuple(f"{folder}/" for folder in folders)
    for target in reversed([each for each in mounted if each.startswith(prefixes)]):
        subprocess.run(["umount", "--lazy", target], capture_output=True, check=False)


def _remove_links(folder: Path, node: Node) -> None:
    for link in folder.iterdir() if folder.exists() else []:
        if link.is_symlink() and str(link.readlink()).startswith(f"{node.state}/"):
            link.unlink()


def _remove_cni_results(node: Node) -> None:
    # host-local keeps one file per address; its first line is the id of the sandbox that has it.
    for lease in (node.state / "cni").rglob("*.*.*.*"):
        sandbox = lease.read_text().split()[0]
        for result in CNI_RESULTS.glob(f"*-{sandbox}-*"):
            result.unlink(missing_ok=True)


def _kubelet_runs() -> bool:
    """Whether there is any, ours or another; one that has ended and waits to be reaped is none."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "comm").read_text().strip() == "kubelet" and start_ticks(int(entry.name)) is not None:
                    return True
    return False


def _remove_namespace_folder() -> None:
    # `ip netns add` mounts this folder onto itself and never undoes it; that is ours to do once no namespace is left.
    if NAMESPACES.exists() and not any(NAMESPACES.iterdir()):
        subprocess.run(["umount", NAMESPACES], capture_output=True, check=False)
        _remove_empty([NAMESPACES])


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
