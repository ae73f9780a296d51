"""Brings a model version's files into a folder."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from fairlead_serving.errors import LoadError, ModelNotFound
from fairlead_serving.mlmodel import MLMODEL
from fairlead_serving.registry import Interrupted, Registry
from fairlead_serving.settings import Settings

MAX_FILES = 2000
MAX_DEPTH = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the model: its path below the model's root, and its size as listed."""

    path: str
    size_bytes: int


async def ensure_model(settings: Settings, folder: Path) -> None:
    """Download the model version into folder, unless its MLmodel file is there. Raises LoadError."""
    if (folder / MLMODEL).is_file():
        _log.info("model found on disk", extra={"folder": str(folder)})
        return
    for name, value in (("MLFLOW_TRACKING_URI", settings.tracking_uri), ("MODEL_NAME", settings.model_name)):
        if not value:
            raise LoadError(f"{name}: expected a value, since {folder} holds no {MLMODEL} file, got none")
    if not settings.model_version:
        raise LoadError("MODEL_VERSION: expected a version's number, got none")
    deadline = asyncio.get_running_loop().time() + settings.load_deadline_seconds
    async with httpx.AsyncClient() as http:
        registry = Registry(http=http, url=settings.tracking_uri, deadline=deadline)
        await _download(registry, settings, folder)


async def _download(registry: Registry, settings: Settings, folder: Path) -> None:
    what = f"{settings.model_name} version {settings.model_version}"
    root = await registry.artifact_root(settings.model_name, settings.model_version)
    files = await list_files(registry, root)
    if not any(file.path == MLMODEL for file in files):
        raise ModelNotFound(f"{what}: expected an {MLMODEL} file among its artifacts, got {len(files)} other files")
    total_bytes = sum(file.size_bytes for file in files)
    if total_bytes > settings.max_model_bytes:
        raise LoadError(f"{what}: expected at most {settings.max_model_bytes} bytes, got {total_bytes}")
    _log.info("model download starts", extra={"model": what, "files": len(files), "bytes": total_bytes})
    # MLmodel comes last: where it is, the model is whole.
    for file in sorted(files, key=lambda file: (file.path == MLMODEL, file.path)):
        await _download_file(registry, f"{root}/{file.path}", folder / file.path, file.size_bytes)
    _log.info("model downloaded", extra={"model": what, "folder": str(folder)})


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


async def _download_file(registry: Registry, path: str, target: Path, size_bytes: int) -> None:
    partial = target.with_name(target.name + ".part")

    async def save(chunks: AsyncIterator[bytes]) -> None:
        written = 0
        with partial.open("wb") as stream:
            async for chunk in chunks:
                written += len(chunk)
                if written > size_bytes:
                    break
                stream.write(chunk)
        if written != size_bytes:
            raise Interrupted(f"expected the {size_bytes} bytes of the listing, got {written}")

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        await registry.fetch_file(path, save)
        partial.replace(target)
    except OSError as error:
        raise LoadError(f"{target}: expected a writable folder with enough space, got {error.strerror}") from error
