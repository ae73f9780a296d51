"""The commands that look: their output and their exit codes."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.cli.plugin.fake_api import FakeApi
from tests.unit.cli.plugin.statuses import NEW, OLD, ended, rolled_back, rolling, slot, status

from fairlead.api.resource import parse_model_deployment
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.record import as_json

SEVEN = {**status(), "stable": slot(NEW, "7")}


def test_status_tells_and_ends_with_0() -> None:
    done = FakeApi([rolling()]).run("status", "churn")
    assert done.exit_code == 0
    assert done.stdout.startswith("churn in team: Canary, ")
    assert FakeApi([rolling()]).run("status", "md/churn").stdout == done.stdout


def test_status_without_a_name_lists_all() -> None:
    done = FakeApi([rolling()]).run("status")
    assert (done.exit_code, done.stdout.split()[:1], "md/churn" in done.stdout) == (0, ["NAME"], True)
    everywhere = FakeApi([rolling()])
    everywhere.other = lambda request: (
        httpx.Response(200, json={"items": [], "metadata": {}}) if "/namespaces/" not in request.url.path else None
    )
    done = everywhere.run("status", "-A")
    assert (done.exit_code, done.stdout) == (0, "no ModelDeployment and no TrainingJob in any namespace\n")


def test_json_is_one_document() -> None:
    done = FakeApi([rolling()]).run("status", "churn", "-o", "json")
    assert json.loads(done.stdout)["status"]["phase"] == "Canary"


@pytest.mark.parametrize(
    ("states", "code", "last"),
    [
        ([rolling(), SEVEN], 0, f"version 7 is stable (revision {NEW})"),
        ([status(), rolling(), SEVEN], 0, f"version 7 is stable (revision {NEW})"),
        ([rolling(), rolled_back()], 1, "RolledBack, it was worse than what it was to replace"),
        ([rolling(), rolled_back(phase="Inconclusive", history=[ended("Inconclusive")])], 1, "without a verdict"),
        ([rolled_back()], 1, f"revision {NEW} is quarantined"),
        ([rolling(), rolling()], 1, "churn was deleted"),
    ],
)
def test_waiting_ends_as_the_rollout_does(states: list[dict[str, Any]], code: int, last: str) -> None:
    done = FakeApi(states).run("status", "churn", "--wait", "--version", "7", "--timeout", "20s")
    assert done.exit_code == code, done.output
    assert last in done.output.splitlines()[-1]
    assert (code == 0) == (done.stderr == "")


def test_waiting_ends_with_3_when_the_time_is_over() -> None:
    done = FakeApi([rolling()], hangs=True).run("status", "churn", "--wait", "--timeout", "1s")
    assert done.exit_code == 3
    assert "not there within 1s; last seen: 38 candidate requests more" in done.stderr


def test_watching_prints_one_line_for_each_change() -> None:
    done = FakeApi([status(), rolling(), rolling(), rolled_back()]).run("status", "churn", "--watch")
    lines = done.stdout.splitlines()
    assert [line.split()[2] for line in lines] == ["Stable", "Canary", "RolledBack"]
    assert all(line.startswith("2026-05-04 12:00:00Z ") for line in lines)
    assert (done.exit_code, done.stderr) == (1, "Error: churn was deleted\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--wait"),
        ("status", "--watch"),
        ("status", "-o", "json"),
        ("status", "churn", "--version", "7"),
        ("status", "churn", "--timeout", "1m"),
        ("status", "churn", "--wait", "--timeout", "soon"),
        ("status", "pod/churn"),
        ("replay",),
        ("replay", "churn", "--file", "x"),
        ("history",),
        ("promote",),
        ("dance", "churn"),
    ],
)
def test_what_is_no_command_ends_with_2(arguments: tuple[str, ...]) -> None:
    api = FakeApi([rolling()])
    assert api.run(*arguments).exit_code == 2
    assert not api.written


def test_a_name_that_is_not_there_ends_with_4() -> None:
    done = FakeApi([rolling()]).run("status", "other")
    assert (done.exit_code, done.stdout) == (4, "")
    assert "expected a ModelDeployment or TrainingJob 'other' in namespace 'team', got none" in done.stderr


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (403, "the API server does not allow it: no; docs/cli.md lists the rights"),
        (401, "HTTP 401: no"),
        (503, "HTTP 503: no"),
        (422, "the API server refuses it: no"),
    ],
)
def test_an_api_server_that_does_not_answer_as_it_should_ends_with_4(code: int, words: str) -> None:
    done = FakeApi([rolling()], other=lambda _: httpx.Response(code, json={"message": "no"})).run("status", "churn")
    assert (done.exit_code, words in done.stderr) == (4, True)


def test_a_status_that_this_plugin_cannot_read_names_the_field() -> None:
    done = FakeApi([status("Dancing")]).run("status", "churn")
    assert done.exit_code == 4
    assert "status" not in done.stdout and "phase" in done.stderr and "older than the operator" in done.stderr


def test_history_tells_what_has_ended() -> None:
    done = FakeApi([rolled_back()]).run("history", "churn")
    assert (done.exit_code, "12 of 60 requests failed" in done.stdout) == (0, True)
    assert FakeApi([status()]).run("history", "churn").stdout == "no rollout has ended yet\n"


def test_replay_explains_the_rollout_that_is_on() -> None:
    done = FakeApi([rolling()]).run("replay", "churn")
    assert (done.exit_code, "the rollout began" in done.stdout) == (0, True)
    done = FakeApi([rolled_back()]).run("replay", "churn")
    assert (done.exit_code, "see `history`" in done.stderr) == (1, True)


def test_replay_hands_a_file_over(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text(json.dumps({"policy": as_json(Policy())}))
    done = FakeApi([rolling()]).run("replay", "--file", str(file))
    assert done.exit_code == 0
    assert FakeApi([rolling()]).run("replay", "--file", str(tmp_path / "absent")).exit_code == 2


def test_the_operator_s_schema_fits_what_these_tests_say() -> None:
    for said in (status(), rolling(), rolled_back(), SEVEN):
        api = FakeApi([said])
        parsed = parse_model_deployment(api.body)
        assert parsed.status.stable and parsed.status.stable.revision in (OLD, NEW)
