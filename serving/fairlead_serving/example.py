"""Rows to try a model with: its own example, or some made up from its signature."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fairlead_serving.errors import RequestRefused
from fairlead_serving.features import FeatureSpec, Table, column_datatype
from fairlead_serving.scoring import parse_scoring
from fairlead_serving.tensors import Array, datatype_of

MAX_EXAMPLE_BYTES = 16 * 2**20
_SHOWN_ROWS = 2

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Example:
    """Rows as the model takes them; proves_nothing for made-up text."""

    features: Table | Array
    proves_nothing: bool = False

    def with_missing_numbers(self) -> "Example | None":
        """The first row with no number in any column that could do without; None when there is none such."""
        if isinstance(self.features, np.ndarray):
            if self.features.dtype.kind != "f":
                return None
            return Example(np.full_like(self.features[:1], np.nan))
        if not any(values.dtype.kind == "f" for values in self.features.values()):
            return None
        row = {name: values[:1] for name, values in self.features.items()}
        return Example({n: np.full_like(v, np.nan) if v.dtype.kind == "f" else v for n, v in row.items()})

    @property
    def rows(self) -> int:
        """How many rows."""
        if isinstance(self.features, np.ndarray):
            return len(self.features)
        return len(next(iter(self.features.values()), ()))

    def tensors(self) -> list[dict[str, object]]:
        """The first rows as inputs of the Open Inference Protocol; none where JSON has no form for a value."""
        columns = {"input": self.features} if isinstance(self.features, np.ndarray) else self.features
        rendered: list[dict[str, object]] = []
        for name, values in columns.items():
            array = np.asarray(values)[:_SHOWN_ROWS]
            if array.dtype.kind == "M":
                array = array.astype(str).astype(object)
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                return []
            shape = list(array.shape) if array.ndim == 2 else [len(array), 1]
            rendered.append(
                {"name": name, "shape": shape, "datatype": datatype_of(array), "data": array.reshape(-1).tolist()}
            )
        return rendered

    def scoring(self) -> dict[str, object]:
        """The first rows as a body of MLflow's scoring protocol."""
        tensors = self.tensors()
        if isinstance(self.features, np.ndarray):
            return {"inputs": np.asarray(self.features)[:_SHOWN_ROWS].tolist()}
        rows = [list(row) for row in zip(*(tensor["data"] for tensor in tensors), strict=True)]
        return {"dataframe_split": {"columns": [tensor["name"] for tensor in tensors], "data": rows}}


def read_example(file: Path, spec: FeatureSpec) -> Example | None:
    """The example as MLflow wrote it for its scoring server; None for one that is large, or of another form."""
    if file.stat().st_size > MAX_EXAMPLE_BYTES:
        return None
    try:
        return Example(parse_scoring(file.read_bytes(), replace(spec, missing=True)))
    except RequestRefused as error:
        _log.warning("example not used", extra={"file": file.name, "cause": str(error)})
        return None


def synthesise(spec: FeatureSpec) -> Example | None:
    """One row of zeros, empty texts and false; None for a model that does not tell how wide it is."""
    if not spec.columns:
        width = spec.width
        return Example(np.zeros((1, width), dtype=_matrix_type(spec.dtype))) if width else None
    table = {}
    for column in spec.columns:
        kind = column_datatype(column)
        made_up: object = {"BYTES": "", "BOOL": False}.get(kind, 0)
        dtype = {"BYTES": "O", "BOOL": "?", "INT32": "i4", "INT64": "i8", "FP32": "f4"}.get(kind, "f8")
        table[column.name] = (
            np.array(["1970-01-01"], "M8[ns]") if column.type == "datetime" else np.array([made_up], dtype)
        )
    known = {"boolean", "integer", "long", "float", "double"}
    return Example(table, proves_nothing=any(column.type not in known for column in spec.columns))


def _matrix_type(dtype: str) -> np.dtype[np.generic]:
    try:
        found: np.dtype[np.generic] = np.dtype(dtype or "float64")
    except TypeError:
        return np.dtype("float64")
    return found
