"""The manifest of a model: every file with its size and sha256, and one digest of them all."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from fairlead_serving.errors import DigestMismatch

SCHEMA = 1
MANIFEST_NAME = "manifest.json"
_CHUNK_BYTES = 2**20


def manifest_folder(model_id: str) -> str:
    """The folder of a model's manifest below its run's artifacts."""
    return f"fairlead/{model_id}"


@dataclass(frozen=True, slots=True, order=True)
class FileEntry:
    """A file of the model: its path below the model's root, bytes, and sha256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of one logged model, sorted by path."""

    model_id: str
    files: tuple[FileEntry, ...]

    @property
    def digest(self) -> str:
        """`sha256:` and the sha256 of the canonical JSON of the files."""
        files = [asdict(file) for file in self.files]
        canonical = json.dumps(files, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return f"sha256:{sha256(canonical.encode()).hexdigest()}"

    def to_json(self) -> bytes:
        """The manifest as it is stored."""
        document = {"schema": SCHEMA, "model_id": self.model_id, "files": [asdict(file) for file in self.files]}
        return (json.dumps(document, indent=1) + "\n").encode()


def make_manifest(model_id: str, files: Iterable[FileEntry]) -> Manifest:
    """The manifest of files in any order."""
    return Manifest(model_id, tuple(sorted(files)))


def parse_manifest(content: bytes, digest: str) -> Manifest:
    """A stored manifest that has the digest asked for. Raises DigestMismatch for any other."""
    try:
        document = json.loads(content)
        schema, model_id = document["schema"], str(document["model_id"])
        files = [FileEntry(str(file["path"]), int(file["size"]), str(file["sha256"])) for file in document["files"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DigestMismatch(f"{MANIFEST_NAME}: expected a manifest, got {type(error).__name__}") from error
    if schema != SCHEMA:
        raise DigestMismatch(f"{MANIFEST_NAME}: expected schema {SCHEMA}, got {str(schema)[:20]}")
    manifest = make_manifest(model_id, files)
    check_digest(manifest, digest, MANIFEST_NAME)
    return manifest


def check_digest(manifest: Manifest, digest: str, what: str) -> None:
    """Raise DigestMismatch when the files are not the ones that the digest was made of."""
    if manifest.digest != digest:
        raise DigestMismatch(f"{what}: expected digest {digest}, got {manifest.digest}; {_WHAT_TO_DO}")


def check_listing(manifest: Manifest, sizes: Mapping[str, int]) -> None:
    """Raise DigestMismatch unless the listed files (path to bytes) are those of the manifest, none more or less."""
    for file in manifest.files:
        if file.path not in sizes:
            raise DigestMismatch(f"{file.path}: expected this file of the manifest, got no such file; {_WHAT_TO_DO}")
        if sizes[file.path] != file.size:
            raise DigestMismatch(f"{file.path}: expected {file.size} bytes, got {sizes[file.path]}; {_WHAT_TO_DO}")
    if extra := sorted(set(sizes) - {file.path for file in manifest.files}):
        raise DigestMismatch(f"{extra[0]}: expected only the manifest's files, got this one too; {_WHAT_TO_DO}")


def check_file(expected: FileEntry, got: FileEntry) -> None:
    """Raise DigestMismatch when a file is not the one of the manifest."""
    if got != expected:
        raise DigestMismatch(f"{got.path}: expected sha256 {expected.sha256}, got {got.sha256}; {_WHAT_TO_DO}")


_WHAT_TO_DO = "the files have changed since the version was registered: register them as a new version"


def hash_folder(folder: Path) -> Manifest:
    """The manifest of the files in a folder. Raises OSError."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return make_manifest("", (_hash_file(path, path.relative_to(folder).as_posix()) for path in paths))


def _hash_file(path: Path, name: str) -> FileEntry:
    digest, size = sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return FileEntry(name, size, digest.hexdigest())
