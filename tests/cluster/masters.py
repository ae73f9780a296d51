"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler: how each is started and when it is ready."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.binaries import binary
from tests.cluster.pki import Authority, KeyPair, write_kubeconfig
from tests.cluster.processes import Supervisor
from tests.cluster.progress import ClusterError, last_lines, wait_until

READY_SECONDS = 60.0
PORTS = range(15000, 30000)
"""Above the gateway's listeners, below NodePorts and what the kernel gives to clients (ip_local_port_range)."""

AUDIT_POLICY = Path(__file__).parent / "audit-policy.yaml"


@dataclass(frozen=True)
class Masters:
    """The control plane of one cluster: where it keeps its files and which addresses and ports it uses."""

    supervisor: Supervisor
    folder: Path
    address: str
    apiserver_port: int
    etcd_port: int
    etcd_peer_port: int
    controller_manager_port: int = 10257
    scheduler_port: int = 10259
    service_cidr: str = "10.96.0.0/16"
    pod_cidr: str = "10.244.0.0/16"

    @property
    def url(self) -> str:
        """The apiserver's address, as it stands in its certificate."""
        return f"https://{self.address}:{self.apiserver_port}"

    @property
    def authority(self) -> Authority:
        """The cluster's certificate authority."""
        return Authority(self.folder / "pki")

    @property
    def audit_log(self) -> Path:
        """One JSON line per request, Metadata level, appended when the response is complete."""
        return self.folder / "audit.log"

    @property
    def admin(self) -> KeyPair:
        """The client certificate of O=system:masters."""
        return self.authority.issue("admin", "/O=system:masters/CN=admin")

    def kubeconfig(self, name: str, client: KeyPair) -> Path:
        """The kubeconfig `NAME.kubeconfig` for `client`."""
        return write_kubeconfig(self.folder / f"{name}.kubeconfig", self.url, self.authority.ca.cert, client)

    def start_etcd(self) -> None:
        """etcd on loopback without fsync: the data of a test cluster need not survive a power cut."""
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd_port, self.etcd_peer_port))
        args: list[str | Path] = [binary("etcd"), f"--data-dir={self.folder / 'etcd'}", "--unsafe-no-fsync"]
        args += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}"]
        args += [f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}", "--log-level=warn"]
        self.supervisor.start("etcd", args)

    def start_apiserver(self, extra: list[str]) -> None:
        """kube-apiserver with RBAC, Node authorization and the audit log; `extra` are flags of the tier."""
        keys = self.authority.service_account_keys()
        first_service_ip = self.service_cidr.split("/")[0].rsplit(".", 1)[0] + ".1"
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        hosts = [self.address, "127.0.0.1", first_service_ip, "localhost", *names]
        serving = self.authority.issue("apiserver", "/CN=kube-apiserver", hosts)
        args: list[str | Path] = [
            binary("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--bind-address={self.address}",
            f"--secure-port={self.apiserver_port}",
            f"--tls-cert-file={serving.cert}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={self.authority.ca.cert}",
            f"--service-account-key-file={keys.cert}",
            f"--service-account-signing-key-file={keys.key}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-cluster-ip-range={self.service_cidr}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--audit-policy-file={AUDIT_POLICY}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-mode=blocking",
            "--audit-log-maxsize=4096",
            "--shutdown-delay-duration=0s",
            *extra,
        ]
        self.supervisor.start("kube-apiserver", args)

    def wait_for_apiserver(self) -> None:
        """Until /readyz answers 200. Raises ClusterError with the log of whatever died or stays unready."""
        context = ssl.create_default_context(cafile=str(self.authority.ca.cert))
        context.load_cert_chain(self.admin.cert, self.admin.key)

        def check() -> str | None:
            self.supervisor.require("etcd")
            self.supervisor.require("kube-apiserver")
            return _probe(self.address, self.apiserver_port, "/readyz", context)

        log = self.supervisor.log("kube-apiserver")
        wait_until(f"kube-apiserver at {self.url}", check, READY_SECONDS, lambda: last_lines(log))

    def start_controller_manager(self, extra: list[str]) -> None:
        """kube-controller-manager with a service account per controller, as real clusters run it."""
        client = self.authority.issue("controller-manager", "/CN=system:kube-controller-manager")
        config = self.kubeconfig("controller-manager", client)
        ca = self.authority.ca
        args: list[str | Path] = [
            binary("kube-controller-manager"),
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.controller_manager_port}",
            f"--cert-dir={self.folder / 'controller-manager'}",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={self.authority.service_account_keys().key}",
            f"--root-ca-file={ca.cert}",
            f"--cluster-signing-cert-file={ca.cert}",
            f"--cluster-signing-key-file={ca.key}",
            *extra,
        ]
        self.supervisor.start("kube-controller-manager", args)

    def start_scheduler(self) -> None:
        """kube-scheduler with its default profile."""
        config = self.kubeconfig("scheduler", self.authority.issue("scheduler", "/CN=system:kube-scheduler"))
        args: list[str | Path] = [binary("kube-scheduler"), f"--kubeconfig={config}", "--leader-elect=false"]
        args += [f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}"]
        args += ["--bind-address=127.0.0.1", f"--secure-port={self.scheduler_port}"]
        args += [f"--cert-dir={self.folder / 'scheduler'}"]
        self.supervisor.start("kube-scheduler", args)


def _probe(address: str, port: int, path: str, context: ssl.SSLContext) -> str | None:
    connection = http.client.HTTPSConnection(address, port, timeout=2.0, context=context)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(400).decode(errors="replace")
    except (OSError, http.client.HTTPException) as failure:
        return f"{path}: {failure}"
    finally:
        connection.close()
    return None if response.status == 200 else f"{path} answered {response.status}: {body[:300]}"


def free_ports(count: int) -> list[int]:
    """`count` TCP ports of 127.0.0.1 that nobody listens on now. Raises ClusterError when there are none.

    None that the kernel gives to clients: a server that is stopped and started again has to find its port free.
    """
    found: list[int] = []
    with contextlib.ExitStack() as opened:
        for port in random.sample(PORTS, len(PORTS)):
            taken = opened.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                taken.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return found
    raise ClusterError(f"expected {count} free TCP ports on 127.0.0.1 from {PORTS[0]} to {PORTS[-1]}, got {found}")
