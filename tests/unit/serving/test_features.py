from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.errors import SignatureViolated
from fairlead_serving.features import FeatureSpec, to_features
from fairlead_serving.mlmodel import Column, TensorInput
from fairlead_serving.tensors import Tensor

TWO = FeatureSpec(columns=(Column("age", "long"), Column("income", "double")))


def tensor(name: str, values: list[Any], dtype: str = "f8") -> Tensor:
    return Tensor(name, np.array(values, dtype=dtype))


def table(spec: FeatureSpec, *inputs: Tensor) -> dict[str, list[Any]]:
    features = to_features(spec, inputs)
    assert not isinstance(features, np.ndarray)
    return {name: values.tolist() for name, values in features.items()}


def test_named_columns_are_put_in_the_models_order() -> None:
    given_ = (tensor("income", [[1.5], [2]]), tensor("age", [30, 40], "i8"))
    assert list(table(TWO, *given_).items()) == [("age", [30, 40]), ("income", [1.5, 2.0])]


def test_one_matrix_is_taken_apart_into_columns() -> None:
    assert table(TWO, tensor("anything", [[30, 1.5], [40, 2]])) == {"age": [30, 40], "income": [1.5, 2.0]}


def test_a_single_named_column_is_a_column() -> None:
    spec = FeatureSpec(columns=(Column("age", "long"),))
    assert table(spec, tensor("age", [1, 2], "i4")) == {"age": [1, 2]}
    assert table(spec, tensor("input", [[1], [2]], "i4")) == {"age": [1, 2]}


def test_without_columns_a_matrix_stays_a_matrix() -> None:
    features = to_features(FeatureSpec(width=2), [tensor("x", [[1, 2]])])
    assert isinstance(features, np.ndarray)
    assert features.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("spec", "inputs", "expected"),
    [
        (TWO, [tensor("age", [1])], "the columns income"),
        (TWO, [tensor("age", [1]), tensor("income", [1]), tensor("x", [1])], "only the model's 2 columns"),
        (TWO, [tensor("age", [1]), tensor("income", [1, 2])], "columns of equal length"),
        (TWO, [tensor("age", [[1, 2]]), tensor("income", [1])], r"\[rows\] or \[rows, 1\]"),
        (TWO, [tensor("input", [[1, 2, 3]])], r"\[rows, 2\]"),
        (TWO, [tensor("input", [1, 2])], r"\[rows, 2\]"),
        (FeatureSpec(width=4), [tensor("x", [[1, 2]])], r"\[rows, 4\]"),
        (FeatureSpec(), [tensor("x", [1, 2])], r"\[rows, columns\]"),
        (FeatureSpec(width=2), [tensor("a", [1]), tensor("b", [1])], "one tensor"),
    ],
)
def test_inputs_of_another_form_are_refused(spec: FeatureSpec, inputs: list[Tensor], expected: str) -> None:
    with pytest.raises(SignatureViolated, match=expected):
        to_features(spec, inputs)


@pytest.mark.parametrize(
    ("values", "dtype", "type_", "fits"),
    [
        ([1.0, 2.0], "f8", "long", True),
        ([1.5], "f8", "long", False),
        ([2.0**63], "f8", "long", False),
        ([2**63], "u8", "long", False),
        ([2**31], "i8", "integer", False),
        ([2**31 - 1], "i8", "integer", True),
        ([0.1], "f8", "float", True),
        ([1e39], "f8", "float", False),
        ([5], "i8", "double", True),
        ([float("nan")], "f8", "float", True),
        ([float("nan")], "f8", "long", False),
        (["2026-11-23"], "O", "datetime", True),
        (["x"], "O", "datetime", False),
        ([True], "?", "double", False),
        ([1], "i8", "boolean", False),
        (["a"], "O", "double", False),
        (["a"], "O", "string", True),
        ([1], "i8", "string", False),
        (["a"], "O", "any", True),
    ],
)
def test_values_change_type_only_where_none_is_lost(values: list[Any], dtype: str, type_: str, fits: bool) -> None:
    spec = FeatureSpec(columns=(Column("c", type_),))
    if fits:
        cast = table(spec, tensor("c", values, dtype))["c"]
        assert len(cast) == 1 if type_ == "datetime" else cast == pytest.approx(values, nan_ok=True)
    else:
        with pytest.raises(SignatureViolated, match="column c: expected"):
            to_features(spec, [tensor("c", values, dtype)])


@given(st.lists(st.integers(-(2**63), 2**64 - 1), min_size=1, max_size=4), st.sampled_from(["integer", "long"]))
def test_integers_never_wrap_around(values: list[int], type_: str) -> None:
    dtype = "u8" if max(values) >= 2**63 else "i8"
    if dtype == "u8" and min(values) < 0:
        return
    spec = FeatureSpec(columns=(Column("c", type_),))
    try:
        assert table(spec, tensor("c", values, dtype))["c"] == values
    except SignatureViolated:
        assert max(map(abs, values)) >= 2**31


def test_the_metadata_names_columns_or_a_matrix() -> None:
    assert TWO.describe()[0] == {"name": "age", "datatype": "INT64", "shape": [-1, 1]}
    assert FeatureSpec(width=4).describe() == [{"name": "input", "datatype": "FP64", "shape": [-1, 4]}]
    optional = FeatureSpec(columns=(Column("a", "datetime"), Column("b", "boolean", required=False)))
    assert [entry["datatype"] for entry in optional.describe()] == ["BYTES", "BOOL"]
    assert FeatureSpec(width=2, dtype="float32").describe()[0]["datatype"] == "FP32"
    assert FeatureSpec(dtype="str").describe()[0]["datatype"] == "BYTES"


def test_a_tensor_signature_gives_its_type_and_its_width() -> None:
    spec = FeatureSpec.of((), TensorInput("float32", 2), None)
    features = to_features(spec, [tensor("x", [[1, 2]], "i8")])
    assert isinstance(features, np.ndarray)
    assert features.dtype == np.float32
    with pytest.raises(SignatureViolated, match="input: expected INT64, got FP64 values that do not fit"):
        to_features(FeatureSpec(dtype="int64"), [tensor("x", [[1.5]])])
    assert FeatureSpec.of((), TensorInput(), 7).width == 7


def test_text_stays_text_in_a_matrix_without_a_type() -> None:
    features = to_features(FeatureSpec(width=1), [tensor("x", [["a"]], "O")])
    assert isinstance(features, np.ndarray)
    assert features.tolist() == [["a"]]


def test_an_optional_column_may_be_missing() -> None:
    spec = FeatureSpec(columns=(Column("age", "long"), Column("income", "double", required=False)))
    assert table(spec, tensor("age", [1], "i8")) == {"age": [1]}
