"""What a bare node needs on top of its components: cluster DNS and volumes for claims without a class."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.cluster import versions
from tests.cluster.kubectl import Client
from tests.cluster.node import Node

VOLUMES = 6
VOLUME_SIZE = "2Gi"

# No `forward`: names outside the cluster are refused at once instead of timing out, and the tests need none.
COREFILE = """\
.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 5
    }
    cache 5
    reload
}
"""


def apply(node: Node, client: Client) -> None:
    """Create or update all of it with one `kubectl apply`; volumes whose claim is gone are emptied and free again."""
    _forget_released_volumes(client)
    items = [*_dns_access(), *_dns_server(node), *_volumes(node)]
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    client.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=cluster", "-f", "-", input=document)


def _dns_access() -> list[dict[str, Any]]:
    rbac = "rbac.authorization.k8s.io"
    resources = ["endpoints", "services", "pods", "namespaces"]
    verbs = ["list", "watch"]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _in_system("coredns")},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "system:coredns"},
            "rules": [
                {"apiGroups": [""], "resources": resources, "verbs": verbs},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": verbs},
            ],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:coredns"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "system:coredns"},
            "subjects": [{"kind": "ServiceAccount", **_in_system("coredns")}],
        },
    ]


def _dns_server(node: Node) -> list[dict[str, Any]]:
    labels = {"k8s-app": "kube-dns"}
    ports = [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP")]
    container = {
        "name": "coredns",
        "image": versions.COREDNS_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
        "ports": [{"name": name, "containerPort": port, "protocol": protocol} for name, port, protocol in ports],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsUser": 0,
        },
    }
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    service = {
        "selector": labels,
        "clusterIP": node.dns_ip,
        "ports": [{"name": name, "port": port, "protocol": protocol} for name, port, protocol in ports],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _in_system("coredns"), "data": {"Corefile": COREFILE}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _in_system("coredns"), "spec": deployment},
        {"apiVersion": "v1", "kind": "Service", "metadata": _in_system("kube-dns"), "spec": service},
    ]


def _volumes(node: Node) -> list[dict[str, Any]]:
    """Volumes of no class: the node has no default StorageClass, so a claim without a class binds to one of these."""
    return [_volume(node.state / "volumes" / str(index), f"local-{index}") for index in range(VOLUMES)]


def _forget_released_volumes(client: Client) -> None:
    volumes = json.loads(client.kubectl("get", "persistentvolumes", "-o", "json"))["items"]
    for volume in volumes:
        if volume["status"].get("phase") == "Released":
            client.kubectl("delete", "persistentvolume", volume["metadata"]["name"])
            shutil.rmtree(volume["spec"]["hostPath"]["path"], ignore_errors=True)


def _volume(folder: Path, name: str) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)  # whichever user a pod runs as
    spec = {
        "capacity": {"storage": VOLUME_SIZE},
        "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "hostPath": {"path": str(folder), "type": "Directory"},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def _in_system(name: str) -> dict[str, str]:
    return {"name": name, "namespace": "kube-system"}
