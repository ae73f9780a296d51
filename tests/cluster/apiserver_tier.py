"""A control plane without a node: real etcd and kube-apiserver (and controller-manager) on free loopback ports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import debs, versions
from tests.cluster.binaries import ensure
from tests.cluster.kubectl import Client
from tests.cluster.masters import Masters, free_ports
from tests.cluster.processes import Supervisor
from tests.cluster.progress import step


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane. `controllers` says whether kube-controller-manager runs beside it."""

    masters: Masters
    kubeconfig: Path
    controllers: bool

    @property
    def url(self) -> str:
        """https://127.0.0.1:PORT of the apiserver."""
        return self.masters.url

    @property
    def ca(self) -> Path:
        """The PEM certificate that signs the apiserver's."""
        return self.masters.authority.ca.cert

    @property
    def admin_cert(self) -> Path:
        """The PEM client certificate of O=system:masters."""
        return self.masters.admin.cert

    @property
    def admin_key(self) -> Path:
        """The PEM key that belongs to `admin_cert`."""
        return self.masters.admin.key

    @property
    def audit_log(self) -> Path:
        """The audit log, to be read with tests.cluster.audit."""
        return self.masters.audit_log

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:
        """Standard output of the real `kubectl ARGS`; with `check`, a failure raises CommandError."""
        return Client(self.kubeconfig).kubectl(*args, input=input, check=check)

    def start_apiserver(self) -> None:
        """Start the apiserver unless it runs, and wait until it is ready; the same port and data as before."""
        # A loopback address cannot be an endpoint of the `kubernetes` Service, so nobody keeps that one up to date.
        extra = ["--endpoint-reconciler-type=none", f"--advertise-address={self.masters.address}"]
        if not self.controllers:
            # No controller makes the `default` service account, and without one no pod could be created.
            extra.append("--disable-admission-plugins=ServiceAccount")
        self.masters.start_apiserver(extra)
        self.masters.wait_for_apiserver()

    def stop_apiserver(self) -> None:
        """Take the apiserver away, as an outage does: connections break and new ones are refused. etcd stays."""
        self.masters.supervisor.stop("kube-apiserver", patience_seconds=0)


@contextlib.contextmanager
def control_plane(workdir: Path, controllers: bool = False) -> Iterator[ControlPlane]:
    """A fresh control plane in `workdir` (about 5 s); everything is stopped on leaving, the logs stay in `workdir`.

    Without `controllers` no child objects come alive: no pods of a Deployment, no garbage collection, no `default`
    service account (pods may be created all the same). Needs no root and changes nothing of the host's network.
    """
    debs.ensure(debs.APISERVER_PACKAGES)
    ensure(versions.APISERVER_BINARIES if controllers else versions.APISERVER_BINARIES[:3])
    etcd, peer, apiserver, manager = free_ports(4)
    supervisor = Supervisor(workdir / "processes")
    masters = Masters(supervisor, workdir, "127.0.0.1", apiserver, etcd, peer, controller_manager_port=manager)
    workdir.mkdir(parents=True, exist_ok=True)
    try:
        with step("control plane ready"):
            plane = ControlPlane(masters, masters.kubeconfig("admin", masters.admin), controllers)
            masters.start_etcd()
            plane.start_apiserver()
            if controllers:
                masters.start_controller_manager([])
        yield plane
    finally:
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            supervisor.stop(name, patience_seconds=0)
