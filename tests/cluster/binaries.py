"""The cluster's binaries: from FAIRLEAD_BIN_DIR, else from the cache, else built from Go modules into the cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from tests.cluster import versions
from tests.cluster.golang import go_command, go_environment
from tests.cluster.paths import GO_MODULES, cache_dir, locked
from tests.cluster.progress import ClusterError, run, step
from tests.cluster.versions import Binary


def binary(name: str) -> Path:
    """The path of one binary by name, built if need be. Raises ClusterError when it is unknown or does not build."""
    for candidate in versions.ALL_BINARIES:
        if candidate.name == name:
            return ensure([candidate])[name]
    raise ClusterError(f"no binary named {name}: expected one of {', '.join(b.name for b in versions.ALL_BINARIES)}")


def ensure(wanted: Iterable[Binary]) -> dict[str, Path]:
    """Name -> path for each wanted binary, in the order given; only missing ones are compiled, one after the other."""
    return {item.name: _provided(item) or _cached(item) or _build(item) for item in wanted}


def content_key(item: Binary) -> str:
    """What decides whether a cached binary still fits: its module's files, the package, linker flags and build tags."""
    tags = f"{item.tags}\n" if item.tags else ""
    digest = hashlib.sha256(f"{item.package}\n{item.ldflags}\n{tags}".encode())
    folder = GO_MODULES / item.module
    sources = [folder / "go.mod", folder / "go.sum"]
    if item.package.startswith("./"):
        sources += sorted((folder / item.package).glob("*.go"))
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def build_times() -> dict[str, float]:
    """Seconds each cached binary took to compile when it was built."""
    return {
        path.stem: float(json.loads(path.read_text())["seconds"]) for path in sorted(cache_dir("bin").glob("*/*.json"))
    }


def _provided(item: Binary) -> Path | None:
    folder = os.environ.get("FAIRLEAD_BIN_DIR")
    path = Path(folder, item.name) if folder else None
    return path if path and path.is_file() else None


def _cached(item: Binary) -> Path | None:
    path = cache_dir("bin", content_key(item)) / item.name
    return path if path.is_file() else None


def _build(item: Binary) -> Path:
    folder = cache_dir("bin", content_key(item))
    with locked(f"build-{item.module}"):
        ready = _cached(item)  # another process may have built it while this one waited
        if ready:
            return ready
        go = go_command()
        env = go_environment(go)
        source = _writable_copy(item.module)
        partial = folder / f".{item.name}.partial"
        command: list[str | Path] = [go, "build", "-trimpath", "-ldflags", item.ldflags, "-tags", item.tags]
        command += ["-o", partial, item.package]
        if nice := shutil.which("nice"):
            command = [nice, "-n", "5", *command]
        log = cache_dir("logs") / f"build-{item.name}.log"
        started = time.monotonic()
        with step(f"compile {item.name}"):
            run(command, what=f"compiling {item.name}", env=env, cwd=source, log=log)
        record = {"seconds": round(time.monotonic() - started, 1), "package": item.package}
        (folder / f"{item.name}.json").write_text(json.dumps(record))
        partial.rename(folder / item.name)
    return folder / item.name


def _writable_copy(module: str) -> Path:
    # Go may touch go.mod and go.sum while it builds; the checkout stays as it is.
    target = cache_dir("go-modules") / module
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(GO_MODULES / module, target)
    return target
