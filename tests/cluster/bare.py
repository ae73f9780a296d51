"""The bare single node: every component a process of this machine, in a network namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import addons, cgroups, consent, debs, images, netns, teardown, versions, worker
from tests.cluster.binaries import ensure
from tests.cluster.kubectl import Client
from tests.cluster.node import Node
from tests.cluster.paths import locked
from tests.cluster.progress import ClusterError, last_lines, step, wait_until

READY_SECONDS = 90.0
COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
)


@dataclass(frozen=True)
class BareCluster:
    """A cluster of one bare node; see tests.cluster.interface.Cluster."""

    node: Node

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, in the node's state folder."""
        return self.node.state / "admin.kubeconfig"

    @property
    def address(self) -> str:
        """The node's address: NodePorts answer here, Services and pods at their own."""
        return self.node.node_ip

    @property
    def node_name(self) -> str:
        """The node's name in Kubernetes."""
        return self.node.name

    @property
    def audit_log(self) -> Path:
        """The apiserver's audit log."""
        return self.node.masters.audit_log

    def running(self) -> bool:
        """Whether every component's process lives."""
        return all(self.node.supervisor.running(name) for name in COMPONENTS)

    def up(self) -> None:
        """Bring up whatever is not up; a second call changes nothing. Raises ClusterError naming what failed."""
        if os.geteuid() != 0:
            raise ClusterError("the bare node needs root (namespaces, mounts, cgroups): run as root, or start Docker")
        if not self.running():
            consent.ask(self.node)
        debs.ensure([*debs.NODE_PACKAGES, *debs.IMAGE_PACKAGES])
        ensure(versions.NODE_BINARIES)
        with locked(f"node-{self.node.name}"):
            system_images = images.build_system_images()
            with step(f"node {self.node.name} up"):
                self._start(system_images)

    def _start(self, system_images: list[str]) -> None:
        node, masters = self.node, self.node.masters
        node.state.mkdir(parents=True, exist_ok=True)
        netns.create(node)
        cgroups.create(node)
        masters.start_etcd()
        self._start_apiserver()
        masters.kubeconfig("admin", masters.admin)
        worker.start_containerd(node)
        for ref in system_images:
            self.load(ref)
        with step("apiserver ready"):
            masters.wait_for_apiserver()
        masters.start_controller_manager(
            ["--allocate-node-cidrs=true", f"--cluster-cidr={node.pod_cidr}",
             f"--service-cluster-ip-range={node.service_cidr}"]
        )  # fmt: skip
        masters.start_scheduler()
        worker.start_kubelet(node)
        worker.start_proxy(node)
        addons.apply(node, self._client)
        self._wait_ready()

    def _start_apiserver(self) -> None:
        masters = self.node.masters
        masters.start_apiserver(
            [
                f"--advertise-address={self.node.node_ip}",
                f"--kubelet-certificate-authority={masters.authority.ca.cert}",
                f"--kubelet-client-certificate={masters.admin.cert}",
                f"--kubelet-client-key={masters.admin.key}",
                "--kubelet-preferred-address-types=InternalIP",
            ]
        )

    def stop_apiserver(self) -> None:
        """Take the apiserver away, as an outage does; etcd and everything on the node go on."""
        self.node.supervisor.stop("kube-apiserver", patience_seconds=0)

    def start_apiserver(self) -> None:
        """Bring it back on the same address and data; returns when it is ready."""
        self._start_apiserver()
        with step("apiserver back"):
            self.node.masters.wait_for_apiserver()

    def _wait_ready(self) -> None:
        def node_ready() -> str | None:
            for name in COMPONENTS:
                self.node.supervisor.require(name)
            text = self.kubectl("get", "node", self.node.name, "-o", "json", check=False)
            if not text:
                return f"no Node object named {self.node.name}"
            found = {each["type"]: each for each in json.loads(text)["status"].get("conditions", [])}
            ready = found.get("Ready", {"status": "absent", "message": ""})
            return None if ready["status"] == "True" else f"condition Ready is {ready['status']}: {ready['message']}"

        def dns_ready() -> str | None:
            path = ["get", "deployment", "coredns", "-n", "kube-system", "-o", "jsonpath={.status.readyReplicas}"]
            return None if self.kubectl(*path, check=False) == "1" else "deployment coredns has no ready replica"

        log = self.node.supervisor.log("kubelet")
        for what, check in (("node Ready", node_ready), ("cluster DNS ready", dns_ready)):
            with step(what):
                wait_until(what, check, READY_SECONDS, lambda: last_lines(log))

    def down(self) -> None:
        """Stop and remove everything of this node; works on a half-started or crashed one too."""
        with locked(f"node-{self.node.name}"), step(f"node {self.node.name} down"):
            teardown.remove(self.node)

    def load(self, ref: str) -> None:
        """Give the node the image `ref` that tests.cluster.images built, unless it has that very one."""
        record = self.node.state / "loaded.json"
        with locked(f"load-{self.node.name}"):
            loaded: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
            built = images.image_id(ref)
            if built is not None and loaded.get(ref) == built:
                return
            images.into_containerd(ref, self.node.containerd_socket, self.node.supervisor.log("image-load"))
            record.write_text(json.dumps({**loaded, ref: str(built)}, indent=1))

    @property
    def _client(self) -> Client:
        return Client(self.kubeconfig)

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:
        """Standard output of the real `kubectl ARGS`; with `check`, a failure raises CommandError."""
        return self._client.kubectl(*args, input=input, check=check)

    def helm(self, *args: str) -> str:
        """Standard output of the real `helm ARGS`. Raises CommandError with its standard error."""
        return self._client.helm(*args)

    def ctr(self, *args: str) -> str:
        """Standard output of `ctr ARGS` against the node's own containerd, in Kubernetes' namespace."""
        command = [str(shutil.which("ctr")), "--address", str(self.node.containerd_socket), "--namespace", "k8s.io"]
        return subprocess.run([*command, *args], capture_output=True, text=True, check=True).stdout
