"""What MLflow says about artifacts: where they are, and what is in a folder. All of it is checked."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fairlead_serving.errors import LoadError


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of a listing; name is one path component."""

    name: str
    is_dir: bool
    size_bytes: int


def parse_artifact_root(uri: object) -> str:
    """The path of `mlflow-artifacts:/1/models/m-1/artifacts` below the proxy. Raises LoadError."""
    text = uri if isinstance(uri, str) else ""
    parts = urlsplit(text)
    if parts.scheme != "mlflow-artifacts" or parts.query or parts.fragment:
        raise LoadError(
            f"artifact location: expected mlflow-artifacts:/..., got {str(uri)[:100]!r}; start MLflow with "
            "--serve-artifacts, so that pods need no credentials of the store"
        )
    components = [component for component in parts.path.split("/") if component]
    if not components or not all(is_plain_name(component) for component in components):
        raise LoadError(f"artifact location: expected plain path components, got {text[:100]!r}")
    return "/".join(components)


def parse_listing(answer: Mapping[str, object]) -> list[Entry]:
    """The entries of a listing. Raises LoadError for a name that is more than one plain path component."""
    files = answer.get("files", [])
    if not isinstance(files, list):
        raise LoadError(f"listing: expected files as a list, got {type(files).__name__}")
    return [_parse_entry(file) for file in files]


def _parse_entry(file: object) -> Entry:
    fields: Mapping[str, object] = file if isinstance(file, dict) else {}
    name, size = fields.get("path"), fields.get("file_size", 0)
    if not isinstance(name, str) or not is_plain_name(name):
        raise LoadError(f"listing: expected the name of a file, got {str(name)[:100]!r}")
    if not isinstance(size, int) or size < 0:
        raise LoadError(f"listing: expected the size of {name}, got {str(size)[:100]!r}")
    return Entry(name=name, is_dir=fields.get("is_dir") is True, size_bytes=size)


def is_plain_name(name: str) -> bool:
    """Whether a name is one path component that cannot lead out of its folder."""
    return (
        0 < len(name.encode(errors="replace")) <= 255
        and name not in (".", "..")
        and not any(character in "/\\" or unicodedata.category(character)[0] == "C" for character in name)
    )
