"""Kills the operator as a crash does: SIGKILL, with no time to hand anything back."""

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import platform
from tests.cluster.binaries import binary
from tests.cluster.interface import Cluster
from tests.e2e.world import World

SELECTOR = "app.kubernetes.io/component=operator"


class Killer:
    """Knows the operator's pods beforehand, so that a kill comes within milliseconds of being asked for."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._pods: dict[str, str] = {}
        self._killed: set[str] = set()
        self.kills = 0
        self.look()

    def look(self) -> None:
        """Learn which pods there are: UID -> name."""
        text = self._cluster.kubectl("-n", platform.NAMESPACE, "get", "pods", "-l", SELECTOR, "-o", "json")
        self._pods = {item["metadata"]["uid"]: item["metadata"]["name"] for item in json.loads(text)["items"]}

    def kill(self) -> bool:
        """SIGKILL to the operator's process; False when none was running.

        The kubelet starts a container that died for the first time at once, and lets one that dies again wait: that pod
        is deleted, and its successor waits for the Lease instead, as after the loss of a node.
        """
        hit = [(uid, pid) for uid in self._pods for pid in processes(uid)]
        for _, pid in hit:
            os.kill(pid, signal.SIGKILL)
        for uid in {uid for uid, _ in hit}:
            if uid in self._killed:
                self._cluster.kubectl(
                    *("-n", platform.NAMESPACE, "delete", "pod", self._pods[uid], "--force", "--grace-period=0"),
                    *("--wait=false", "--ignore-not-found"),
                )
            self._killed.add(uid)
        self.kills += bool(hit)
        return bool(hit)


def processes(pod_uid: str, named: bytes = b"fairlead") -> list[int]:
    """The processes in a pod that have this in their command line, as this machine numbers them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inside = pod_uid in (folder / "cgroup").read_text().replace("_", "-")
            if inside and named in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    return found


@contextmanager
def operators(cluster: Cluster, count: int) -> Iterator[None]:
    """So many of them while the block runs: one leads, the others stand by."""
    there = ("-n", platform.NAMESPACE)
    before = cluster.kubectl(*there, "get", "deploy", "fairlead", "-o", "jsonpath={.spec.replicas}")
    try:
        cluster.kubectl(*there, "scale", "deploy/fairlead", f"--replicas={count}")
        cluster.kubectl(*there, "rollout", "status", "deploy/fairlead", "--timeout=120s")
        yield
    finally:
        cluster.kubectl(*there, "scale", "deploy/fairlead", f"--replicas={before}")


def leading(cluster: Cluster) -> tuple[str, int]:
    """The pod that holds the Lease, and its process."""
    there = ("-n", platform.NAMESPACE, "get")
    holder = cluster.kubectl(*there, "lease", "fairlead", "-o", "jsonpath={.spec.holderIdentity}")
    pods = json.loads(cluster.kubectl(*there, "pods", "-l", SELECTOR, "-o", "json"))["items"]
    name, uid = next(
        (pod["metadata"]["name"], pod["metadata"]["uid"]) for pod in pods if pod["metadata"]["name"] in holder
    )
    return name, processes(uid)[0]


@contextmanager
def phases(world: World, kind: str) -> Iterator[queue.Queue[str]]:
    """Every phase that any object of a kind takes, the moment the API server tells it."""
    told: queue.Queue[str] = queue.Queue()
    command = [str(binary("kubectl")), "-n", world.namespace, "get", kind, "--watch"]
    command += ["-o", 'jsonpath={.status.phase}{"\\n"}']
    environment = {**os.environ, "KUBECONFIG": str(world.cluster.kubeconfig)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        output = process.stdout

        def read() -> None:
            last = ""
            for line in output:
                if line.strip() and line.strip() != last:
                    last = line.strip()
                    told.put(last)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            yield told
        finally:
            process.terminate()
            thread.join(timeout=10)
