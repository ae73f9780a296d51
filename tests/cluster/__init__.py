"""The local cluster of the tests and of the demo: real Kubernetes on a bare machine, or kind where Docker is.

`control_plane()` is the apiserver tier (etcd, kube-apiserver, controller-manager); `cluster()` is the whole node.
"""

from tests.cluster.apiserver_tier import ControlPlane, control_plane
from tests.cluster.audit import Request, mark, writes
from tests.cluster.interface import Cluster, cluster
from tests.cluster.kubectl import Client, CommandError
from tests.cluster.progress import ClusterError

__all__ = [
    "Client",
    "Cluster",
    "ClusterError",
    "CommandError",
    "ControlPlane",
    "Request",
    "cluster",
    "control_plane",
    "mark",
    "writes",
]
