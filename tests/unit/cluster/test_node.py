"""Two nodes of one machine never meet."""

import ipaddress
from itertools import combinations

from tests.cluster.node import Node

NODES = [Node(number) for number in range(10)]


def test_no_two_nodes_share_a_name_a_folder_or_an_interface() -> None:
    for attribute in ("name", "state", "host_link", "containerd_socket"):
        assert len({getattr(node, attribute) for node in NODES}) == len(NODES)


def test_no_two_networks_overlap() -> None:
    networks = [
        ipaddress.ip_network(text)
        for node in NODES
        for text in (f"{node.host_ip}/30", node.pod_cidr, node.service_cidr)
        for text in [str(ipaddress.ip_interface(text).network)]
    ]
    assert [(one, other) for one, other in combinations(networks, 2) if one.overlaps(other)] == []


def test_interface_names_fit_the_kernels_limit() -> None:
    assert max(len(node.host_link) for node in NODES) <= 15


def test_a_sockets_path_fits_the_kernels_limit() -> None:
    assert max(len(f"{node.containerd_socket}.ttrpc") for node in NODES) < 108
