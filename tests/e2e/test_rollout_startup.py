"""New versions that do not come up, or die of what they are asked: given up under traffic, and no user notices."""

from typing import Any

import pytest
from tests.e2e.examples import example, infer_load
from tests.e2e.registry import Mlflow
from tests.e2e.rollout import SHORT, Watched, version
from tests.e2e.trainers import ANSWERS_NAN
from tests.e2e.world import CRASH, HOG, World
from tests.load import background_load

pytestmark = [pytest.mark.together, pytest.mark.long(2.5)]

VERDICT_SECONDS = 120.0
FIRST_SECONDS = 15.0
"""For its first 150 requests, at 100 a second."""
KILLED = {"OutOfMemory", "ContainerCrashed"}
"""A busy node may see the exit of a container's only process before its kernel's word for it: then it is a crash with
code 137. That the word is shown when it comes is tested in test_broken_revisions.py."""
BROKEN: dict[str, tuple[dict[str, Any], set[str]]] = {
    "crashes as it starts": ({"container": {"command": ["python", "-c", CRASH]}}, {"ContainerCrashed"}),
    "takes too much memory as it starts": ({"container": {"command": ["python", "-c", HOG]}}, KILLED),
    "crashes when it is asked": ({"env": {"CRASH": "1"}}, {"ContainerCrashed", "EveryRequestFailed"}),
    "takes too much memory when it is asked": ({"env": {"HOG": "1"}}, {*KILLED, "EveryRequestFailed"}),
}


def test_a_first_version_that_fails_its_users_is_never_ready_and_the_next_one_takes_over_at_once(
    watched: Watched,
) -> None:
    first = watched.serving(env={"FAIL": "0.5"})
    ready = watched.world.condition("md", "web", "Ready")
    assert ready["status"] == "False", ready
    with background_load(watched.plan()) as load:
        watched.until("Failed", seconds=120)
        for condition in ("Ready", "RolledOut"):
            told = watched.world.condition("md", "web", condition)
            assert (told["status"], told["reason"]) == ("False", "ErrorsAboveLimit"), told
            assert "requests failed" in told["message"]
        never = watched.world.condition("md", "web", "Ready")
        assert never["lastTransitionTime"] == ready["lastTransitionTime"], "it was not Ready in between"
        assert watched.ended() == (first, "Failed", "ErrorsAboveLimit")
        assert watched.weights() == {first: 100}, "there is no other"
        assert "ErrorsAboveLimit" in watched.world.events("web")
        watched.world.apply(version(2))
        second = watched.world.wait_rolled_out("web", seconds=60)["status"]["stable"]["revision"]
        watched.until("Stable", seconds=FIRST_SECONDS)
        assert load.report().non2xx > 0
    assert watched.weights() == {second: 100}
    assert watched.world.condition("md", "web", "Ready")["status"] == "True"
    assert not watched.status.get("evidence"), "no steps: there was nothing to lose"
    assert watched.status["probation"]["revision"] == second


def test_versions_that_cannot_serve_are_rolled_back_for_what_they_died_of(watched: Watched) -> None:
    old = watched.serving()
    with background_load(watched.plan(seconds=600)) as load:
        for number, (what, (changes, reasons)) in enumerate(BROKEN.items(), 2):
            bad = watched.ship(number, **changes)
            watched.world.wait(what, lambda bad=bad: has_ended(watched, bad), seconds=VERDICT_SECONDS)
            revision, outcome, reason = watched.ended()
            assert (revision, outcome) == (bad, "RolledBack")
            assert reason in reasons, what
        report = load.report()
    assert report.failed == 0, report.describe()
    assert watched.weights() == {old: 100}
    assert len(watched.status["quarantine"]) == len(BROKEN)


def has_ended(watched: Watched, revision: str) -> bool:
    """Whether the newest end is this revision's."""
    history = watched.status.get("history", ())
    return bool(history) and history[-1]["revision"] == revision


def test_a_version_without_an_image_is_told_and_tried_again_when_it_is_named_rightly(watched: Watched) -> None:
    old = watched.serving()
    with background_load(watched.plan()) as load:
        watched.ship(2, container={"image": "localhost/no-such-image:1"})
        told = {"ImageNotFound", "ImagePullFailed"}
        watched.world.wait("the image is told of", lambda: watched.world.reason("md", "web") in told, seconds=60)
        assert watched.weights() == {old: 100}
        new = watched.ship(2)
        watched.until("Stable", seconds=120)
        report = load.report()
    assert report.failed == 0, report.describe()
    assert watched.weights() == {new: 100}
    assert not watched.status.get("quarantine")


def test_a_model_whose_answers_its_own_server_refuses_is_rolled_back_by_its_files(world: World, mlflow: Mlflow) -> None:
    model = f"{world.namespace}-cancer"
    deployment = example("breast-cancer-serving.yaml", model)
    deployment["spec"]["rollout"] = SHORT
    name = deployment["metadata"]["name"]
    world.apply(example("breast-cancer-training.yaml", model))
    first = world.wait_ended("breast-cancer", seconds=180)["status"]
    world.apply(deployment)
    old = world.wait_rolled_out(name, seconds=120)["status"]["stable"]["revision"]
    row = mlflow.artifact(first["run"]["id"], "heldout.json")["rows"][0]
    with background_load(infer_load(f"{world.url(name)}/v2/models/{name}/infer", row, rate=40)) as load:
        again = example("breast-cancer-training.yaml", model)
        again["metadata"]["name"] = "nan"
        again["spec"]["container"] |= {"command": ANSWERS_NAN}
        again["spec"].pop("gate", None)
        world.apply(again)
        second = world.wait_ended("nan", seconds=180)["status"]
        assert second["phase"] == "Succeeded", second
        world.wait("a verdict", lambda: world.status("md", name).get("phase") == "RolledBack", seconds=VERDICT_SECONDS)
        report = load.report()
    assert report.failed == 0, report.describe()
    status = world.status("md", name)
    assert status["stable"]["revision"] == old
    assert [item["digest"] for item in status["quarantine"]] == [second["modelVersion"]["digest"]]
