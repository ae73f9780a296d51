"""Debian packages of the harness: installs those that are missing, and only those."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.cluster.paths import locked
from tests.cluster.progress import ClusterError, run, step

APISERVER_PACKAGES = ("openssl", "ca-certificates")
IMAGE_PACKAGES = ("buildah", "mmdebstrap", "ca-certificates")
# Debian asks this file whether a package may start its service; 101 means no.
POLICY = Path("/usr/sbin/policy-rc.d")
NODE_PACKAGES = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "conntrack",
    "ipset",
    "socat",
    "iproute2",
    "util-linux",
    *APISERVER_PACKAGES,
)


def missing(packages: Iterable[str]) -> list[str]:
    """Those of `packages` that dpkg does not report as installed, in the order given."""
    wanted = list(packages)
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *wanted]
    listed = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
    return [package for package in wanted if package not in installed]


def ensure(packages: Iterable[str]) -> None:
    """Install what is missing with apt-get. Raises ClusterError without root or without apt-get."""
    wanted = missing(packages)
    if not wanted:
        return
    if os.geteuid() != 0:
        raise ClusterError(f"Debian packages are missing and only root can install them: {' '.join(wanted)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with locked("apt"), _no_services(), step(f"install Debian packages: {' '.join(wanted)}"):
        run(["apt-get", "update", "-qq"], what="apt-get update", env=env)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted]
        run(install, what="apt-get install", env=env)


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """The machine's own containerd need not run: the node starts one of its own."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
