"""What a policy would do."""

from pathlib import Path

import pytest

from fairlead.cli import replay, simulate
from fairlead.cli.simulate import Version, live
from fairlead.core.evidence.policy import Policy

GOOD = Version("good", 0.005, 0.002)


def test_a_bad_version_lives_for_seconds_and_the_same_seed_gives_the_same_life() -> None:
    bad = Version("bad", 0.5, 0.002)
    lives = [live(Policy(), bad, GOOD, 50.0, seconds=120, seed=3) for _ in range(2)]
    assert lives[0] == lives[1]
    assert lives[0].rolled_back_seconds is not None
    assert lives[0].rolled_back_seconds < 60


def test_a_good_version_lives() -> None:
    life = live(Policy(), GOOD, GOOD, 20.0, seconds=120, seed=1)
    assert life.rolled_back_seconds is None


def test_a_good_version_that_finishes_ends_its_run() -> None:
    policy = Policy(steps_percent=(50.0,), min_step_seconds=1, guard_seconds=1, min_requests=1)
    assert live(policy, GOOD, GOOD, 20.0, seconds=10**6, seed=1).rolled_back_seconds is None


def test_the_table_has_a_row_for_each_kind_of_version(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--runs", "3", "--seconds", "40", "--requests-per-second", "2000", "--set", "max_slow_rate=0.01"]
    assert simulate.main(options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:20].strip() for line in lines[1:]] == [
        "as good as stable",
        "2% errors",
        "5% errors",
        "20% errors",
        "100% errors",
        "5% slow",
        "20% slow",
        "100% slow",
    ]
    assert "3 of 3" in lines[5]
    assert "0 of 3" in lines[1]


def test_the_samples_of_a_bad_version_can_be_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "rollout.jsonl"
    assert simulate.main(["--runs", "1", "--seconds", "60", "--log", str(log)]) == 0
    assert f"python -m fairlead replay {log}" in capsys.readouterr().out
    assert replay.main([str(log), "--changes"]) == 0
    assert "roll back" in capsys.readouterr().out.replace("_", " ").replace("-", " ").lower()


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--runs", "1", "--seconds", "2", "--log", str(tmp_path / "none" / "x")]) == 2
    assert "--log: [Errno 2]" in capsys.readouterr().err


def test_a_policy_out_of_range_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--set", "alpha=0.5"]) == 2
    assert "alpha: expected 1e-06 to 0.2, got 0.5" in capsys.readouterr().err


def test_beside_a_stable_that_never_fails_a_bad_version_is_found_as_soon() -> None:
    life = live(Policy(), Version("bad", 0.5, 0.0), Version("perfect", 0.0, 0.0), 50.0, seconds=120, seed=3)
    assert life.rolled_back_seconds is not None
