import copy
from typing import Any

import pytest
from tests.demo.answers import compare, table

COLUMNS = ["mean radius", "mean area"]
ASKED: dict[str, Any] = {
    "columns": COLUMNS,
    "rows": [[17.99, 1001.0], [9.5, 273.9]],
    "labels": [0, 0],
    "predict": [0, 1],
    "probabilities": [[0.9, 0.1], [0.25, 0.75]],
    "answers": [
        {"predict": 0, "probabilities": [0.9, 0.1], "version": "3", "seconds": 0.002},
        {"predict": 1, "probabilities": [0.25, 0.75], "version": "3", "seconds": 0.004},
    ],
}


def with_answer(row: int, **changes: Any) -> dict[str, Any]:
    asked = copy.deepcopy(ASKED)
    asked["answers"][row].update(changes)
    return asked


def test_the_models_own_answers_agree_completely() -> None:
    found = compare(ASKED)
    assert (found.complete, found.rows, found.agreeing, found.correct) == (True, 2, 2, 1)
    assert (found.version, found.median_milliseconds, found.first_problem) == ("3", 4.0, "")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"predict": 0}, "row 1: expected 1, got 0"),
        ({"probabilities": [0.2501, 0.7499]}, "row 1: expected probabilities"),
    ],
)
def test_a_different_answer_is_found_and_told(changes: dict[str, Any], told: str) -> None:
    found = compare(with_answer(1, **changes))
    assert (found.complete, found.agreeing) == (False, 1)
    assert found.first_problem.startswith(told)


def test_a_request_that_failed_is_a_disagreement() -> None:
    asked = copy.deepcopy(ASKED)
    asked["answers"][0] = {"error": "503 not ready"}
    found = compare(asked)
    assert (found.complete, found.agreeing, found.first_problem) == (False, 1, "row 0: 503 not ready")
    assert "error" in table(asked)


def test_no_rows_are_no_agreement() -> None:
    assert not compare({**ASKED, "rows": [], "labels": [], "answers": []}).complete


def test_the_table_shows_diagnosis_model_and_service_side_by_side() -> None:
    head, first, second = table(ASKED).splitlines()
    assert head.split() == [
        "row",
        "mean",
        "radius",
        "mean",
        "area",
        "diagnosis",
        "model",
        "says",
        "served",
        "P(benign)",
    ]
    assert first.split() == ["0", "17.99", "1001.0", "malignant", "malignant", "malignant", "0.1000"]
    assert second.split() == ["1", "9.50", "273.9", "malignant", "benign", "benign", "0.7500"]


def test_a_long_table_is_cut_and_says_so() -> None:
    many = {key: ASKED[key] * 10 for key in ("rows", "labels", "predict", "probabilities", "answers")}
    lines = table({**many, "columns": COLUMNS}).splitlines()
    assert len(lines) == 10
    assert lines[-1].strip() == "... and 12 more"
