"""The MLmodel file: what a model is made of. It comes from the registry, so nothing in it is trusted."""

import json
from collections.abc import Mapping, Sequence
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


PREDICT_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")
"""What MLflow's `pyfunc_predict_fn` may name here: methods that take rows and give answers."""


@dataclass(frozen=True, slots=True)
class Column:
    """A named input of the model and its MLflow type (`double`, `long`, `string`, ...)."""

    name: str
    type: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class TensorInput:
    """An input without names: numpy's name of its type, and the columns of a row (None: any number)."""

    dtype: str = "float64"
    width: int | None = None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the server needs of an MLmodel file; paths are relative to the model's folder."""

    path: PurePosixPath
    serialization: Serialization
    columns: tuple[Column, ...] = ()
    tensor: TensorInput | None = None
    example: PurePosixPath | None = None
    sklearn_version: str = ""
    predict_method: str = PREDICT_METHODS[0]


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
    inputs = _inputs(document.get("signature"))
    return ModelSpec(
        path=_relative_path(sklearn.get("pickled_model"), "MLmodel flavors.sklearn.pickled_model"),
        serialization=_serialization(sklearn.get("serialization_format")),
        columns=_columns(inputs),
        tensor=_tensor(inputs),
        example=_example(document.get("saved_input_example_info")),
        sklearn_version=str(sklearn.get("sklearn_version", ""))[:50],
        predict_method=_predict_method(flavors.get("python_function")),
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


def _inputs(signature: object) -> Sequence[Mapping[str, object]]:
    """The entries of a signature's inputs; none for a model without one."""
    inputs = signature.get("inputs") if isinstance(signature, dict) else None
    if inputs is None:
        return ()
    try:
        entries = json.loads(inputs)
    except (TypeError, ValueError, RecursionError) as error:
        raise LoadError(f"MLmodel signature.inputs: expected JSON text, got {str(error)[:200]}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LoadError("MLmodel signature.inputs: expected a list of objects")
    return entries


def _columns(entries: Sequence[Mapping[str, object]]) -> tuple[Column, ...]:
    """The named columns of a signature; none where a tensor is the input, or columns that have no names."""
    names = [entry.get("name", "") for entry in entries]
    if any(entry.get("type") == "tensor" for entry in entries) or not all(names):
        return ()
    if len(set(map(str, names))) != len(names):
        raise LoadError("MLmodel signature.inputs: expected every name once, got a name twice")
    return tuple(
        Column(str(name), str(entry.get("type")), required=entry.get("required") is not False)
        for name, entry in zip(names, entries, strict=True)
    )


def _tensor(entries: Sequence[Mapping[str, object]]) -> TensorInput | None:
    if len(entries) != 1 or entries[0].get("type") != "tensor":
        return None
    spec = _mapping(entries[0].get("tensor-spec"), "MLmodel signature.inputs.tensor-spec")
    shape = spec.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise LoadError(f"MLmodel signature.inputs.tensor-spec.shape: expected integers, got {str(shape)[:100]}")
    width = shape[1] if len(shape) == 2 and shape[1] > 0 else None
    return TensorInput(dtype=str(spec.get("dtype"))[:50], width=width)


def _predict_method(pyfunc: object) -> str:
    """The method behind MLflow's scoring protocol."""
    method = pyfunc.get("predict_fn") if isinstance(pyfunc, dict) else None
    if method is None:
        return PREDICT_METHODS[0]
    if method not in PREDICT_METHODS:
        raise UnsupportedFlavor(
            f"MLmodel flavors.python_function.predict_fn: expected one of {list(PREDICT_METHODS)}, "
            f"got {str(method)[:100]!r}"
        )
    return str(method)


def _example(info: object) -> PurePosixPath | None:
    """The example in the form that a server takes, where the model was saved with one."""
    if not isinstance(info, dict) or info.get("serving_input_path") is None:
        return None
    return _relative_path(info["serving_input_path"], "MLmodel saved_input_example_info.serving_input_path")
