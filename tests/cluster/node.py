"""The identity of one bare node: names, addresses and folders. Two nodes with different numbers never meet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.masters import Masters
from tests.cluster.processes import Supervisor


@dataclass(frozen=True)
class Node:
    """Node `number` (0 to 9) of this machine; number 0 is the one that `up` brings up."""

    number: int = 0

    @property
    def name(self) -> str:
        """The node's name in Kubernetes, and the name of its network namespace, bridge network and cgroup."""
        return "fairlead" if self.number == 0 else f"fairlead-{self.number}"

    @property
    def state(self) -> Path:
        """Everything the node writes; gone after `down`. FAIRLEAD_STATE moves it."""
        return Path(os.environ.get("FAIRLEAD_STATE", "/var/lib/fairlead")) / self.name

    @property
    def host_ip(self) -> str:
        """The host's end of the veth pair, a /30 of its own."""
        return f"10.245.{self.number}.1"

    @property
    def node_ip(self) -> str:
        """The node's end: apiserver, kubelet and NodePorts answer here."""
        return f"10.245.{self.number}.2"

    @property
    def host_link(self) -> str:
        """The veth interface that stays in the host's network namespace."""
        return f"fairlead{self.number}"

    @property
    def bridge(self) -> str:
        """The pods' bridge inside the network namespace."""
        return "cni0"

    @property
    def pod_cidr(self) -> str:
        """Addresses of pods."""
        return f"10.{244 - 10 * self.number}.0.0/16"

    @property
    def service_prefix(self) -> str:
        """The first two bytes of Service addresses."""
        return f"10.{96 + self.number}"

    @property
    def service_cidr(self) -> str:
        """Addresses of Services."""
        return f"{self.service_prefix}.0.0/16"

    @property
    def dns_ip(self) -> str:
        """The Service address of the cluster's DNS."""
        return f"{self.service_prefix}.0.10"

    @property
    def containerd_socket(self) -> Path:
        """containerd's own socket, apart from any other containerd of the machine."""
        return self.state / "run" / "containerd.sock"

    @property
    def supervisor(self) -> Supervisor:
        """Starts processes inside the node's network namespace."""
        return Supervisor(self.state / "processes", netns=self.name)

    @property
    def masters(self) -> Masters:
        """The control plane; fixed ports, because the network namespace is the node's own."""
        return Masters(
            self.supervisor,
            self.state,
            self.node_ip,
            apiserver_port=6443,
            etcd_port=2379,
            etcd_peer_port=2380,
            service_cidr=self.service_cidr,
            pod_cidr=self.pod_cidr,
        )
