"""From a request's tensors to what the model takes: a table of named columns, or a matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairlead_serving.errors import RequestRefused
from fairlead_serving.mlmodel import Column
from fairlead_serving.tensors import Array, Tensor

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
    """What the model takes: named columns, or a matrix of so many columns (None: unknown)."""

    columns: tuple[Column, ...] = ()
    width: int | None = None

    def describe(self) -> list[dict[str, object]]:
        """The inputs as the protocol's metadata."""
        if not self.columns:
            return [{"name": MATRIX_NAME, "datatype": "FP64", "shape": [-1, self.width or -1]}]
        return [
            {"name": column.name, "datatype": _COLUMN_TYPES.get(column.type, ("FP64",))[0], "shape": [-1, 1]}
            for column in self.columns
        ]


def to_features(spec: FeatureSpec, inputs: Sequence[Tensor]) -> Table | Array:
    """Arrange the inputs as the model takes them. Raises RequestRefused when they do not fit."""
    if not spec.columns:
        return _matrix(inputs, spec.width)
    table = _by_name(spec.columns, inputs)
    if table is None:
        matrix = _matrix(inputs, len(spec.columns))
        table = {column.name: matrix[:, i] for i, column in enumerate(spec.columns)}
    return {column.name: _cast(table[column.name], column) for column in spec.columns}


def _matrix(inputs: Sequence[Tensor], width: int | None) -> Array:
    if len(inputs) != 1:
        raise RequestRefused("inputs", "one tensor of rows and columns", f"{len(inputs)} tensors")
    values = inputs[0].values
    if values.ndim != 2 or (width is not None and values.shape[1] != width):
        raise RequestRefused("inputs[0].shape", f"[rows, {width or 'columns'}]", str(list(values.shape)))
    return values


def _by_name(columns: Sequence[Column], inputs: Sequence[Tensor]) -> dict[str, Array] | None:
    """The inputs as columns; None for a single tensor that is no column by name, hence a matrix."""
    names = {column.name for column in columns}
    if len(inputs) == 1 and inputs[0].name not in names:
        return None
    given = {tensor.name: _column(tensor, f"inputs[{i}]") for i, tensor in enumerate(inputs)}
    if missing := sorted(names - set(given)):
        raise RequestRefused("inputs", f"the columns {_some(missing)}", "no such tensors")
    if unknown := sorted(set(given) - names):
        raise RequestRefused("inputs", f"only the model's {len(names)} columns", _some(unknown))
    if len({len(values) for values in given.values()}) > 1:
        raise RequestRefused("inputs", "columns of equal length", _some(sorted({str(len(v)) for v in given.values()})))
    return given


def _column(tensor: Tensor, field: str) -> Array:
    values = tensor.values
    if values.ndim == 2 and values.shape[1] != 1:
        raise RequestRefused(f"{field}.shape", "[rows] or [rows, 1] for a column", str(list(values.shape)))
    return values.reshape(-1)


def _cast(values: Array, column: Column) -> Array:
    """Values in the column's type; numbers may change type where no value changes but by rounding to a float."""
    if column.type not in _COLUMN_TYPES:
        return values
    datatype, dtype = _COLUMN_TYPES[column.type]
    if values.dtype == dtype:
        return values
    refused = RequestRefused(f"column {column.name}", datatype, f"{values.dtype} values that do not fit")
    if values.dtype.kind not in "iuf" or dtype.kind not in "iuf":
        raise refused
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
    # Compared in the type that was given, so that a value beyond the new type's range shows as a change.
    kept = (
        np.isfinite(cast) if dtype.kind == "f" else (cast.astype(values.dtype) == values) & ((cast < 0) == (values < 0))
    )
    if not kept.all():
        raise refused
    return cast


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
