"""Where the cluster keeps things: a cache that outlives it, and one state folder per node."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.progress import say

GO_MODULES = Path(__file__).parent / "go"
REPOSITORY = Path(__file__).resolve().parents[2]


def cache_dir(*parts: str) -> Path:
    """A folder of Fairlead's cache, created; FAIRLEAD_CACHE moves the whole cache."""
    root = os.environ.get("FAIRLEAD_CACHE")
    if not root:
        root = os.path.join(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "fairlead")
    folder = Path(root).joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock `name` against other processes; says so when it has to wait."""
    with (cache_dir("locks") / name).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that holds {handle.name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
