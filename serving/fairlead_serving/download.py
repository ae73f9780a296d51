"""Brings a model version's files into a folder."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fairlead_serving.errors import DigestMismatch, LoadError, ModelNotFound
from fairlead_serving.integrity import (
    MANIFEST_NAME,
    FileEntry,
    Manifest,
    check_digest,
    check_file,
    check_listing,
    hash_folder,
    make_manifest,
    manifest_folder,
    parse_manifest,
)
from fairlead_serving.mlmodel import MLMODEL
from fairlead_serving.registry import Interrupted, Registry, open_registry
from fairlead_serving.settings import UNVERIFIED, Settings

MAX_FILES = 2000
MAX_DEPTH = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the model: its path below the model's root, and its size as listed."""

    path: str
    size_bytes: int


async def ensure_model(settings: Settings, folder: Path) -> None:
    """Download the model version into folder, unless its MLmodel file is there, and check it against the digest.

    Raises LoadError, of which DigestMismatch says that the files are not those that were registered.
    """
    verified = settings.model_digest != UNVERIFIED
    if not verified:
        _log.warning("model unverified", extra={"cause": "the version carries no digest, so its files are not checked"})
    if (folder / MLMODEL).is_file():
        _log.info("model found on disk", extra={"folder": str(folder)})
        if verified:
            await _check_folder(folder, settings.model_digest)
        return
    for name, value in (("MLFLOW_TRACKING_URI", settings.access.url), ("MODEL_NAME", settings.model_name)):
        if not value:
            raise LoadError(f"{name}: expected a value, since {folder} holds no {MLMODEL} file, got none")
    if not settings.model_version:
        raise LoadError("MODEL_VERSION: expected a version's number, got none")
    async with open_registry(settings.access) as registry:
        await _download(registry, settings, folder)


async def _check_folder(folder: Path, digest: str) -> None:
    try:
        manifest = await asyncio.to_thread(hash_folder, folder)
    except OSError as error:
        raise LoadError(f"{folder}: expected readable files, got {error.strerror}") from error
    check_digest(manifest, digest, str(folder))


async def _download(registry: Registry, settings: Settings, folder: Path) -> None:
    what = f"{settings.model_name} version {settings.model_version}"
    root = await registry.artifact_root(settings.model_name, settings.model_version)
    files = await list_files(registry, root)
    if not any(file.path == MLMODEL for file in files):
        raise ModelNotFound(f"{what}: expected an {MLMODEL} file among its artifacts, got {len(files)} other files")
    total_bytes = sum(file.size_bytes for file in files)
    if total_bytes > settings.max_model_bytes:
        raise LoadError(f"{what}: expected at most {settings.max_model_bytes} bytes, got {total_bytes}")
    manifest = await _fetch_manifest(registry, settings)
    if manifest:
        check_listing(manifest, {file.path: file.size_bytes for file in files})
    promised = {file.path: file for file in manifest.files} if manifest else {}
    _log.info("model download starts", extra={"model": what, "files": len(files), "bytes": total_bytes})
    got = []
    # MLmodel comes last: where it is, the model is whole.
    for file in sorted(files, key=lambda file: (file.path == MLMODEL, file.path)):
        download = _Download(registry, f"{root}/{file.path}", file, promised.get(file.path))
        got.append(await download.save_to(folder / file.path))
    if settings.model_digest != UNVERIFIED and not manifest:
        _check_files(got, settings.model_digest, folder)
    _log.info("model downloaded", extra={"model": what, "folder": str(folder), "digest": settings.model_digest})


async def _fetch_manifest(registry: Registry, settings: Settings) -> Manifest | None:
    """The manifest that was stored when the version was registered; None without a digest, or if it is gone."""
    if settings.model_digest == UNVERIFIED:
        return None
    source = await registry.version_source(settings.model_name, settings.model_version)
    if not source.run_id or not source.model_id:
        return None
    try:
        folder = f"{await registry.run_root(source.run_id)}/{manifest_folder(source.model_id)}"
    except ModelNotFound:
        return None
    if not any(entry.name == MANIFEST_NAME for entry in await registry.list_folder(folder)):
        _log.warning("manifest missing", extra={"folder": folder, "instead": "the digest of all files is checked"})
        return None
    return parse_manifest(await registry.read_file(f"{folder}/{MANIFEST_NAME}"), settings.model_digest)


def _check_files(files: Sequence[FileEntry], digest: str, folder: Path) -> None:
    try:
        check_digest(make_manifest("", files), digest, "all files of the version")
    except DigestMismatch:
        # Or the next start would take the folder for a whole model.
        (folder / MLMODEL).unlink()
        raise


async def list_files(registry: Registry, root: str) -> list[RemoteFile]:
    """All files below root, folders walked; at most MAX_FILES files and MAX_DEPTH levels. Raises LoadError."""
    files: list[RemoteFile] = []
    folders = [""]
    for _ in range(MAX_DEPTH):
        deeper: list[str] = []
        for folder in folders:
            for entry in await registry.list_folder(f"{root}/{folder}".rstrip("/")):
                path = f"{folder}/{entry.name}".lstrip("/")
                if entry.is_dir:
                    deeper.append(path)
                else:
                    files.append(RemoteFile(path, entry.size_bytes))
            if len(files) + len(deeper) > MAX_FILES:
                raise LoadError(f"{root}: expected at most {MAX_FILES} files, got more")
        if not deeper:
            return files
        folders = deeper
    raise LoadError(f"{root}: expected at most {MAX_DEPTH} levels of folders, got more")


@dataclass(frozen=True, slots=True)
class _Download:
    """One file on its way: where it is, what the listing says of it, and what the manifest promises (None: nothing)."""

    registry: Registry
    address: str
    listed: RemoteFile
    promised: FileEntry | None

    async def save_to(self, target: Path) -> FileEntry:
        """Bring the file to target; its place is taken only when it is whole and as promised. Raises LoadError."""
        partial = target.with_name(target.name + ".part")
        got: list[FileEntry] = []

        async def save(chunks: AsyncIterator[bytes]) -> None:
            got[:] = [await self._write(chunks, partial)]

        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            await self.registry.fetch_file(self.address, save)
            if self.promised:
                check_file(self.promised, got[0])
            partial.replace(target)
        except OSError as error:
            raise LoadError(f"{target}: expected a writable folder with enough space, got {error.strerror}") from error
        return got[0]

    async def _write(self, chunks: AsyncIterator[bytes], partial: Path) -> FileEntry:
        digest, written = sha256(), 0
        with partial.open("wb") as stream:
            async for chunk in chunks:
                written += len(chunk)
                if written > self.listed.size_bytes:
                    break
                digest.update(chunk)
                stream.write(chunk)
        if written != self.listed.size_bytes:
            raise Interrupted(f"expected the {self.listed.size_bytes} bytes of the listing, got {written}")
        return FileEntry(self.listed.path, written, digest.hexdigest())
