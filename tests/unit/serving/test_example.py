import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead_serving import example as module
from fairlead_serving.example import Example, read_example, synthesise
from fairlead_serving.features import FeatureSpec, to_features
from fairlead_serving.mlmodel import Column
from fairlead_serving.scoring import parse_scoring
from fairlead_serving.tensors import parse_request

TYPES = ("boolean", "integer", "long", "float", "double", "string")
TABLE = FeatureSpec(columns=tuple(Column(name, name) for name in TYPES))


@pytest.mark.parametrize("spec", [TABLE, FeatureSpec(width=3), FeatureSpec(width=3, dtype="int32")])
def test_a_made_up_row_fits_the_signature_in_both_protocols(spec: FeatureSpec) -> None:
    example = synthesise(spec)
    assert example is not None
    assert example.rows == 1
    to_features(spec, parse_request(json.dumps({"inputs": example.tensors()}).encode()).inputs)
    parse_scoring(json.dumps(example.scoring()).encode(), spec)


def test_only_made_up_text_proves_nothing() -> None:
    texts, numbers = synthesise(TABLE), synthesise(FeatureSpec(columns=TABLE.columns[:5]))
    assert texts is not None and texts.proves_nothing
    assert numbers is not None and not numbers.proves_nothing


def test_nothing_is_made_up_for_a_model_that_does_not_tell_its_width() -> None:
    assert synthesise(FeatureSpec()) is None
    assert synthesise(FeatureSpec(width=2, dtype="nonsense")) is not None


def test_dates_are_shown_as_text() -> None:
    example = synthesise(FeatureSpec(columns=(Column("day", "datetime"),)))
    assert example is not None
    assert str(example.tensors()[0]["data"]).startswith("['1970-01-01T00:00:00")


def test_the_example_of_the_model_is_read_and_shown_in_two_rows(tmp_path: Path) -> None:
    file = tmp_path / "example.json"
    file.write_text(json.dumps({"inputs": [[1, 2], [3, 4], [5, 6]]}))
    example = read_example(file, FeatureSpec(width=2))
    assert example is not None
    assert example.rows == 3
    assert example.tensors()[0]["data"] == [1, 2, 3, 4]
    assert example.scoring() == {"inputs": [[1, 2], [3, 4]]}


def test_a_large_example_is_left_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EXAMPLE_BYTES", 3)
    (tmp_path / "example.json").write_text('{"inputs": [[1, 2]]}')
    assert read_example(tmp_path / "example.json", FeatureSpec(width=2)) is None


def test_an_example_with_missing_numbers_is_read_but_not_shown(tmp_path: Path) -> None:
    (tmp_path / "example.json").write_text('{"inputs": [[1, null]]}')
    example = read_example(tmp_path / "example.json", FeatureSpec(width=2))
    assert example is not None
    assert example.tensors() == []


@pytest.mark.parametrize(
    ("features", "missing"),
    [
        (np.ones((2, 2)), [[np.nan, np.nan]]),
        (np.ones((2, 2), int), None),
        ({"a": np.ones(2), "b": np.ones(2, int)}, {"a": [np.nan], "b": [1]}),
        ({"b": np.ones(2, int)}, None),
    ],
)
def test_numbers_that_could_be_missing_are_taken_out_of_a_row(features: Any, missing: Any) -> None:
    tried = Example(features).with_missing_numbers()
    if missing is None:
        assert tried is None
    else:
        assert tried is not None
        np.testing.assert_equal(tried.features, missing)
