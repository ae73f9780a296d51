from typing import Any

from tests.demo.view import Scene, draw
from tests.unit.builders import NOW, serving_body
from tests.unit.cli.plugin.statuses import NEW, rolling, status

from fairlead.api.resource import ModelDeployment, parse_model_deployment
from fairlead.cli.plugin.bars import PLAIN


def deployment(said: dict[str, Any]) -> ModelDeployment:
    return parse_model_deployment(serving_body(status=said, model={"name": "churn", "alias": "candidate"}))


def drawn(scene: Scene) -> list[str]:
    return [line.plain for line in draw(scene, NOW, PLAIN)][1:]


def test_before_anything_serves_only_the_story_is_drawn() -> None:
    assert drawn(Scene(current="training", seconds=3.2)) == ["Story      training 3 s"]


def test_the_story_shows_what_was_told_and_what_is_waited_for() -> None:
    scene = Scene("serving", 2.0, {"training": 12.4}, now="ModelDeployment churn: Starting")
    assert drawn(scene) == ["Story      training 12 s > serving 2 s", "Now        ModelDeployment churn: Starting"]


def test_shares_are_told_by_version_with_evidence_and_users_below() -> None:
    lines = drawn(Scene("a better version", 9, deployment=deployment(rolling()), users="400/72000 sent, 0 failed"))
    assert "Traffic    [=======================#] 95% version 6, 5% version 7" in lines
    assert any(line.startswith("Requests") and "112 of 150, 1 failure" in line for line in lines)
    assert lines[-1] == "Users      400/72000 sent, 0 failed"


def test_a_mirror_is_told_by_version() -> None:
    said = rolling("Shadow")
    said["traffic"]["mirror"] = {"revision": NEW, "percent": 50}
    assert "           a copy of 50% to version 7" in drawn(Scene(deployment=deployment(said)))


def test_without_a_rollout_no_evidence_is_drawn() -> None:
    assert not any(line.startswith(("Rollout", "Fast")) for line in drawn(Scene(deployment=deployment(status()))))
