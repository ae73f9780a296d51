"""From a digest to a version and an alias: each write once, in order, and an alias that belongs to one writer."""

from typing import Any

import pytest
from tests.property.training_simulation import DIGEST, TrainingSimulation
from tests.unit.builders import UID, container_status, job_body, pod_body, training_body, training_world

from fairlead.api.reasons import Reason
from fairlead.api.training_job import TrainingPhase
from fairlead.core.effects import ClaimAlias, CloseRun, Plan, RegisterVersion, SetAlias, WriteStatus
from fairlead.core.training.registering import register
from fairlead.core.world import Alias, Allowed, ModelRule, RegistryFacts, RegistryProblem, Run, Version

RUN = Run("run-1", "1", "http://mlflow/run", "RUNNING", git_commit="c0ffee")
DONE = Run("run-1", "1", "http://mlflow/run", "FINISHED")
FOUR = Version("4", DIGEST)
US = "operator-1/team"
TAG = "fairlead.alias.candidate.writer"


def asked(*, version: Version | None = FOUR, alias: Alias | None = None, run: Run | None = DONE, **world: Any) -> Plan:
    """The plan once the digest is known."""
    model = {"name": "churn", "modelId": "m-1", "digest": DIGEST}
    found_run = {"id": "run-1", "experimentId": "1", "url": ""}
    body = training_body(status={"phase": "Registering", "attempt": 1, "run": found_run, "modelVersion": model})
    facts = RegistryFacts(run=run, version=version, alias=alias or Alias("4", US))
    trainer = [job_body(body, ended="Complete"), pod_body("", container_status("trainer", image_id="sha256:9"))]
    return register(training_world(body, trainer, **{"registry": facts, **world}))


def written(plan: Plan) -> Any:
    (effect,) = plan.effects
    assert isinstance(effect, WriteStatus)
    return effect.after


def reason(plan: Plan) -> tuple[str, str, str]:
    """Phase, reason and message that the plan writes."""
    status = written(plan)
    return status["phase"], status["conditions"][0]["reason"], status["conditions"][0]["message"]


def test_a_version_is_registered_with_its_lineage_and_its_digest() -> None:
    (effect,) = asked(version=None, run=RUN).effects
    assert isinstance(effect, RegisterVersion)
    assert (effect.model, effect.run_id, effect.model_id) == ("churn", "run-1", "m-1")
    assert effect.description == "Trained and registered by Fairlead for the TrainingJob team/fit."
    tags = effect.tags
    assert (tags["fairlead.trainingjob.uid"], tags["fairlead.model.digest"]) == (UID, DIGEST)
    assert (tags["fairlead.git.commit"], tags["fairlead.image.id"]) == ("c0ffee", "sha256:9")


def test_what_is_not_known_of_the_lineage_is_no_empty_tag() -> None:
    for run in (DONE, None):
        (effect,) = asked(version=None, run=run).effects
        assert isinstance(effect, RegisterVersion)
        assert "fairlead.git.commit" not in effect.tags


def test_a_version_that_is_found_by_its_tag_is_not_made_twice() -> None:
    assert asked(alias=Alias("3", US)).effects == (SetAlias("churn", "candidate", "4"),)


def test_the_writer_of_an_alias_is_recorded_before_it_is_moved() -> None:
    assert asked(alias=Alias()).effects == (ClaimAlias("churn", "candidate", US),)
    assert asked(alias=Alias("", US)).effects == (SetAlias("churn", "candidate", "4"),)


def test_an_alias_that_points_there_already_is_not_set_again() -> None:
    for writer in (US, "", "operator-2/other"):
        assert asked(alias=Alias("4", writer), run=RUN).effects == (CloseRun("run-1", "FINISHED"),)


def test_an_alias_never_goes_back_to_a_lower_version() -> None:
    for newer in ("5", "10"):
        status = written(asked(alias=Alias(newer, US)))
        assert (status["phase"], status["modelVersion"]["alias"]) == ("Succeeded", "")
        assert f"alias candidate stays at the newer version {newer}" in status["conditions"][0]["message"]
    assert asked(version=Version("10", DIGEST), alias=Alias("9", US)).effects == (SetAlias("churn", "candidate", "10"),)


def test_an_alias_whose_record_was_removed_is_taken_up_when_a_training_job_had_set_it() -> None:
    assert asked(alias=Alias("3", "", trained=True)).effects == (ClaimAlias("churn", "candidate", US),)


@pytest.mark.parametrize(
    ("alias", "said"),
    [
        (
            Alias("3", "operator-2/team"),
            f"is written by operator-2/team, as the tag {TAG} of the registered model says",
        ),
        (Alias("7", "operator-1/other"), f"delete the tag, or set it to {US}, to hand the alias over"),
        (Alias("", "operator-2/team"), "is written by operator-2/team"),
        (Alias("3", ""), "points at version 3, which no TrainingJob registered"),
        (Alias("7", ""), f"delete the alias, or set the tag {TAG} of the registered model to {US}"),
    ],
)
def test_an_alias_of_someone_else_is_left_alone_and_asked_about_again(alias: Alias, said: str) -> None:
    plan = asked(alias=alias)
    phase, word, message = reason(plan)
    assert (phase, word, plan.requeue_after_seconds) == ("Registering", "AliasConflict", 15.0)
    assert message.startswith("churn version 4 is registered, but its alias candidate ")
    assert said in message
    assert written(plan)["modelVersion"]["version"] == "4"
    assert [item["type"] for item in written(plan)["conditions"]] == ["Ready", "Stalled"]


def test_a_run_that_is_finished_or_gone_leaves_only_the_end_to_be_written() -> None:
    for run in (DONE, None):
        status = written(asked(run=run))
        assert status["phase"] == "Succeeded"
        assert status["modelVersion"] == {
            "name": "churn",
            "modelId": "m-1",
            "digest": DIGEST,
            "version": "4",
            "alias": "candidate",
        }


def test_the_digest_in_the_status_is_the_one_that_the_version_carries() -> None:
    other = "sha256:" + "f" * 64
    assert written(asked(version=Version("4", other)))["modelVersion"]["digest"] == other
    assert written(asked(version=Version("4")))["modelVersion"]["digest"] == DIGEST


def test_a_registry_that_is_down_is_waited_for() -> None:
    plan = asked(registry=RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer"))
    assert reason(plan) == ("Registering", "RegistryUnavailable", "no answer")
    assert plan.requeue_after_seconds == 5.0


@pytest.mark.parametrize("version", [None, FOUR])
def test_a_model_that_is_no_longer_allowed_is_neither_registered_nor_aliased(version: Version | None) -> None:
    rules = Allowed(models=(ModelRule(("*",), ("other",)),))
    assert reason(asked(version=version, alias=Alias("3", US), allowed=rules))[:2] == ("Registering", "ModelNotAllowed")


def world_with_digest(**registry: str) -> TrainingSimulation:
    """A world whose trainer has ended well, with a version and alias as the test wants it."""
    world = TrainingSimulation()
    world.reconcile()
    world.run_pod()
    world.reconcile()
    world.registry.alias, world.registry.writer = registry.get("alias", ""), registry.get("writer", "")
    world.succeed("m-1")
    return world


def test_an_alias_that_is_handed_over_is_moved_by_itself() -> None:
    world = world_with_digest(alias="1", writer="operator-2/other")
    world.registry.alias = "0"
    world.reconcile()
    assert world.condition("Stalled") == ("True", "AliasConflict")
    assert (world.registry.alias, world.registry.versions) == ("0", ["1"])
    for _ in range(3):
        world.check_settled()
    world.registry.writer = US
    world.reconcile()
    assert (world.status.phase, world.registry.alias) == (TrainingPhase.SUCCEEDED, "1")


def test_the_registering_job_is_asked_again_until_it_tells_a_digest() -> None:
    world = world_with_digest()
    for fate, shown in (("breaks", "ManifestFailed"), ("says nothing", "ManifestFailed")):
        world.hash(fate)
        world.reconcile()
        assert (world.status.phase, world.condition("Stalled")) == (TrainingPhase.REGISTERING, ("True", shown))
        world.check_settled()
        world.hash("waits")
        world.wait(minutes=1)
        world.reconcile()
    assert world.announced.count("ManifestFailed") == 1, "told once, however often it is tried"
    world.hash("tells")
    world.reconcile()
    assert world.status.phase is TrainingPhase.SUCCEEDED


def test_a_model_without_files_fails_the_training_job_and_closes_its_run() -> None:
    world = world_with_digest()
    world.hash("finds no model")
    world.reconcile()
    assert world.condition("Stalled") == ("True", "ManifestFailed")
    assert world.status.phase is TrainingPhase.FAILED
    assert (world.registry.versions, world.registry.runs[0].status) == ([], "FAILED")


def test_a_registering_job_that_was_deleted_is_made_anew() -> None:
    world = world_with_digest()
    world.hash("waits")
    world.reconcile()
    world.lose_hashing()
    world.hash("tells")
    world.reconcile()
    assert world.status.phase is TrainingPhase.SUCCEEDED


def test_a_registry_that_went_down_meanwhile_is_waited_for_with_the_digest_in_hand() -> None:
    world = world_with_digest()
    world.hash("waits")
    world.reconcile()
    world.registry.down = True
    world.hash("tells")
    world.reconcile()
    assert world.condition("Reconciling") == ("True", "RegistryUnavailable")
    assert world.status.model_version and world.status.model_version.digest == DIGEST
    world.registry.down = False
    world.reconcile()
    assert world.status.phase is TrainingPhase.SUCCEEDED
