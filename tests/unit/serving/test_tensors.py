import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fairlead_serving.errors import RequestRefused
from fairlead_serving.tensors import parse_request, render_tensor


def body(**changes: Any) -> bytes:
    tensor = {"name": "x", "datatype": "FP64", "shape": [2, 2], "data": [1, 2.5, 3, 4]} | changes
    return json.dumps({"inputs": [tensor]}).encode()


def refused(content: bytes) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        parse_request(content)
    return caught.value


FINITE = {"allow_nan": False, "allow_infinity": False}
SHAPES = arrays.array_shapes(min_dims=1, max_dims=2, max_side=5)
NUMBERS = st.one_of(
    arrays.arrays(st.sampled_from(["f2", "f4", "f8"]), SHAPES, elements=None).filter(lambda a: np.isfinite(a).all()),
    arrays.arrays(st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]), SHAPES),
)
TEXTS = arrays.arrays(np.dtype(object), SHAPES, elements=st.text(max_size=5))


@given(NUMBERS | TEXTS)
def test_a_tensor_survives_the_way_to_json_and_back(array: np.ndarray) -> None:
    rendered = json.loads(json.dumps(render_tensor("x", array)))
    parsed = parse_request(json.dumps({"inputs": [rendered]}).encode()).inputs[0].values
    assert parsed.dtype == array.dtype
    assert parsed.shape == array.shape
    assert (parsed == array).all()


def test_flat_and_nested_data_are_the_same_tensor() -> None:
    flat = parse_request(body()).inputs[0].values
    nested = parse_request(body(data=[[1, 2.5], [3, 4]])).inputs[0].values
    assert (flat == nested).all()
    assert flat.tolist() == [[1, 2.5], [3, 4]]


def test_id_and_asked_outputs_are_read() -> None:
    document = json.loads(body()) | {"id": "7", "outputs": [{"name": "predict"}]}
    request = parse_request(json.dumps(document).encode())
    assert (request.id, request.outputs) == ("7", ("predict",))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "inputs[0].name"),
        ({"name": 5}, "inputs[0].name"),
        ({"datatype": "FP65"}, "inputs[0].datatype"),
        ({"datatype": None}, "inputs[0].datatype"),
        ({"datatype": []}, "inputs[0].datatype"),
        ({"shape": [4]}, None),
        ({"shape": [2, 2, 1]}, "inputs[0].shape"),
        ({"shape": []}, "inputs[0].shape"),
        ({"shape": [0, 2]}, "inputs[0].shape"),
        ({"shape": [-2, -2]}, "inputs[0].shape"),
        ({"shape": [True, 4]}, "inputs[0].shape"),
        ({"shape": [2.0, 2]}, "inputs[0].shape"),
        ({"shape": [2**31, 1]}, "inputs[0].shape"),
        ({"shape": [2**30, 2**30]}, "inputs[0].data"),
        ({"shape": "2,2"}, "inputs[0].shape"),
        ({"data": [1, 2, 3]}, "inputs[0].data"),
        ({"data": [[1, 2], [3]]}, "inputs[0].data"),
        ({"data": [[1, 2], 3, 4]}, "inputs[0].data"),
        ({"data": [[1, 2], [3, [4]]]}, "inputs[0].data[3]"),
        ({"data": {"a": 1}}, "inputs[0].data"),
        ({"data": [1, 2, 3, None]}, "inputs[0].data[3]"),
        ({"data": [1, 2, 3, "4"]}, "inputs[0].data[3]"),
        ({"data": [1, 2, 3, True]}, "inputs[0].data[3]"),
        ({"datatype": "INT64"}, "inputs[0].data[1]"),
        ({"datatype": "INT8", "data": [1, 2, 3, 128]}, "inputs[0].data"),
        ({"datatype": "UINT8", "data": [1, 2, 3, -1]}, "inputs[0].data"),
        ({"datatype": "FP32", "data": [1, 2, 3, 1e39]}, "inputs[0].data"),
        ({"datatype": "FP64", "data": [1, 2, 3, 10**400]}, "inputs[0].data"),
        ({"datatype": "BOOL", "data": [1, 0, 1, 0]}, "inputs[0].data[0]"),
        ({"datatype": "BYTES"}, "inputs[0].data[0]"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused_by_field(changes: dict[str, Any], field: str | None) -> None:
    if field is None:
        assert parse_request(body(**changes)).inputs[0].values.shape == (4,)
    else:
        assert refused(body(**changes)).field == field


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff\xfe\xfd", "body"),
        (b"[]", "body"),
        (b"[" * 100_000, "body"),
        (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [NaN]}]}', "body"),
        (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [-Infinity]}]}', "body"),
        (b'{"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1e999]}]}', "inputs[0].data"),
        (b'{"inputs": [' + b"9" * 5000 + b"]}", "body"),
        (b"{}", "inputs"),
        (b'{"inputs": []}', "inputs"),
        (b'{"inputs": [7]}', "inputs[0]"),
        (b'{"inputs": {}}', "inputs"),
        (b'{"id": 7, "inputs": []}', "id"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_by_field(content: bytes, field: str) -> None:
    assert refused(content).field == field


def test_a_name_may_come_once_only() -> None:
    tensor = json.loads(body())["inputs"][0]
    assert refused(json.dumps({"inputs": [tensor, tensor]}).encode()).field == "inputs"


def test_outputs_must_be_named_objects() -> None:
    document = json.loads(body())
    assert refused(json.dumps(document | {"outputs": ["predict"]}).encode()).field == "outputs[0]"
    assert refused(json.dumps(document | {"outputs": {}}).encode()).field == "outputs"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": JSON_VALUES | st.just("x"),
        "datatype": JSON_VALUES | st.sampled_from(["FP64", "INT8", "BYTES", "BOOL"]),
        "shape": JSON_VALUES | st.lists(st.integers(-1, 3), max_size=3),
        "data": JSON_VALUES | st.lists(JSON_VALUES, max_size=4),
    },
)


@given(JSON_VALUES | st.fixed_dictionaries({"inputs": st.lists(TENSORS | JSON_VALUES, max_size=3)}))
def test_any_json_is_parsed_or_refused(document: Any) -> None:
    try:
        request = parse_request(json.dumps(document).encode())
    except RequestRefused as error:
        assert len(error.got) <= 203
    else:
        assert request.inputs


def test_an_answer_that_json_cannot_hold_is_an_error() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="expected finite values"):
            render_tensor("predict", np.array([value]))
    with pytest.raises(ValueError, match="expected a type of the Open Inference Protocol"):
        render_tensor("predict", np.array([1j]))
