"""The real kubectl and helm, pointed at one kubeconfig."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.binaries import binary
from tests.cluster.paths import cache_dir


class CommandError(RuntimeError):
    """kubectl or helm failed; the message holds the command, its exit code and what it printed to standard error."""

    def __init__(self, command: str, returncode: int, stderr: str) -> None:
        super().__init__(f"{command}\nexit code {returncode}: {stderr.strip()}")
        self.returncode = returncode
        self.stderr = stderr


@dataclass(frozen=True)
class Client:
    """Runs kubectl and helm with `kubeconfig` and nothing of the user's own configuration."""

    kubeconfig: Path

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:
        """Standard output of `kubectl ARGS`; with `check`, a failure raises CommandError with its standard error."""
        return self._run("kubectl", args, input, check)

    def helm(self, *args: str) -> str:
        """Standard output of `helm ARGS`. Raises CommandError with its standard error."""
        return self._run("helm", args, None, True)

    def environment(self) -> Mapping[str, str]:
        """The environment both are run with."""
        home = cache_dir("home")
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(home / "kube-cache"),
            "HELM_CACHE_HOME": str(home / "helm-cache"),
            "HELM_CONFIG_HOME": str(home / "helm-config"),
            "HELM_DATA_HOME": str(home / "helm-data"),
        }

    def _run(self, tool: str, args: tuple[str, ...], stdin: str | None, check: bool) -> str:
        done = subprocess.run(
            [binary(tool), *args], env=self.environment(), input=stdin, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise CommandError(" ".join([tool, *args]), done.returncode, done.stderr)
        return done.stdout
