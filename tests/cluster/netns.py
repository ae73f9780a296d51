"""The node's network namespace, the veth pair into it and the host's routes to it. The host's iptables stay as is."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cluster.node import Node
from tests.cluster.progress import run

BRIDGE_SETTINGS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def create(node: Node) -> None:
    """Make the namespace, the pair and the routes, those that are not there yet."""
    if not Path("/run/netns", node.name).exists():
        _ip("netns", "add", node.name)
    if not _link_exists(node.host_link):
        _ip("link", "add", node.host_link, "type", "veth", "peer", "name", "eth0", "netns", node.name)
    _ip("addr", "replace", f"{node.host_ip}/30", "dev", node.host_link)
    _ip("link", "set", node.host_link, "up")
    inside = ("-n", node.name)
    _ip(*inside, "link", "set", "lo", "up")
    _ip(*inside, "addr", "replace", f"{node.node_ip}/30", "dev", "eth0")
    _ip(*inside, "link", "set", "eth0", "up")
    _ip(*inside, "route", "replace", "default", "via", node.host_ip)
    # So that a test on the host can also reach a pod or a Service by its own address.
    for cidr in (node.pod_cidr, node.service_cidr):
        _ip("route", "replace", cidr, "via", node.node_ip)
    if not BRIDGE_SETTINGS.exists():
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)  # built in on some kernels
    bridge = BRIDGE_SETTINGS
    # Pods reach Services through the namespace's own iptables, also when both ends are on its bridge.
    write = f"echo 1 > /proc/sys/net/ipv4/ip_forward; [ ! -e {bridge} ] || echo 1 > {bridge}"
    run(["nsenter", f"--net=/run/netns/{node.name}", "sh", "-c", write], what="forwarding inside the node")


def delete(node: Node) -> None:
    """Remove all of it; the bridge, the pods' links and kube-proxy's rules go with the namespace."""
    if _link_exists(node.host_link):
        _ip("link", "del", node.host_link)  # the host's routes go with it
    if Path("/run/netns", node.name).exists():
        _ip("netns", "del", node.name)


def _link_exists(name: str) -> bool:
    return subprocess.run(["ip", "link", "show", name], capture_output=True, check=False).returncode == 0


def _ip(*args: str) -> str:
    return run(["ip", *args], what="network of the node")
