import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.errors import DigestMismatch
from fairlead_serving.integrity import (
    FileEntry,
    check_file,
    check_listing,
    hash_folder,
    make_manifest,
    parse_manifest,
)

EMPTY = sha256(b"").hexdigest()
FILES = (FileEntry("MLmodel", 0, EMPTY), FileEntry("data/model.skops", 3, sha256(b"abc").hexdigest()))
MANIFEST = make_manifest("m-1", reversed(FILES))


def test_the_digest_is_that_of_the_canonical_json_of_the_files() -> None:
    canonical = (
        f'[{{"path":"MLmodel","sha256":"{EMPTY}","size":0}},'
        f'{{"path":"data/model.skops","sha256":"{sha256(b"abc").hexdigest()}","size":3}}]'
    )
    assert MANIFEST.digest == f"sha256:{sha256(canonical.encode()).hexdigest()}"
    document = json.loads(MANIFEST.to_json())
    assert (document["schema"], document["model_id"]) == (1, "m-1")
    assert json.dumps(document["files"], sort_keys=True, separators=(",", ":")) == canonical


ENTRIES = st.builds(FileEntry, st.text(min_size=1), st.integers(0), st.just(EMPTY))


@given(st.lists(ENTRIES, unique_by=lambda file: file.path), st.randoms())
def test_a_manifest_survives_the_way_to_json_and_back_in_any_order(files: list[FileEntry], random: Any) -> None:
    manifest = make_manifest("m-1", files)
    random.shuffle(files)
    assert parse_manifest(make_manifest("m-1", files).to_json(), manifest.digest) == manifest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a manifest, got JSONDecodeError"),
        (b"[" * 100_000, "expected a manifest"),
        (b"[]", "expected a manifest, got TypeError"),
        (b'{"schema": 1, "model_id": "m", "files": [{"path": "a"}]}', "expected a manifest, got KeyError"),
        (b'{"schema": 2, "model_id": "m", "files": []}', "expected schema 1, got 2"),
        (make_manifest("m-1", FILES[:1]).to_json(), f"expected digest {MANIFEST.digest}, got sha256:"),
    ],
)
def test_another_manifest_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(DigestMismatch, match=message):
        parse_manifest(content, MANIFEST.digest)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"MLmodel": 0}, "data/model.skops: expected this file of the manifest, got no such file"),
        ({"MLmodel": 0, "data/model.skops": 4}, "data/model.skops: expected 3 bytes, got 4"),
        ({"MLmodel": 0, "data/model.skops": 3, "x.py": 1}, "x.py: expected only the manifest's files"),
    ],
)
def test_a_file_more_or_less_or_of_another_size_is_named(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(DigestMismatch, match=message):
        check_listing(MANIFEST, sizes)
    check_listing(MANIFEST, {"data/model.skops": 3, "MLmodel": 0})


def test_a_changed_file_is_named_with_both_digests() -> None:
    with pytest.raises(DigestMismatch, match=f"MLmodel: expected sha256 {EMPTY}, got 00; the files have changed"):
        check_file(FILES[0], replace(FILES[0], sha256="00"))
    check_file(FILES[0], FILES[0])


def test_a_folder_has_the_digest_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "MLmodel").touch()
    (tmp_path / "data" / "model.skops").write_text("abc")
    assert hash_folder(tmp_path).digest == MANIFEST.digest
