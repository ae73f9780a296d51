"""containerd, kubelet and kube-proxy of the bare node, and the files that configure them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

from tests.cluster import versions
from tests.cluster.binaries import binary
from tests.cluster.node import Node
from tests.cluster.progress import last_lines, wait_until

READY_SECONDS = 60.0


def start_containerd(node: Node) -> None:
    """containerd with its own root, state, socket and shims; waits until it answers."""
    folder = node.state / "containerd"
    _write_cni(node, folder / "cni")
    config = folder / "config.toml"
    config.write_text(_containerd_config(node, folder))
    node.containerd_socket.parent.mkdir(parents=True, exist_ok=True)
    # There is no registry to pull from. A proxy that refuses makes a pull fail at once; without it the pull would wait
    # some ten seconds for a name server that the namespace cannot reach.
    nowhere = {"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": ""}
    node.supervisor.start("containerd", ["containerd", "--config", config], env=nowhere)

    def check() -> str | None:
        node.supervisor.require("containerd")
        done = subprocess.run(
            ["ctr", "--address", node.containerd_socket, "--connect-timeout", "1s", "version"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stderr.strip() if done.returncode else None

    wait_until("containerd", check, READY_SECONDS, lambda: last_lines(node.supervisor.log("containerd")))


def _containerd_config(node: Node, folder: Path) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{folder}/root"
state = "{node.state}/run/containerd"
[grpc]
  address = "{node.containerd_socket}"
[ttrpc]
  address = "{node.containerd_socket}.ttrpc"
[{cri}]
  sandbox_image = "{versions.PAUSE_IMAGE}"
  # The machine may lack CAP_SYS_RESOURCE, and lowering an OOM score without it fails.
  restrict_oom_score_adj = true
  # Namespaces under the state folder are this node's for sure, so that `down` can unmount them.
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
[{cri}.containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[{cri}.cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{folder}/cni"
"""


def _write_cni(node: Node, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    bridge = {
        "type": "bridge",
        "bridge": node.bridge,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(node.state / "cni"),
            "ranges": [[{"subnet": node.pod_cidr.replace(".0.0/16", ".0.0/24")}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    conflist = {"cniVersion": "0.4.0", "name": node.name, "plugins": plugins}
    (folder / "10-fairlead.conflist").write_text(json.dumps(conflist, indent=1))


def start_kubelet(node: Node) -> None:
    """The kubelet, registered under the node's name and address."""
    masters = node.masters
    client = masters.authority.issue("kubelet", f"/O=system:nodes/CN=system:node:{node.name}")
    serving = masters.authority.issue("kubelet-serving", f"/CN={node.name}", [node.name, node.node_ip])
    folder = node.state / "kubelet"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resolv.conf").write_text("# pods ask the cluster's own DNS and no other\nnameserver 127.0.0.1\n")
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(masters.authority.ca.cert)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.cert),
        "tlsPrivateKeyFile": str(serving.key),
        "containerRuntimeEndpoint": f"unix://{node.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDomain": "cluster.local",
        "clusterDNS": [node.dns_ip],
        "resolvConf": str(folder / "resolv.conf"),
        "podLogsDir": str(node.state / "pod-logs"),
        "volumePluginDir": str(folder / "volume-plugins"),
        # Images come from the test run and from nowhere else, so none may be collected.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "30s",
        "serializeImagePulls": False,
        "shutdownGracePeriod": "0s",
        "maxPods": 110,
    }
    path = folder / "config.yaml"
    _write(path, yaml.safe_dump(config, sort_keys=False))
    args: list[str | Path] = [binary("kubelet"), f"--config={path}", f"--root-dir={folder / 'root'}"]
    args += [f"--kubeconfig={masters.kubeconfig('kubelet', client)}", f"--hostname-override={node.name}"]
    args += [f"--node-ip={node.node_ip}"]
    node.supervisor.start("kubelet", args)


def start_proxy(node: Node) -> None:
    """kube-proxy in iptables mode, inside the namespace; sysctls that are read-only here are left alone."""
    client = node.masters.authority.issue("proxy", "/CN=system:kube-proxy")
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": node.pod_cidr,
        "hostnameOverride": node.name,
        "clientConnection": {"kubeconfig": str(node.masters.kubeconfig("proxy", client))},
        "conntrack": {
            "maxPerCore": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
            "udpTimeout": "0s",
            "udpStreamTimeout": "0s",
        },
        # A Service switches to another revision's pods as soon as its endpoints do.
        "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
    }
    path = node.state / "kube-proxy.yaml"
    _write(path, yaml.safe_dump(config, sort_keys=False))
    node.supervisor.start("kube-proxy", [binary("kube-proxy"), f"--config={path}"])


def _write(path: Path, text: str) -> None:
    # kube-proxy exits when its file is written, even with the same content.
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
