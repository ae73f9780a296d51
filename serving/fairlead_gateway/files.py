"""Files that another process reads at any moment: whole or not at all."""

import os
from pathlib import Path


class SharedFolder:
    """The directory that Envoy and this process share. Every call raises OSError."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> str | None:
        """A file's text; None when there is none."""
        return read_file(self.root / path)

    def write(self, path: str, text: str) -> None:
        """Replace a file in one step."""
        write_file(self.root / path, text)

    def remove(self, path: str) -> None:
        """Remove a file."""
        (self.root / path).unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """The paths of the files in a folder, which need not be there; those that are being written are left out."""
        found = sorted((self.root / folder).glob("[!.]*"))
        return [path.relative_to(self.root).as_posix() for path in found]


def write_file(path: Path, text: str) -> None:
    """Replace the file in one step: written beside it, then renamed over it. Raises OSError.

    Envoy re-reads a file when a file is moved into its folder; it never sees a half-written one. Nothing is synced to
    disk: the folder is memory.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    os.rename(partial, path)


def read_file(path: Path) -> str | None:
    """The file's text; None when there is no such file. Raises OSError for anything else."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
