"""Compares what the Service answered with the model's own answers. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROBABILITY_TOLERANCE = 1e-9
SHOWN_ROWS = 8
CLASSES = ("malignant", "benign")


@dataclass(frozen=True)
class Agreement:
    """How the answers compare: rows in all, rows answered alike, right diagnoses, and what went wrong first."""

    rows: int
    agreeing: int
    correct: int
    version: str
    median_milliseconds: float
    first_problem: str

    @property
    def complete(self) -> bool:
        """Whether every row was answered as the model itself answers it."""
        return 0 < self.rows == self.agreeing


def compare(asked: Mapping[str, Any]) -> Agreement:
    """Count agreement in what tests/demo/client.py printed."""
    problems = [problem(asked, row) for row in range(len(asked["rows"]))]
    answered = [answer for answer in asked["answers"] if "error" not in answer]
    seconds = sorted(answer["seconds"] for answer in answered) or [0.0]
    return Agreement(
        rows=len(problems),
        agreeing=problems.count(""),
        correct=sum(
            answer.get("predict") == label for answer, label in zip(asked["answers"], asked["labels"], strict=True)
        ),
        version=answered[0]["version"] if answered else "",
        median_milliseconds=1000 * seconds[len(seconds) // 2],
        first_problem=next((found for found in problems if found), ""),
    )


def problem(asked: Mapping[str, Any], row: int) -> str:
    """What is wrong with the answer to one row; empty when it is the model's own."""
    answer, expected = asked["answers"][row], asked["predict"][row]
    if "error" in answer:
        return f"row {row}: {answer['error']}"
    if answer["predict"] != expected:
        return f"row {row}: expected {expected}, got {answer['predict']}"
    pairs = zip(answer["probabilities"], asked["probabilities"][row], strict=True)
    if any(abs(got - wanted) > PROBABILITY_TOLERANCE for got, wanted in pairs):
        return f"row {row}: expected probabilities {asked['probabilities'][row]}, got {answer['probabilities']}"
    return ""


def table(asked: Mapping[str, Any]) -> str:
    """The first rows, readable: two features, the truth, the model's own answer, the Service's."""
    head = f"{'row':>3}  {'mean radius':>11}  {'mean area':>9}  {'diagnosis':<10} {'model says':<11} "
    lines = [head + f"{'served':<10} {'P(benign)':>9}"]
    columns = asked["columns"]
    for row in range(min(SHOWN_ROWS, len(asked["rows"]))):
        values = dict(zip(columns, asked["rows"][row], strict=True))
        answer = asked["answers"][row]
        served = CLASSES[answer["predict"]] if "error" not in answer else "error"
        chance = f"{answer['probabilities'][1]:9.4f}" if "error" not in answer else "-"
        lines.append(
            f"{row:>3}  {values['mean radius']:>11.2f}  {values['mean area']:>9.1f}  "
            f"{CLASSES[asked['labels'][row]]:<10} {CLASSES[asked['predict'][row]]:<11} {served:<10} {chance:>9}"
        )
    left = len(asked["rows"]) - SHOWN_ROWS
    return "\n".join(lines + ([f"  ... and {left} more"] if left > 0 else []))
