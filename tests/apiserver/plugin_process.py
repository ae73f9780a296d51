"""`kubectl fairlead` as users run it: the real kubectl, and a script on PATH that is the plugin."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.apiserver.objects import Objects, eventually
from tests.cluster.binaries import binary

REPOSITORY = Path(__file__).parents[2]
SECONDS = 60.0


@dataclass(frozen=True)
class Plugin:
    """Runs the plugin as somebody, in one namespace."""

    folder: Path
    kubeconfig: Path
    namespace: str

    @classmethod
    def install(cls, folder: Path, kubeconfig: Path, namespace: str) -> "Plugin":
        """The script that the wheel would install, in `folder`."""
        script = folder / "kubectl-fairlead"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fairlead.cli.plugin "$@"\n')
        script.chmod(0o755)
        return cls(folder, kubeconfig, namespace)

    def environment(self) -> dict[str, str]:
        """Of kubectl, and so of the plugin."""
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY / "operator"),
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """`kubectl fairlead ARGUMENTS -n NAMESPACE`, while the test goes on."""
        command = [str(binary("kubectl")), "fairlead", *arguments, "-n", self.namespace]
        return subprocess.Popen(
            command,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """The same, waited for: exit code, standard output and standard error."""
        return ended(self.start(*arguments))


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a process that ends by itself."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"{process.args} outlives {SECONDS} s; it said {out!r} and {err!r}") from None
    return process.returncode, out, err


def asked(objects: Objects, name: str) -> str:
    """The request that the plugin has written, as soon as it is there."""

    def look() -> str:
        annotations = objects.get("ModelDeployment", name)["metadata"].get("annotations") or {}
        return str(annotations.get("fairlead.dev/request", ""))

    return eventually("a request is written", look, seconds=SECONDS)
