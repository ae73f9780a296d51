"""Going through a rollout again."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from tests.unit.core.evidence.streams import Gateway, steady

from fairlead.cli import replay
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.record import as_json
from fairlead.core.evidence.sample import Sample
from fairlead.core.evidence.state import State
from fairlead.core.rollout.decide import Verdict, begin, decide
from fairlead.core.rollout.orders import Orders


def rollout(policy: Policy, bad: float) -> list[tuple[State, Sample, Verdict]]:
    """The (state before, sample, verdict) of each look."""
    gateway, each, state, looks = Gateway(), steady(bad=bad, good=0.005), begin(policy), []
    for second in range(60):
        sample = Sample(1000.0 + second, (gateway.reading(second, state.weight_percent),))
        after, verdict = decide(policy, state, sample)
        looks.append((state, sample, verdict))
        state = after
        gateway.serve(each(state.weight_percent))
    return looks


def written(folder: Path, lines: list[dict[str, Any]]) -> Path:
    """A file of these lines."""
    path = folder / "rollout.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    return path


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Every decision of a rollout that ended badly."""
    policy = Policy(steps_percent=(10.0,), min_step_seconds=600)
    return written(
        tmp_path,
        [
            {"policy": as_json(policy), "state": as_json(state), "sample": as_json(sample), "verdict": as_json(verdict)}
            for state, sample, verdict in rollout(policy, 0.2)
        ],
    )


def test_every_recorded_decision_comes_out_again(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main([str(records)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 61
    assert any("brake " in line for line in lines)
    assert any("rollBack" in line and "ErrorsAboveStable" in line for line in lines)


def test_only_what_happened_is_printed_on_request(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main([str(records), "--changes"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_what_somebody_ordered_is_part_of_a_record(tmp_path: Path) -> None:
    policy, orders = Policy(steps_percent=(10.0,), min_step_seconds=600), Orders(paused=True)
    lines = []
    for state, sample, _ in rollout(policy, 0.2):
        _, verdict = decide(policy, state, sample, orders)
        parts = {"policy": policy, "state": state, "sample": sample, "orders": orders, "verdict": verdict}
        lines.append({name: as_json(part) for name, part in parts.items()})
    assert replay.main([str(written(tmp_path, lines))]) == 0
    without = [{name: part for name, part in line.items() if name != "orders"} for line in lines]
    assert replay.main([str(written(tmp_path, without))]) == 1


def test_a_verdict_that_was_changed_is_found(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in records.read_text().split("\n") if line]
    lines[7]["verdict"]["fast"] += 1e-12
    assert replay.main([str(written(records.parent, lines))]) == 1
    said = capsys.readouterr()
    assert "line 8: the file has another verdict" in said.out
    assert "1 of the recorded verdicts came out differently" in said.err


def test_a_sample_log_replays_a_whole_rollout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = Policy(steps_percent=(10.0,), min_step_seconds=600)
    looks = rollout(policy, 0.2)
    path = written(tmp_path, [{"policy": as_json(policy)}, *({"sample": as_json(sample)} for _, sample, _ in looks)])
    assert replay.main([str(path)]) == 0
    out = StringIO()
    last = replay.describe(59, looks[-1][2])
    assert capsys.readouterr().out.splitlines()[-1] == last, out


def test_another_policy_makes_something_else_of_it(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main([str(records), "--set", "mode=observe", "--set", "max_error_rate=0.5", "--changes"]) == 0
    assert "(told only)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "line 1: expected a JSON object, got 'nonsense'"),
        ('{"smaple": {}}', "line 1: expected policy, state, sample, orders, verdict, probation"),
        ("[]", "line 1: expected policy, state, sample, orders, verdict, probation"),
        ('\n{"sample": {"at_seconds": "x"}}', "line 2: sample.at_seconds: expected float, got 'x'"),
        ('{"policy": {"alpha": 7}}', "alpha: expected 1e-06 to 0.2, got 7"),
    ],
)
def test_a_file_that_is_none_is_refused_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    assert replay.main([str(path)]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main([str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err
