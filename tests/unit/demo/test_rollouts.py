"""The parts under traffic, against a cluster that only answers from a list."""

from typing import Any, cast

import pytest
from tests.cluster.interface import Cluster
from tests.demo.progress import DemoError, Progress
from tests.demo.rollouts import Rollouts, parse
from tests.demo.story import Story
from tests.demo.users import Mlflow
from tests.unit.builders import serving_body
from tests.unit.cli.plugin.statuses import ended, rolled_back, rolling, status

from fairlead.api.rollout_status import Outcome

SINCE = "2026-05-04T11:57:00Z"


class Told:
    """Answers as cluster, story and registry would. seen: statuses of the ModelDeployment, the last one for good."""

    def __init__(self, *seen: dict[str, Any], fields: str = "canary shadow", champion: str = "") -> None:
        self.seen = list(seen)
        self.fields = fields.split()
        self.champion = champion
        self.patches: list[str] = []
        self.trained: list[dict[str, Any]] = []

    def get(self, kind: str, name: str) -> dict[str, Any]:
        if kind == "crd":
            rollout = {"properties": {field: {} for field in self.fields}}
            spec = {"properties": {"spec": {"properties": {"rollout": rollout}}}}
            return {"spec": {"versions": [{"schema": {"openAPIV3Schema": spec}}]}}
        said = self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]
        return serving_body(status=said, model={"name": "churn", "alias": "candidate"})

    def kubectl(self, *args: str) -> str:
        self.patches.append(args[-1])
        return ""

    def train_as(self, body: dict[str, Any], name: str) -> dict[str, Any]:
        self.trained.append(body)
        return {"status": {"modelVersion": {"version": "7"}}}

    def version_of_alias(self, model: str, alias: str) -> str:
        return self.champion


def rollouts(told: Told) -> Rollouts:
    return Rollouts(cast(Cluster, told), Progress(), cast(Story, told), cast(Mlflow, told))


def promoted(**other: Any) -> dict[str, Any]:
    return status(history=[ended("Promoted", since=SINCE, **other)])


def test_a_better_version_is_followed_to_its_promotion_and_the_alias_with_it() -> None:
    told = Told(status(), rolling(), promoted(told=True), champion="7")
    play = rollouts(told)
    play.better()
    assert told.trained[0]["spec"]["params"] == {"C": "0.3", "seed": "7"}
    assert [item.came_of_it for item in play.happened] == ["promoted after 60.0 s; champion moved to it"]


def test_an_alias_that_the_registry_was_not_told_of_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.demo.rollouts.TOLD_SECONDS", 0)
    play = rollouts(Told(promoted(), champion="6"))
    play.better()
    assert play.happened[0].came_of_it.endswith("champion not moved yet")


def test_an_alias_that_did_not_move_though_the_registry_was_told_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.demo.rollouts.TOLD_SECONDS", 0)
    with pytest.raises(DemoError, match=r"alias champion: .* got: at version 6"):
        rollouts(Told(promoted(told=True), champion="6")).better()


def test_another_end_than_the_expected_one_fails_with_what_was_seen() -> None:
    with pytest.raises(DemoError, match=r"version 7: expected Promoted, got rolled back.*12 of 60 requests failed"):
        rollouts(Told(rolled_back())).follow("7", expected=Outcome.PROMOTED)


def test_a_broken_version_is_hauled_back_while_the_one_before_serves_on() -> None:
    play = rollouts(Told(rolled_back()))
    play.broken()
    came = play.happened[0].came_of_it
    assert came == "rolled back, no share (ErrorsAboveStable), quarantined; version 6 serves on"


def test_a_version_that_is_hauled_back_without_quarantine_fails_the_demo() -> None:
    with pytest.raises(DemoError, match="expected it quarantined and 6 serving"):
        rollouts(Told(rolled_back(quarantine=[]))).broken()


def test_the_shadow_is_asked_for_and_taken_back() -> None:
    told = Told(promoted())
    rollouts(told).shadowed()
    assert '"percent": 50' in told.patches[0]
    assert told.patches[1] == '{"spec": {"rollout": {"shadow": null}}}'


def test_without_the_field_the_shadow_is_skipped_and_that_is_said() -> None:
    told = Told(status(), fields="canary")
    play = rollouts(told)
    play.shadowed()
    assert play.happened[0].came_of_it.startswith("skipped")
    assert not told.patches


def test_a_deployment_that_is_gone_is_told_in_one_message() -> None:
    with pytest.raises(DemoError, match="ModelDeployment breast-cancer: expected to read it"):
        parse({})
