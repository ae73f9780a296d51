"""What the model takes, by its signature: a table of named columns, or a matrix; and whether given values fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairlead_serving.errors import SignatureViolated
from fairlead_serving.mlmodel import Column, TensorInput
from fairlead_serving.tensors import Array, Tensor, datatype_of

Table = Mapping[str, Array]
"""Columns by name, in the model's order, each of one dimension and the same length."""

_COLUMN_TYPES: dict[str, tuple[str, np.dtype[Any]]] = {
    "boolean": ("BOOL", np.dtype(np.bool_)),
    "integer": ("INT32", np.dtype(np.int32)),
    "long": ("INT64", np.dtype(np.int64)),
    "float": ("FP32", np.dtype(np.float32)),
    "double": ("FP64", np.dtype(np.float64)),
    "string": ("BYTES", np.dtype(np.object_)),
}
MATRIX_NAME = "input"


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What the model takes: named columns, or a matrix: how wide (None: unknown), and numpy's type (empty: any)."""

    columns: tuple[Column, ...] = ()
    width: int | None = None
    dtype: str = ""
    missing: bool = False
    """Whether the model answers rows with missing numbers; found by trying."""

    @classmethod
    def of(cls, columns: Sequence[Column], tensor: TensorInput | None, width: int | None) -> "FeatureSpec":
        """From the signature, and the number of columns that the model itself tells."""
        if tensor is None:
            return cls(columns=tuple(columns), width=width)
        return cls(columns=tuple(columns), width=tensor.width or width, dtype=tensor.dtype)

    def describe(self) -> list[dict[str, object]]:
        """The inputs as the protocol's metadata."""
        if not self.columns:
            return [{"name": MATRIX_NAME, "datatype": _datatype(self.dtype), "shape": [-1, self.width or -1]}]
        return [{"name": column.name, "datatype": column_datatype(column), "shape": [-1, 1]} for column in self.columns]


def column_datatype(column: Column) -> str:
    """The protocol's name of a column's type."""
    return _COLUMN_TYPES.get(column.type, ("BYTES" if column.type in ("datetime", "binary") else "FP64",))[0]


def _datatype(dtype: str) -> str:
    try:
        return datatype_of(np.empty(0, dtype=dtype))
    except (TypeError, ValueError):
        return "FP64"


def to_features(spec: FeatureSpec, inputs: Sequence[Tensor]) -> Table | Array:
    """Arrange tensors as the model takes them. Raises SignatureViolated when they do not fit."""
    if not spec.columns:
        return as_matrix(spec, _one_matrix(inputs, spec.width))
    table = _by_name(spec.columns, inputs)
    if table is None:
        matrix = _one_matrix(inputs, len(spec.columns))
        table = {column.name: matrix[:, i] for i, column in enumerate(spec.columns)}
    return as_table(spec, table)


def as_matrix(spec: FeatureSpec, values: Array) -> Array:
    """A matrix of the model's width, in the type of its signature. Raises SignatureViolated."""
    if values.ndim != 2 or (spec.width is not None and values.shape[1] != spec.width):
        raise SignatureViolated("inputs", f"rows of {spec.width or 'some'} values", f"shape {list(values.shape)}")
    try:
        dtype = np.dtype(spec.dtype)
    except TypeError:
        return values
    return _cast(values, dtype, MATRIX_NAME, _datatype(spec.dtype)) if dtype.kind in "iufb" else values


def as_table(spec: FeatureSpec, given: Table) -> Table:
    """The model's columns in its order and types, the optional ones where given. Raises SignatureViolated."""
    names = {column.name for column in spec.columns}
    if missing := [column.name for column in spec.columns if column.required and column.name not in given]:
        raise SignatureViolated("inputs", f"the columns {_some(missing)}", "no such columns")
    if unknown := sorted(set(given) - names):
        raise SignatureViolated("inputs", f"only the model's {len(names)} columns", _some(unknown))
    if len({len(values) for values in given.values()}) > 1:
        lengths = sorted({str(len(values)) for values in given.values()})
        raise SignatureViolated("inputs", "columns of equal length", _some(lengths))
    return {column.name: _cast_column(given[column.name], column) for column in spec.columns if column.name in given}


def _one_matrix(inputs: Sequence[Tensor], width: int | None) -> Array:
    if len(inputs) != 1:
        raise SignatureViolated("inputs", "one tensor of rows and columns", f"{len(inputs)} tensors")
    values = inputs[0].values
    if values.ndim != 2 or (width is not None and values.shape[1] != width):
        raise SignatureViolated("inputs[0].shape", f"[rows, {width or 'columns'}]", str(list(values.shape)))
    return values


def _by_name(columns: Sequence[Column], inputs: Sequence[Tensor]) -> dict[str, Array] | None:
    """The inputs as columns; None for a single tensor that is no column by name, hence a matrix."""
    if len(inputs) == 1 and all(inputs[0].name != column.name for column in columns):
        return None
    return {tensor.name: _column(tensor, f"inputs[{i}]") for i, tensor in enumerate(inputs)}


def _column(tensor: Tensor, field: str) -> Array:
    values = tensor.values
    if values.ndim == 2 and values.shape[1] != 1:
        raise SignatureViolated(f"{field}.shape", "[rows] or [rows, 1] for a column", str(list(values.shape)))
    return values.reshape(-1)


def _cast_column(values: Array, column: Column) -> Array:
    field = f"column {column.name}"
    if column.type == "datetime":
        try:
            return values.astype("datetime64[ns]")
        except (ValueError, TypeError):
            raise SignatureViolated(field, "dates as text in ISO 8601", "something else") from None
    if column.type not in _COLUMN_TYPES:
        return values
    datatype, dtype = _COLUMN_TYPES[column.type]
    return _cast(values, dtype, field, datatype)


def _cast(values: Array, dtype: np.dtype[Any], field: str, datatype: str) -> Array:
    """Values in another type; numbers may change type where no value changes but by rounding to a float."""
    if values.dtype == dtype:
        return values
    got = datatype_of(values) if values.dtype != np.dtype(np.object_) else "text"
    refused = SignatureViolated(field, datatype, f"{got} values that do not fit")
    if values.dtype.kind not in "iuf" or dtype.kind not in "iuf":
        raise refused
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
    # Compared in the type that was given, so that a value beyond the new type's range shows as a change.
    if dtype.kind == "f":
        kept = np.isfinite(cast) | (np.isnan(values) if values.dtype.kind == "f" else False)
    else:
        kept = (cast.astype(values.dtype) == values) & ((cast < 0) == (values < 0))
    if not kept.all():
        raise refused
    return cast


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
