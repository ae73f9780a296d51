"""Who has which role after one look at the world."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.builders import (
    NOW,
    Body,
    container_status,
    pod_body,
    revision_children,
    revision_of,
    serving_body,
    serving_world,
)

from fairlead.api.model_deployment import QuarantinedRevision, ResolvedModel, RevisionStatus
from fairlead.api.reasons import Reason
from fairlead.core.findings import Finding
from fairlead.core.serving.pointers import QUARANTINE_LIMIT, Pointers, current_pointers, examine
from fairlead.core.serving.replicas import has_ready
from fairlead.core.serving.roles import next_pointers
from fairlead.core.serving.target import Target, find_target, known_model
from fairlead.core.world import Allowed, RegistryProblem, ServingWorld

DOWN = RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")


def slot(revision: str, *, age_seconds: int = 0) -> RevisionStatus:
    return RevisionStatus(revision=revision, since=NOW - timedelta(seconds=age_seconds))


def banned(revision: str) -> QuarantinedRevision:
    return QuarantinedRevision(revision=revision, reason="ContainerCrashed", since=NOW)


def status(**slots: Any) -> Body:
    """A status with these slots."""
    return {name: item.wire() for name, item in slots.items()}


def looked(body: Body, objects: list[Body] | None = None, **changes: Any) -> Pointers:
    world = serving_world(body, objects or [], **changes)
    return next_pointers(world, find_target(world))


def test_a_first_look_names_a_candidate_with_what_it_is_made_of() -> None:
    model = ResolvedModel(name="churn", version="7")
    body = serving_body(model={"name": "churn", "version": "7"}, container={"image": "example/own:1"})
    pointers = looked(body, model=model)
    assert pointers == Pointers(
        stable=None,
        candidate=RevisionStatus(
            revision=revision_of(body, model),
            model_version="7",
            digest="unverified",
            image="example/own:1",
            since=NOW,
        ),
        previous=None,
        quarantine=(),
    )


def test_the_built_in_server_s_revision_names_no_image() -> None:
    body = serving_body(model={"name": "churn", "version": "7"})
    pointers = looked(body, model=ResolvedModel(name="churn", version="7"))
    assert pointers.candidate and pointers.candidate.image == ""


def test_a_candidate_keeps_its_place_and_time_while_the_spec_stays() -> None:
    body = serving_body()
    waiting = slot(revision_of(body), age_seconds=60)
    body["status"] = status(candidate=waiting)
    assert looked(body).candidate == waiting


def test_a_changed_spec_replaces_the_candidate() -> None:
    body = serving_body(status=status(candidate=slot("churn-old", age_seconds=60)))
    candidate = looked(body).candidate
    assert candidate and (candidate.revision, candidate.since) == (revision_of(body), NOW)


def test_a_candidate_is_ready_when_all_pods_of_the_spec_are_and_their_controller_is_up_to_date() -> None:
    body = serving_body(replicas=2)
    name = revision_of(body)
    for ready, seen, expected in ((2, 1, True), (1, 1, False), (2, 0, False)):
        children = revision_children(body, ready=ready, status={"observedGeneration": seen})
        assert has_ready(serving_world(body, children), name, 2) is expected
    assert not has_ready(serving_world(body), name, 1)


def test_a_ready_candidate_becomes_stable_and_stable_previous_both_from_now_on() -> None:
    body = serving_body()
    name = revision_of(body)
    body["status"] = status(stable=slot("churn-old", age_seconds=900), candidate=slot(name, age_seconds=60))
    pointers = looked(body, revision_children(body, ready=1))
    assert pointers.stable == slot(name)
    assert pointers.previous == slot("churn-old")
    assert pointers.candidate is None


def test_the_first_ready_candidate_has_nothing_to_replace() -> None:
    body = serving_body()
    body["status"] = status(candidate=slot(revision_of(body)))
    pointers = looked(body, revision_children(body, ready=1))
    assert (pointers.previous, pointers.candidate) == (None, None)
    assert pointers.stable


@pytest.mark.parametrize(("age_seconds", "kept"), [(29, True), (30, False)])
def test_previous_goes_when_the_grace_is_over(age_seconds: int, kept: bool) -> None:
    body = serving_body()
    body["status"] = status(stable=slot(revision_of(body)), previous=slot("churn-old", age_seconds=age_seconds))
    assert (looked(body, revision_children(body, ready=1)).previous is not None) is kept


def test_a_revision_that_is_stable_again_is_not_also_previous() -> None:
    body = serving_body()
    name = revision_of(body)
    body["status"] = status(stable=slot(name), previous=slot(name))
    assert looked(body).previous is None


def test_a_quarantined_revision_is_no_candidate() -> None:
    body = serving_body()
    name = revision_of(body)
    body["status"] = status(stable=slot("churn-old"), candidate=slot(name)) | {"quarantine": [banned(name).wire()]}
    pointers = looked(body)
    assert pointers.candidate is None
    assert pointers.quarantine == (banned(name),)


def crashing(body: Body) -> list[Body]:
    name = revision_of(body)
    return [*revision_children(body), pod_body(name, container_status(exit_code=1, restarts=1))]


def test_a_candidate_that_cannot_start_is_quarantined_with_its_reason() -> None:
    body = serving_body()
    body["status"] = status(stable=slot("churn-old"), candidate=slot(revision_of(body)))
    pointers = looked(body, crashing(body))
    (entry,) = pointers.quarantine
    assert (entry.revision, entry.reason, entry.since) == (revision_of(body), "ContainerCrashed", NOW)
    assert "exited with code 1" in entry.message
    assert (pointers.candidate, pointers.stable) == (None, slot("churn-old"))


def test_without_a_stable_revision_nothing_is_quarantined() -> None:
    body = serving_body()
    body["status"] = status(candidate=slot(revision_of(body)))
    pointers = looked(body, crashing(body))
    assert pointers.candidate and pointers.quarantine == ()


def test_the_quarantine_keeps_its_newest_entries() -> None:
    body = serving_body()
    full = [banned(f"churn-{number}").wire() for number in range(QUARANTINE_LIMIT)]
    body["status"] = status(stable=slot("churn-old"), candidate=slot(revision_of(body))) | {"quarantine": full}
    quarantine = looked(body, crashing(body)).quarantine
    assert len(quarantine) == QUARANTINE_LIMIT
    assert (quarantine[0].revision, quarantine[-1].revision) == ("churn-1", revision_of(body))


def test_pods_under_deletion_and_of_other_revisions_are_no_evidence() -> None:
    body = serving_body()
    name = revision_of(body)
    bad = container_status(exit_code=1, restarts=1)
    others = [pod_body(name, bad, deleting=True), pod_body("churn-other", bad, name="pod-2")]
    assert examine(serving_world(body, [*revision_children(body), *others]), name) is None


def test_a_load_error_is_read_only_from_the_built_in_server() -> None:
    said = container_status(exit_code=3, exit_message='{"reason": "ModelLoadFailed", "message": "m"}')
    model = ResolvedModel(name="churn", version="1")
    builtin = serving_body(model={"name": "churn", "version": "1"})
    own = serving_body()
    for body, known, reason in ((builtin, model, Reason.MODEL_LOAD_FAILED), (own, None, Reason.CONTAINER_CRASHED)):
        name = revision_of(body, known)
        found = examine(serving_world(body, [*revision_children(body, model=known), pod_body(name, said)]), name)
        assert found and found.reason is reason


def test_a_revision_without_its_controllerrevision_is_taken_for_the_built_in_server_s() -> None:
    said = container_status(exit_code=3, exit_message='{"reason": "ModelLoadFailed"}')
    found = examine(serving_world(serving_body(), [pod_body("churn-lost", said)]), "churn-lost")
    assert found and found.reason is Reason.MODEL_LOAD_FAILED


def test_an_unknown_target_moves_no_pointer_but_lets_time_pass() -> None:
    body = serving_body(model={"name": "churn", "alias": "candidate"})
    body["status"] = status(stable=slot("churn-s"), candidate=slot("churn-c"), previous=slot("churn-p", age_seconds=99))
    pointers = looked(body, model=DOWN)
    assert (pointers.stable, pointers.candidate, pointers.previous) == (slot("churn-s"), slot("churn-c"), None)


def test_a_spec_that_the_settings_refuse_has_no_target() -> None:
    found = find_target(serving_world(serving_body(), allowed=Allowed(images=())))
    assert isinstance(found, Finding) and found.reason is Reason.IMAGE_NOT_ALLOWED


def test_the_target_s_inputs_name_the_version_and_never_the_alias() -> None:
    body = serving_body(model={"name": "churn", "alias": "candidate"}, replicas=3)
    target = find_target(serving_world(body, model=ResolvedModel(name="churn", alias="candidate", version="4")))
    assert isinstance(target, Target)
    assert target.inputs == {"model": {"name": "churn", "version": "4", "digest": "unverified"}}


LAST = ResolvedModel(name="churn", alias="candidate", version="4")


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ({"name": "churn", "alias": "candidate"}, True),
        ({"name": "churn", "alias": "champion"}, False),
        ({"name": "other", "alias": "candidate"}, False),
        ({"name": "churn", "version": "4"}, False),
    ],
)
def test_an_outage_keeps_the_last_answer_to_the_same_question(asked: Body, same: bool) -> None:
    body = serving_body(model=asked, status={"model": LAST.wire()})
    assert known_model(serving_world(body, model=DOWN)) == (LAST if same else DOWN)


@pytest.mark.parametrize(("version", "same"), [("4", True), ("5", False)])
def test_an_outage_keeps_a_version_that_was_there(version: str, same: bool) -> None:
    last = ResolvedModel(name="churn", version="4")
    body = serving_body(model={"name": "churn", "version": version}, status={"model": last.wire()})
    assert known_model(serving_world(body, model=DOWN)) == (last if same else DOWN)


def test_an_answer_of_the_registry_wins_over_the_last_one() -> None:
    body = serving_body(model={"name": "churn", "alias": "candidate"}, status={"model": LAST.wire()})
    newer = LAST.model_copy(update={"version": "5"})
    assert known_model(serving_world(body, model=newer)) == newer


def marked(role: str) -> tuple[Body, list[Body]]:
    body = serving_body(container={"image": "example/own:1", "args": [role]})
    return body, revision_children(body, role=role)


def test_a_lost_status_is_rebuilt_from_the_marks() -> None:
    bodies = {role: marked(role) for role in ("stable", "candidate", "previous")}
    world = serving_world(serving_body(), [item for _, children in bodies.values() for item in children])
    pointers = current_pointers(world)
    for role, (body, _) in bodies.items():
        found = getattr(pointers, role)
        assert (found.revision, found.image, found.since) == (revision_of(body), "example/own:1", NOW)


def test_a_status_that_is_there_is_the_truth_whatever_the_marks_say() -> None:
    body, children = marked("stable")
    body["status"] = status(stable=slot("churn-other"))
    world: ServingWorld = serving_world(body, children)
    assert current_pointers(world).stable == slot("churn-other")


def test_each_revision_with_pods_is_named_once_and_the_candidate_first() -> None:
    pointers = Pointers(slot("s"), slot("c"), slot("p"), ())
    assert [item.revision for item in pointers.live()] == ["c", "s", "p"]
    returning = Pointers(slot("s"), slot("p"), slot("p"), ())
    assert sorted(item.revision for item in returning.live()) == ["p", "s"]


def test_a_role_is_told_by_the_pointers() -> None:
    pointers = Pointers(slot("s"), slot("c"), None, ())
    assert [pointers.role_of(name) for name in ("s", "c", "p")] == ["stable", "candidate", ""]


def test_a_model_that_the_settings_keep_from_the_namespace_has_no_target_whatever_the_registry_said() -> None:
    closed = Allowed(models=())
    body = serving_body(model={"name": "churn", "alias": "candidate"}, status={"model": LAST.wire()})
    for model in (LAST, DOWN):
        found = find_target(serving_world(body, model=model, allowed=closed))
        assert isinstance(found, Finding)
        assert found.reason is Reason.MODEL_NOT_ALLOWED
    assert isinstance(find_target(serving_world(serving_body(), allowed=closed)), Target)
