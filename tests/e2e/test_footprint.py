"""A node comes and goes without a trace: what it could leave behind is compared before and after its whole life.

The node is a second one beside the cluster of the other tests, which goes on undisturbed. What belongs to that one, or
to a control plane of another test run, is left out of the comparison, because it comes and goes meanwhile.
"""

import json
from collections.abc import Iterator

import pytest
from tests.cluster import versions
from tests.cluster.bare import BareCluster
from tests.cluster.footprint import difference, take
from tests.cluster.node import Node
from tests.cluster.progress import wait_until

MAIN = Node(0)
MARKS_OF_MAIN = (f"{MAIN.state}/", f"/{MAIN.name}/kubepods")


@pytest.fixture
def second_node() -> Iterator[BareCluster]:
    """A node of its own, not up yet; gone afterwards even when the test fails."""
    cluster = BareCluster(Node(1))
    yield cluster
    cluster.down()


def footprint() -> dict[str, list[str]]:
    return {kind: [each for each in found if not of_others(kind, each)] for kind, found in take().items()}


def of_others(kind: str, entry: str) -> bool:
    if any(mark in entry for mark in MARKS_OF_MAIN):
        return True
    # A node's components name its state folder; those of a control plane without a node name a test's own folder.
    component = any(f"/{name} --" in entry for name in ("etcd", "kube-apiserver", "kube-controller-manager"))
    return kind == "processes" and component and f"{MAIN.state.parent}/" not in entry


def test_a_node_that_ran_pods_leaves_nothing_behind(second_node: BareCluster) -> None:
    # `down` also clears away what is nobody's any more: the store that a build left mounted, the folders of a node that
    # died with the machine. So that is gone beforehand, or it would count as a difference.
    second_node.down()
    before = footprint()
    second_node.up()
    run_a_pod_behind_a_node_port(second_node)
    during = difference(before, footprint())
    second_node.down()
    assert difference(before, footprint()) == {}
    # The comparison sees what a node does to the machine, or it would prove nothing.
    seen = ("processes", "mounts", "interfaces", "routes", "network_namespaces", "cgroups", "folders")
    assert [kind for kind in seen if not during[kind]["new"]] == []
    assert "iptables" not in during, "the host's own rules were touched while the node ran"


def run_a_pod_behind_a_node_port(cluster: BareCluster) -> None:
    metadata = {"name": "idle", "labels": {"app": "idle"}}
    volumes = [{"name": "scratch", "emptyDir": {"medium": "Memory"}}]
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    container = {"name": "idle", "image": versions.PAUSE_IMAGE, "volumeMounts": mounts}
    pod = {"containers": [container], "volumes": volumes}
    service = {"type": "NodePort", "selector": {"app": "idle"}, "ports": [{"port": 80}]}
    items = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
    ]
    cluster.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def missing() -> str | None:
        phase = cluster.kubectl("get", "pod", "idle", "-o", "jsonpath={.status.phase}")
        return None if phase == "Running" else f"its phase is {phase}"

    wait_until("pod idle", missing, 60.0, lambda: cluster.kubectl("describe", "pod", "idle"))
