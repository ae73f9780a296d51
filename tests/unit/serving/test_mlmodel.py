import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.errors import LoadError, UnsupportedFlavor
from fairlead_serving.mlmodel import Column, ModelSpec, Serialization, TensorInput, parse_mlmodel, read_mlmodel

WRITTEN_BY_MLFLOW = Path(__file__).parent / "data" / "MLmodel"


def document(**sklearn: Any) -> dict[str, Any]:
    return {"flavors": {"sklearn": {"pickled_model": "model.skops", "serialization_format": "skops"} | sklearn}}


def parse(content: dict[str, Any]) -> ModelSpec:
    return parse_mlmodel(yaml.safe_dump(content).encode())


def test_a_file_that_mlflow_wrote_is_read() -> None:
    spec = parse_mlmodel(WRITTEN_BY_MLFLOW.read_bytes())
    assert (spec.path, spec.serialization) == (PurePosixPath("model.skops"), Serialization.SKOPS)
    assert spec.example == PurePosixPath("serving_input_example.json")
    assert (len(spec.columns), spec.columns[0]) == (30, Column("mean radius", "double"))


def test_a_model_without_signature_or_example_is_read() -> None:
    assert parse(document()) == ModelSpec(PurePosixPath("model.skops"), Serialization.SKOPS)


@pytest.mark.parametrize(("shape", "width"), [([-1, 4], 4), ([-1, -1], None), ([-1], None), ([-1, 2, 2], None)])
def test_a_tensor_signature_tells_type_and_width(shape: list[int], width: int | None) -> None:
    inputs = json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": shape}}])
    spec = parse(document() | {"signature": {"inputs": inputs}})
    assert (spec.columns, spec.tensor) == ((), TensorInput("float32", width))


def test_columns_may_be_optional_and_columns_without_names_are_none() -> None:
    inputs = json.dumps([{"type": "double", "name": "a", "required": False}, {"type": "long", "name": "b"}])
    columns = parse(document() | {"signature": {"inputs": inputs}}).columns
    assert columns == (Column("a", "double", required=False), Column("b", "long"))
    nameless = json.dumps([{"type": "double"}, {"type": "double"}])
    assert parse(document() | {"signature": {"inputs": nameless}}).columns == ()


def test_the_scoring_method_is_read_and_an_unknown_one_is_unsupported() -> None:
    content = document()
    content["flavors"]["python_function"] = {"predict_fn": "predict_proba"}
    assert parse(content).predict_method == "predict_proba"
    assert parse(document()).predict_method == "predict"
    content["flavors"]["python_function"] = {"predict_fn": "score"}
    with pytest.raises(UnsupportedFlavor, match="predict_fn: expected one of"):
        parse(content)


@pytest.mark.parametrize("path", ["../model.pkl", "/etc/passwd", "a/../../b", "", None, 7, "a\0b"])
def test_a_path_that_leads_out_of_the_folder_is_refused(path: object) -> None:
    with pytest.raises(LoadError, match="pickled_model: expected a path inside"):
        parse(document(pickled_model=path))
    with pytest.raises(LoadError, match="serving_input_path: expected a path inside"):
        parse(document() | {"saved_input_example_info": {"serving_input_path": path or ".."}})


@pytest.mark.parametrize("flavors", [{"xgboost": {}}, {"python_function": {}}, {}])
def test_another_flavor_is_unsupported(flavors: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedFlavor, match="expected sklearn, got"):
        parse({"flavors": flavors})


def test_another_format_is_unsupported() -> None:
    with pytest.raises(UnsupportedFlavor, match="serialization_format: expected one of"):
        parse(document(serialization_format="joblib"))


@pytest.mark.parametrize(
    "inputs",
    [
        "{",
        "7",
        "[1]",
        json.dumps([{"name": "a", "type": "double"}] * 2),
        "[" * 100_000,
        5,
        {"a": 1},
        '[{"type": "tensor"}]',
        '[{"type": "tensor", "tensor-spec": {"shape": 4}}]',
    ],
)
def test_a_broken_signature_is_refused(inputs: object) -> None:
    with pytest.raises(LoadError, match=r"MLmodel signature\.inputs"):
        parse(document() | {"signature": {"inputs": inputs}})


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_content_is_parsed_or_refused(content: bytes) -> None:
    with pytest.raises(LoadError):
        parse_mlmodel(content)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(LoadError, match="expected YAML"):
        parse_mlmodel(b"[" * 1500)


def test_a_missing_file_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=f"{tmp_path}/MLmodel: expected a readable MLmodel file"):
        read_mlmodel(tmp_path)


def test_an_oversized_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_bytes(b"#" * (4 * 2**20 + 1))
    with pytest.raises(LoadError, match="expected at most"):
        read_mlmodel(tmp_path)
