"""MLflow's scoring protocol, the body of POST /invocations, to what the model takes.

Source of the forms: mlflow/pyfunc/scoring_server and mlflow/utils/proto_json_utils.py of MLflow 3.17. `params` are
tolerated and left aside, as MLflow leaves them for a model whose signature names none.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fairlead_serving.errors import RequestRefused, SignatureViolated
from fairlead_serving.features import FeatureSpec, Table, as_matrix, as_table
from fairlead_serving.mlmodel import Column
from fairlead_serving.tensors import Array, parse_object, shown

Rows = Sequence[object]
Columns = Mapping[str, Sequence[object]]


def parse_scoring(body: bytes, spec: FeatureSpec) -> Table | Array:
    """Parse a JSON body. Raises RequestRefused (malformed) or SignatureViolated (does not fit the model)."""
    document = parse_object(body)
    forms = [name for name in _FORMS if name in document]
    if len(forms) != 1:
        raise RequestRefused("body", f"exactly one of {', '.join(_FORMS)}", shown(sorted(document)[:10]))
    return _FORMS[forms[0]](document[forms[0]], forms[0], spec)


def parse_csv(body: bytes, spec: FeatureSpec) -> Table | Array:
    """Parse comma-separated values with a header line. Raises RequestRefused or SignatureViolated."""
    try:
        header, *lines = csv.reader(io.StringIO(body.decode()), strict=True)
    except (ValueError, csv.Error) as error:
        raise RequestRefused("body", "comma-separated values in UTF-8 with a header line", str(error)) from error
    if not lines or len(set(header)) != len(header):
        raise RequestRefused("body", "a header line of different names, and at least one row", shown(header[:10]))
    for i, line in enumerate(lines):
        if len(line) != len(header):
            raise RequestRefused(f"body line {i + 2}", f"{len(header)} values", f"{len(line)} values")
    types = {column.name: column.type for column in spec.columns}
    columns = {
        name: [_from_text(line[i], types.get(name, "double")) for line in lines] for i, name in enumerate(header)
    }
    return _from_columns(columns, "body", spec)


def _from_text(text: str, kind: str) -> object:
    """A field as its column's type reads it; what does not fit stays text, and is refused as such later."""
    if kind == "string":
        return text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if not text:
        return None
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _split(value: object, field: str, spec: FeatureSpec) -> Table | Array:
    fields = _mapping(value, field)
    if unknown := sorted(set(fields) - {"columns", "data", "index"}):
        raise RequestRefused(field, "columns, data, index", shown(unknown[:10]))
    rows, names = _rows(fields.get("data"), f"{field}.data"), fields.get("columns")
    if names is None:
        return _from_rows(rows, f"{field}.data", spec)
    if not isinstance(names, list) or len(set(map(str, names))) != len(names):
        raise RequestRefused(f"{field}.columns", "a list of names, every name once", shown(names))
    if not spec.columns:
        return _from_rows(rows, f"{field}.data", spec)
    return _from_columns(_transposed(rows, list(map(str, names)), f"{field}.data"), field, spec)


def _records(value: object, field: str, spec: FeatureSpec) -> Table | Array:
    if not isinstance(value, list) or not value or not all(isinstance(record, dict) for record in value):
        raise RequestRefused(field, "a list of objects", shown(value))
    names = list(dict.fromkeys(str(name) for record in value for name in record))
    return _from_columns({name: [record.get(name) for record in value] for name in names}, field, spec)


def _inputs(value: object, field: str, spec: FeatureSpec) -> Table | Array:
    """`inputs` and `instances`: rows, or columns by name."""
    if isinstance(value, dict):
        columns = {
            name: [_unwrapped(item) for item in _rows(values, f"{field}.{name}")] for name, values in value.items()
        }
        return _from_columns(columns, field, spec)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return _records(value, field, spec)
    return _from_rows(_rows(value, field), field, spec)


def _unwrapped(item: object) -> object:
    """A column may come as [[1], [2]] too."""
    return item[0] if isinstance(item, list) and len(item) == 1 else item


_FORMS: dict[str, Callable[[object, str, FeatureSpec], Table | Array]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _inputs,
    "inputs": _inputs,
}


def _mapping(value: object, field: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise RequestRefused(field, "an object", shown(value))
    return value


def _rows(value: object, field: str) -> Rows:
    if not isinstance(value, list) or not value:
        raise RequestRefused(field, "a list that is not empty", shown(value))
    return value


def _transposed(rows: Rows, names: Sequence[str], field: str) -> Columns:
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise RequestRefused(f"{field}[{i}]", f"a list of {len(names)} values", shown(row))
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}  # type: ignore[index]


def _from_rows(rows: Rows, field: str, spec: FeatureSpec) -> Table | Array:
    width = len(spec.columns) or spec.width or (len(rows[0]) if isinstance(rows[0], list) else 0)
    if rows[0] == []:
        raise RequestRefused(f"{field}[0]", "a list that is not empty", "[]")
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            got = f"{len(row)} values" if isinstance(row, list) else shown(row)
            raise SignatureViolated(f"{field}[{i}]", f"a list of {width} values", got)
    if spec.columns:
        names = [column.name for column in spec.columns]
        return _from_columns(_transposed(rows, names, field), field, spec)
    flat = [value for row in rows for value in row]  # type: ignore[attr-defined]
    return as_matrix(spec, _to_array(flat, Column("", "any"), field, spec).reshape(len(rows), width))


def _from_columns(columns: Columns, field: str, spec: FeatureSpec) -> Table | Array:
    if not spec.columns:
        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1:
            raise RequestRefused(field, "columns of equal length", shown(sorted(lengths)[:10]))
        return _from_rows([list(row) for row in zip(*columns.values(), strict=True)], field, spec)
    types = {column.name: column for column in spec.columns}
    arrays = {
        name: _to_array(values, types[name], f"{field}.{name}", spec)
        if name in types
        else np.asarray(values, dtype=object)
        for name, values in columns.items()
    }
    return as_table(spec, arrays)


_EXPECTED: dict[str, tuple[tuple[type, ...], str, Any]] = {
    "boolean": ((bool,), "true or false", np.bool_),
    "integer": ((int, float), "integers", None),
    "long": ((int, float), "integers", None),
    "float": ((int, float), "numbers", np.float64),
    "double": ((int, float), "numbers", np.float64),
    "string": ((str,), "text", object),
    "datetime": ((str,), "dates as text in ISO 8601", object),
}
_ANY: tuple[tuple[type, ...], str, Any] = ((bool, int, float, str), "plain values", None)


def _to_array(values: Sequence[object], column: Column, field: str, spec: FeatureSpec) -> Array:
    """JSON values in the column's type. Raises SignatureViolated.

    null is a missing value, where the signature calls the column optional, or where the model answers such rows.
    """
    types, expected, dtype = _EXPECTED.get(column.type, _ANY)
    if not column.required or (spec.missing and column.type in ("float", "double", "any")):
        types, expected = (*types, type(None)), f"{expected} or null"
    for i, value in enumerate(values):
        if type(value) not in types:
            raise SignatureViolated(f"{field}[{i}]", expected, shown(value))
    try:
        array = np.array(values, dtype=dtype or _common_type(values))
    except (OverflowError, TypeError, ValueError):
        raise SignatureViolated(field, f"{expected} in the type's range", "a value outside") from None
    if array.dtype.kind == "f" and np.isinf(array).any():
        raise SignatureViolated(field, f"finite {expected}", "a value outside")
    return array


def _common_type(values: Sequence[object]) -> Any:
    """numpy's type for values of any kind; None leaves numbers and truth values to numpy."""
    kinds = {type(value) for value in values}
    if str in kinds or (bool in kinds and len(kinds) > 1):
        return object
    return np.float64 if type(None) in kinds else None
