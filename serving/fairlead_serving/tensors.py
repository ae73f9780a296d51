"""Tensors of the Open Inference Protocol, version 2, as JSON: to numpy and back."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairlead_serving.errors import RequestRefused

Array = npt.NDArray[Any]

_NUMPY_TYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    **{f"{kind}{bits}": np.dtype(f"{kind.lower()}{bits}") for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)},
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(np.object_),
}
DATATYPES = tuple(_NUMPY_TYPES)
_DATATYPES = {dtype: name for name, dtype in _NUMPY_TYPES.items()}
_JSON_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "b": ((bool,), "true or false"),
    "i": ((int,), "integers"),
    "u": ((int,), "integers"),
    "f": ((int, float), "numbers"),
    "O": ((str,), "strings"),
}
MAX_TENSORS = 10_000


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named tensor of one or two dimensions."""

    name: str
    values: Array


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request for predictions; outputs names those asked for, or is empty for all."""

    id: str | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[str, ...]


def parse_request(body: bytes) -> InferRequest:
    """Parse the body of an inference request. Raises RequestRefused with the field that does not fit."""
    document = parse_object(body)
    request_id = document.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise RequestRefused("id", "a string", shown(request_id))
    inputs = tuple(_parse_tensor(entry, f"inputs[{i}]") for i, entry in enumerate(_entries(document, "inputs")))
    if not inputs:
        raise RequestRefused("inputs", "at least one tensor", "none")
    names = [tensor.name for tensor in inputs]
    if len(set(names)) != len(names):
        raise RequestRefused("inputs", "every name once", shown(names))
    outputs = _entries(document, "outputs") if document.get("outputs") is not None else []
    asked = tuple(_name(_fields(entry, f"outputs[{i}]"), f"outputs[{i}]") for i, entry in enumerate(outputs))
    return InferRequest(id=request_id, inputs=inputs, outputs=asked)


def parse_object(body: bytes) -> Mapping[str, object]:
    """Parse a JSON object. Raises RequestRefused."""
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RequestRefused("body", "JSON", str(error)) from error
    if not isinstance(document, dict):
        raise RequestRefused("body", "a JSON object", shown(document))
    return document


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name}, which JSON does not have")


def _entries(document: Mapping[str, object], field: str) -> list[object]:
    entries = document.get(field)
    if not isinstance(entries, list):
        raise RequestRefused(field, "a list", shown(entries))
    if len(entries) > MAX_TENSORS:
        raise RequestRefused(field, f"at most {MAX_TENSORS} entries", str(len(entries)))
    return entries


def _fields(entry: object, field: str) -> Mapping[str, object]:
    if not isinstance(entry, dict):
        raise RequestRefused(field, "an object", shown(entry))
    return entry


def _name(fields: Mapping[str, object], field: str) -> str:
    name = fields.get("name")
    if not isinstance(name, str) or not name:
        raise RequestRefused(f"{field}.name", "a string", shown(name))
    return name


def _parse_tensor(entry: object, field: str) -> Tensor:
    fields = _fields(entry, field)
    name = _name(fields, field)
    _refuse_binary(fields.get("parameters"), f"{field}.parameters")
    datatype = fields.get("datatype")
    if not isinstance(datatype, str) or datatype not in _NUMPY_TYPES:
        raise RequestRefused(f"{field}.datatype", f"one of {', '.join(DATATYPES)}", shown(datatype))
    shape = _parse_shape(fields.get("shape"), f"{field}.shape")
    data = _flatten(fields.get("data"), shape, f"{field}.data")
    return Tensor(name, _to_array(data, datatype, f"{field}.data").reshape(shape))


def _refuse_binary(parameters: object, field: str) -> None:
    """Parameters are tolerated, but for the one that says that the data are not here."""
    if isinstance(parameters, dict) and "binary_data_size" in parameters:
        raise RequestRefused(
            f"{field}.binary_data_size", "tensors as JSON in `data`", "the binary tensor extension", status=415
        )


def _parse_shape(shape: object, field: str) -> tuple[int, ...]:
    expected = "one or two positive integers: rows, or rows and columns"
    if not isinstance(shape, list) or len(shape) not in (1, 2):
        raise RequestRefused(field, expected, shown(shape))
    if not all(type(size) is int and 0 < size < 2**31 for size in shape):
        raise RequestRefused(field, expected, shown(shape))
    return tuple(shape)


def _flatten(data: object, shape: tuple[int, ...], field: str) -> list[object]:
    """Data in the shape's order, whether it came flat or as a list of rows."""
    count = math.prod(shape)
    if not isinstance(data, list):
        raise RequestRefused(field, "a list", shown(data))
    if len(shape) == 2 and data and isinstance(data[0], list):
        if len(data) != shape[0] or not all(isinstance(row, list) and len(row) == shape[1] for row in data):
            raise RequestRefused(field, f"{shape[0]} rows of {shape[1]} values", "rows of another number or length")
        return [value for row in data for value in row]
    if len(data) != count:
        raise RequestRefused(field, f"{count} values, as the shape says", f"{len(data)} values")
    return data


def _to_array(data: Sequence[object], datatype: str, field: str) -> Array:
    dtype = _NUMPY_TYPES[datatype]
    types, expected = _JSON_TYPES[dtype.kind]
    for i, value in enumerate(data):
        if type(value) not in types:
            raise RequestRefused(f"{field}[{i}]", f"{expected} for {datatype}", shown(value))
    try:
        with np.errstate(over="ignore"):
            array = np.array(data, dtype=dtype)
    except OverflowError:
        raise RequestRefused(field, f"values in the range of {datatype}", "a value outside") from None
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise RequestRefused(field, f"finite values in the range of {datatype}", "a value outside")
    return array


def shown(value: object) -> str:
    """A value as the client wrote it, for the `got` of an error."""
    return "nothing" if value is None else json.dumps(value)


def datatype_of(array: Array) -> str:
    """The protocol's name of an array's type. Raises ValueError for a type that it has no name for."""
    if array.dtype.kind in "OUS":
        return "BYTES"
    if array.dtype not in _DATATYPES:
        raise ValueError(f"expected a type of the Open Inference Protocol, got {array.dtype}")
    return _DATATYPES[array.dtype]


def render_tensor(name: str, array: Array) -> dict[str, object]:
    """A tensor as the protocol's JSON, data flat. Raises ValueError for values that JSON cannot hold."""
    datatype = datatype_of(array)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"output {name}: expected finite values, got NaN or infinity")
    flat = array.reshape(-1).tolist()
    data = [_text(value) for value in flat] if datatype == "BYTES" else flat
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": data}


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
