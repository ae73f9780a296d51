import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.errors import RequestRefused, SignatureViolated
from fairlead_serving.features import FeatureSpec
from fairlead_serving.mlmodel import Column
from fairlead_serving.scoring import parse_csv, parse_scoring

PEOPLE = FeatureSpec(
    columns=(
        Column("age", "long"),
        Column("income", "double"),
        Column("city", "string"),
        Column("member", "boolean", required=False),
    )
)
ROW = {"age": 30, "income": 1.5, "city": "Oslo", "member": True}
MATRIX = FeatureSpec(width=2)


def parsed(document: Any, spec: FeatureSpec) -> Any:
    features = parse_scoring(json.dumps(document).encode(), spec)
    if isinstance(features, np.ndarray):
        return features.tolist()
    return {name: values.tolist() for name, values in features.items()}


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())], "index": [7]}},
        {"dataframe_split": {"data": [list(ROW.values())]}},
        {"dataframe_records": [ROW]},
        {"instances": [ROW]},
        {"inputs": [ROW]},
        {"inputs": [list(ROW.values())]},
        {"inputs": {name: [value] for name, value in ROW.items()}, "params": {"x": 1}},
        {"inputs": {name: [[value]] for name, value in ROW.items()}},
    ],
)
def test_every_form_gives_the_same_columns(document: Any) -> None:
    assert parsed(document, PEOPLE) == {"age": [30], "income": [1.5], "city": ["Oslo"], "member": [True]}


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": [[1, 2.5]]},
        {"instances": [[1, 2.5]]},
        {"dataframe_split": {"columns": ["b", "a"], "data": [[1, 2.5]]}},
        {"dataframe_records": [{"x": 1, "y": 2.5}]},
    ],
)
def test_every_form_gives_the_same_matrix(document: Any) -> None:
    assert parsed(document, MATRIX) == [[1.0, 2.5]]


def test_null_is_a_missing_value_where_the_model_answers_such_rows_or_the_column_is_optional() -> None:
    spec = replace(PEOPLE, missing=True)
    assert np.isnan(parsed({"dataframe_records": [ROW | {"income": None}]}, spec)["income"][0])
    assert np.isnan(parsed({"inputs": [[None, 1]]}, replace(MATRIX, missing=True))[0][0])
    optional = FeatureSpec(columns=(Column("city", "string", required=False), Column("x", "double", required=False)))
    features = parsed({"dataframe_records": [{"city": None, "x": None}]}, optional)
    assert features["city"] == [None]
    assert np.isnan(features["x"][0])


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "body"),
        ({"inputs": [[1]], "instances": [[1]]}, "body"),
        ({"dataframe_split": []}, "dataframe_split"),
        ({"dataframe_split": {"columns": ["a"], "rows": []}}, "dataframe_split"),
        ({"dataframe_split": {"columns": ["a"]}}, "dataframe_split.data"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "dataframe_split.columns"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}, "dataframe_split.data[0]"),
        ({"dataframe_split": {"columns": "ab", "data": [[1, 2]]}}, "dataframe_split.columns"),
        ({"dataframe_records": {}}, "dataframe_records"),
        ({"dataframe_records": []}, "dataframe_records"),
        ({"dataframe_records": [1]}, "dataframe_records"),
        ({"inputs": []}, "inputs"),
        ({"inputs": "x"}, "inputs"),
        ({"inputs": [[]]}, "inputs[0]"),
        ({"inputs": {"age": 1}}, "inputs.age"),
        ({"inputs": [{"age": 1}, 2]}, "inputs"),
    ],
)
def test_a_malformed_body_is_refused_by_field(document: Any, field: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        parse_scoring(json.dumps(document).encode(), PEOPLE)
    assert (caught.value.field, caught.value.status) == (field, 400)


@pytest.mark.parametrize(
    ("document", "spec", "field"),
    [
        ({"dataframe_records": [{"age": 1, "income": 2}]}, PEOPLE, "inputs"),
        ({"dataframe_records": [ROW | {"more": 1}]}, PEOPLE, "inputs"),
        ({"dataframe_records": [ROW | {"age": "30"}]}, PEOPLE, "dataframe_records.age[0]"),
        ({"dataframe_records": [ROW | {"age": 1.5}]}, PEOPLE, "column age"),
        ({"dataframe_records": [ROW | {"age": None}]}, PEOPLE, "dataframe_records.age[0]"),
        ({"dataframe_records": [ROW | {"age": 10**30}]}, PEOPLE, "column age"),
        ({"dataframe_records": [ROW | {"income": None}]}, PEOPLE, "dataframe_records.income[0]"),
        ({"dataframe_records": [ROW | {"city": None}]}, PEOPLE, "dataframe_records.city[0]"),
        ({"inputs": [[None, 1]]}, MATRIX, "inputs[0]"),
        ({"dataframe_records": [ROW | {"income": True}]}, PEOPLE, "dataframe_records.income[0]"),
        ({"dataframe_records": [ROW | {"city": 1}]}, PEOPLE, "dataframe_records.city[0]"),
        ({"dataframe_records": [ROW | {"member": 1}]}, PEOPLE, "dataframe_records.member[0]"),
        ({"inputs": [[1, 2, 3]]}, MATRIX, "inputs[0]"),
        ({"inputs": [[1, 2], 3]}, MATRIX, "inputs[1]"),
        ({"inputs": [[1, [2]]]}, MATRIX, "inputs[1]"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, PEOPLE, "inputs"),
        ({"inputs": [["a", "b"]]}, FeatureSpec(width=2, dtype="float64"), "input"),
    ],
)
def test_what_does_not_fit_the_signature_is_a_422(document: Any, spec: FeatureSpec, field: str) -> None:
    with pytest.raises(SignatureViolated) as caught:
        parse_scoring(json.dumps(document).encode(), spec)
    assert (caught.value.field, caught.value.status) == (field, 422)


def test_columns_of_unequal_length_are_no_matrix() -> None:
    with pytest.raises(RequestRefused, match="columns of equal length"):
        parse_scoring(b'{"inputs": {"a": [1], "b": [1, 2]}}', MATRIX)


def csv(text: str, spec: FeatureSpec) -> Any:
    features = parse_csv(text.encode(), spec)
    if isinstance(features, np.ndarray):
        return features.tolist()
    return {name: values.tolist() for name, values in features.items()}


def test_comma_separated_values_are_read_by_the_columns_types() -> None:
    table = csv('city,age,income,member\n007,30,1.5,true\n"a,b",31,2,False\n', PEOPLE)
    assert table == {"age": [30, 31], "income": [1.5, 2.0], "city": ["007", "a,b"], "member": [True, False]}
    assert csv("a,b\n1,2.5\n", MATRIX) == [[1.0, 2.5]]


@pytest.mark.parametrize("text", ["", "a,b\n", "a,a\n1,2\n", "a,b\n1\n", 'a,b\n"1,2\n', "a,b\n1,2,3\n"])
def test_malformed_comma_separated_values_are_refused(text: str) -> None:
    with pytest.raises(RequestRefused, match="body"):
        csv(text, MATRIX)


@pytest.mark.parametrize("text", ["city,age,income\nOslo,x,1\n", "city,age\nOslo,1\n", "city,age,income\nOslo,,1\n"])
def test_comma_separated_values_that_do_not_fit_are_a_422(text: str) -> None:
    with pytest.raises(SignatureViolated):
        csv(text, PEOPLE)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(ROW)), inner, max_size=4),
    max_leaves=8,
)
FORMS = st.sampled_from(["dataframe_split", "dataframe_records", "inputs", "instances"])


@given(st.dictionaries(FORMS, JSON_VALUES, max_size=2), st.sampled_from([PEOPLE, MATRIX, FeatureSpec()]))
def test_any_body_is_parsed_or_refused(document: dict[str, Any], spec: FeatureSpec) -> None:
    try:
        parsed(document, spec)
    except RequestRefused as error:
        assert error.status in (400, 422)


@given(st.text(max_size=40), st.sampled_from([PEOPLE, MATRIX, FeatureSpec()]))
def test_any_text_is_parsed_or_refused(text: str, spec: FeatureSpec) -> None:
    try:
        csv(text, spec)
    except RequestRefused as error:
        assert error.status in (400, 422)
