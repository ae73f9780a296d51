"""kind, where a Docker engine runs: the same interface, with kind doing the work."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import versions
from tests.cluster.kubectl import Client
from tests.cluster.paths import REPOSITORY, cache_dir
from tests.cluster.progress import ClusterError, run, step, wait_until

NAME = "fairlead"
APISERVER_SECONDS = 60.0
_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_ASIDE = "/etc/kubernetes/kube-apiserver.yaml"


@dataclass(frozen=True)
class KindCluster:
    """A kind cluster named `fairlead`; see tests.cluster.interface.Cluster. Needs Docker and kind 0.33 or later."""

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig that kind wrote, apart from the user's own."""
        return cache_dir("kind") / "kubeconfig"

    @property
    def address(self) -> str:
        """The node container's address; reachable from the machine that runs Docker on Linux."""
        networks = json.loads(run(["docker", "inspect", self.node_name], what="kind node"))[0]["NetworkSettings"]
        return str(networks["Networks"]["kind"]["IPAddress"])

    @property
    def node_name(self) -> str:
        """The name kind gives its single node."""
        return f"{NAME}-control-plane"

    @property
    def audit_log(self) -> Path:
        """The audit log, through the folder that kind-config.yaml mounts into the node."""
        return REPOSITORY / "build" / "kind" / "audit" / "audit.log"

    def running(self) -> bool:
        """Whether kind lists the cluster."""
        return NAME in run([_kind(), "get", "clusters"], what="kind get clusters").split()

    def up(self) -> None:
        """Create the cluster unless kind lists it already."""
        if self.running():
            return
        config = REPOSITORY / "kind-config.yaml"
        self.audit_log.parent.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [_kind(), "create", "cluster", "--name", NAME, "--config", config]
        with step("kind cluster up"):
            command += ["--kubeconfig", self.kubeconfig, "--wait", "180s"]
            run(command, what="kind create cluster", cwd=REPOSITORY)

    def down(self) -> None:
        """Delete the cluster; nothing happens when there is none."""
        with step("kind cluster down"):
            run([_kind(), "delete", "cluster", "--name", NAME], what="kind delete cluster")

    def stop_apiserver(self) -> None:
        """Take the static pod's manifest away; returns when nothing answers any more."""
        self._in_node("mv", _MANIFEST, _ASIDE)

        def gone() -> str | None:
            return "it still answers" if self.kubectl("get", "--raw", "/readyz", check=False) else None

        wait_until("apiserver gone", gone, APISERVER_SECONDS, str)

    def start_apiserver(self) -> None:
        """Put the manifest back; returns when the apiserver is ready."""
        self._in_node("mv", _ASIDE, _MANIFEST)

        def ready() -> str | None:
            return None if self.kubectl("get", "--raw", "/readyz", check=False) == "ok" else "it does not answer"

        wait_until("apiserver back", ready, APISERVER_SECONDS, str)

    def _in_node(self, *command: str) -> None:
        run(["docker", "exec", self.node_name, *command], what=f"kind node: {command[0]}")

    def load(self, ref: str) -> None:
        """`kind load docker-image`, which skips an image that the node has."""
        with step(f"load image {ref}"):
            run([_kind(), "load", "docker-image", "--name", NAME, ref], what=f"kind load {ref}")

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:
        """Standard output of the real `kubectl ARGS`; with `check`, a failure raises CommandError."""
        return Client(self.kubeconfig).kubectl(*args, input=input, check=check)

    def helm(self, *args: str) -> str:
        """Standard output of the real `helm ARGS`. Raises CommandError with its standard error."""
        return Client(self.kubeconfig).helm(*args)


def _kind() -> str:
    found = shutil.which("kind")
    if found is None:
        raise ClusterError(
            "a Docker engine answers but kind is not on PATH: "
            f"install it with `go install sigs.k8s.io/kind@{versions.KIND}`"
        )
    return found
