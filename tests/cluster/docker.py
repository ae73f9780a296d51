"""The Docker engine, where there is one."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.progress import run, step


@functools.cache
def answers() -> bool:
    """Whether a Docker engine answers within a few seconds; asked once per process."""
    if shutil.which("docker") is None:
        return False
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


def build(ref: str, dockerfile: Path, context: Path, build_args: Mapping[str, str]) -> None:
    """`docker build`, whose own layer cache decides what is built again. Raises ClusterError with its last lines."""
    command: list[str | Path] = ["docker", "build", "--tag", ref, "--file", dockerfile]
    for name, value in sorted(build_args.items()):
        command += ["--build-arg", f"{name}={value}"]
    with step(f"build image {ref}"):
        run([*command, context], what=f"image {ref}")
