"""The one interface of the whole cluster, and the choice between its two implementations."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tests.cluster import docker
from tests.cluster.bare import BareCluster
from tests.cluster.kind import KindCluster
from tests.cluster.node import Node


class Cluster(Protocol):
    """A cluster of one node that runs pods."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""

    @property
    def address(self) -> str:
        """An IPv4 address at which this machine reaches NodePorts."""

    @property
    def node_name(self) -> str:
        """The node's name in Kubernetes."""

    @property
    def audit_log(self) -> Path:
        """The apiserver's audit log on this machine, to be read with tests.cluster.audit."""

    def up(self) -> None:
        """Bring up whatever is not up; returns when the node is Ready and cluster DNS answers."""

    def down(self) -> None:
        """Remove the cluster and all that it left on this machine."""

    def running(self) -> bool:
        """Whether the cluster is up."""

    def stop_apiserver(self) -> None:
        """Take the apiserver away, as an outage does; everything on the node goes on."""

    def start_apiserver(self) -> None:
        """Bring it back; returns when it is ready."""

    def load(self, ref: str) -> None:
        """Give the node an image that tests.cluster.images built; nothing happens when it has that very one."""

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:
        """Standard output of the real `kubectl ARGS`; with `check`, a failure raises CommandError."""

    def helm(self, *args: str) -> str:
        """Standard output of the real `helm ARGS`. Raises CommandError with its standard error."""


def cluster() -> Cluster:
    """kind where a Docker engine answers, else the bare node."""
    return KindCluster() if docker.answers() else BareCluster(Node())
