"""The MLmodel file: what a model is made of. It comes from the registry, so nothing in it is trusted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

import yaml

from fairlead_serving.errors import LoadError, UnsupportedFlavor

MLMODEL = "MLmodel"
MAX_MLMODEL_BYTES = 4 * 2**20


class Serialization(StrEnum):
    """How a scikit-learn model was saved."""

    SKOPS = "skops"
    PICKLE = "pickle"
    CLOUDPICKLE = "cloudpickle"


@dataclass(frozen=True, slots=True)
class Column:
    """A named input of the model and its MLflow type (`double`, `long`, `string`, ...)."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the server needs of an MLmodel file; paths are relative to the model's folder."""

    path: PurePosixPath
    serialization: Serialization
    columns: tuple[Column, ...] = ()
    example: PurePosixPath | None = None
    sklearn_version: str = ""


def read_mlmodel(folder: Path) -> ModelSpec:
    """Read the MLmodel file of a model's folder. Raises LoadError, or UnsupportedFlavor."""
    file = folder / MLMODEL
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_MLMODEL_BYTES + 1)
    except OSError as error:
        raise LoadError(f"{file}: expected a readable MLmodel file, got {error.strerror}") from error
    if len(content) > MAX_MLMODEL_BYTES:
        raise LoadError(f"{file}: expected at most {MAX_MLMODEL_BYTES} bytes, got more")
    return parse_mlmodel(content)


def parse_mlmodel(content: bytes) -> ModelSpec:
    """Parse the content of an MLmodel file. Raises LoadError, or UnsupportedFlavor for other than scikit-learn."""
    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise LoadError(f"MLmodel: expected YAML, got {str(error)[:200]}") from error
    flavors = _mapping(_mapping(document, "MLmodel").get("flavors"), "MLmodel flavors")
    if "sklearn" not in flavors:
        raise UnsupportedFlavor(f"MLmodel flavors: expected sklearn, got {sorted(map(str, flavors))}")
    sklearn = _mapping(flavors["sklearn"], "MLmodel flavors.sklearn")
    return ModelSpec(
        path=_relative_path(sklearn.get("pickled_model"), "MLmodel flavors.sklearn.pickled_model"),
        serialization=_serialization(sklearn.get("serialization_format")),
        columns=_columns(document.get("signature")),
        example=_example(document.get("saved_input_example_info")),
        sklearn_version=str(sklearn.get("sklearn_version", ""))[:50],
    )


def _mapping(value: object, field: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise LoadError(f"{field}: expected a mapping, got {type(value).__name__}")
    return value


def _relative_path(value: object, field: str) -> PurePosixPath:
    path = PurePosixPath(value) if isinstance(value, str) else PurePosixPath()
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in str(path):
        raise LoadError(f"{field}: expected a path inside the model's folder, got {str(value)[:100]!r}")
    return path


def _serialization(value: object) -> Serialization:
    try:
        return Serialization(str(value))
    except ValueError:
        known = [form.value for form in Serialization]
        raise UnsupportedFlavor(
            f"MLmodel flavors.sklearn.serialization_format: expected one of {known}, got {str(value)[:100]!r}"
        ) from None


def _columns(signature: object) -> tuple[Column, ...]:
    """The named columns of a signature; none for a model without one, or with a tensor as its input."""
    inputs = signature.get("inputs") if isinstance(signature, dict) else None
    if inputs is None:
        return ()
    try:
        entries = json.loads(inputs)
    except (TypeError, ValueError, RecursionError) as error:
        raise LoadError(f"MLmodel signature.inputs: expected JSON text, got {str(error)[:200]}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LoadError("MLmodel signature.inputs: expected a list of objects")
    if any(entry.get("type") == "tensor" for entry in entries):
        return ()
    columns = tuple(Column(name=entry.get("name", ""), type=str(entry.get("type"))) for entry in entries)
    names = [column.name for column in columns]
    if not all(isinstance(name, str) and name for name in names):
        return ()  # columns without names: the model takes a matrix
    if len(set(names)) != len(names):
        raise LoadError("MLmodel signature.inputs: expected every name once, got a name twice")
    return columns


def _example(info: object) -> PurePosixPath | None:
    """The example in the form that a server takes, where the model was saved with one."""
    if not isinstance(info, dict) or info.get("serving_input_path") is None:
        return None
    return _relative_path(info["serving_input_path"], "MLmodel saved_input_example_info.serving_input_path")
