"""`python -m fairlead_serving.manifest`: hash a logged model's files and store the manifest beside the run.

It runs in the registering pod, after the gate. The termination message carries the digest.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256

from fairlead_serving.download import RemoteFile, list_files
from fairlead_serving.errors import LoadError, LoadReason, ModelNotFound, SettingsError
from fairlead_serving.integrity import MANIFEST_NAME, FileEntry, Manifest, make_manifest, manifest_folder
from fairlead_serving.log import configure_logging
from fairlead_serving.mlmodel import MLMODEL
from fairlead_serving.registry import Interrupted, Registry, open_registry
from fairlead_serving.settings import ManifestSettings, parse_manifest_settings, termination_log
from fairlead_serving.termination import LOAD_FAILED_EXIT_CODE, write_last_words, write_termination

_log = logging.getLogger("fairlead_serving.manifest")


async def hash_remote(registry: Registry, root: str, file: RemoteFile) -> FileEntry:
    """Read a file of the registry, keep nothing of it but size and sha256. Raises LoadError."""
    hashed: list[FileEntry] = []

    async def save(chunks: AsyncIterator[bytes]) -> None:
        digest, size = sha256(), 0
        async for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
        if size != file.size_bytes:
            raise Interrupted(f"expected the {file.size_bytes} bytes of the listing, got {size}")
        hashed.append(FileEntry(file.path, size, digest.hexdigest()))

    await registry.fetch_file(f"{root}/{file.path}", save)
    return hashed[-1]


async def store_manifest(settings: ManifestSettings) -> Manifest:
    """Make and store the manifest; to do it again changes nothing. Raises LoadError."""
    async with open_registry(settings.access) as registry:
        root = await registry.model_root(settings.model_id)
        files = await list_files(registry, root)
        if not any(file.path == MLMODEL for file in files):
            raise ModelNotFound(
                f"logged model {settings.model_id}: expected an {MLMODEL} file among its artifacts, got {len(files)} "
                "other files; log the model with mlflow.<flavor>.log_model"
            )
        manifest = make_manifest(settings.model_id, [await hash_remote(registry, root, file) for file in files])
        place = f"{await registry.run_root(settings.run_id)}/{manifest_folder(settings.model_id)}/{MANIFEST_NAME}"
        await registry.store_file(place, manifest.to_json())
    return manifest


def main(env: Mapping[str, str]) -> int:
    """Run the command; 0 with the digest as last words, or LOAD_FAILED_EXIT_CODE with reason and message."""
    try:
        manifest = asyncio.run(store_manifest(parse_manifest_settings(env)))
    except (LoadError, SettingsError) as error:
        reason = error.reason if isinstance(error, LoadError) else LoadReason.MODEL_LOAD_FAILED
        _log.error("manifest not stored", extra={"reason": reason, "cause": str(error)})
        write_termination(termination_log(env), reason, str(error))
        return LOAD_FAILED_EXIT_CODE
    _log.info("manifest stored", extra={"digest": manifest.digest, "files": len(manifest.files)})
    write_last_words(termination_log(env), json.dumps({"digest": manifest.digest}))
    return 0


if __name__ == "__main__":
    configure_logging()
    sys.exit(main(os.environ))
