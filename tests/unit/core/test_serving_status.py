"""The conditions table of a ModelDeployment row by row, and what else the status says."""

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

from fairlead.api.conditions import Condition
from fairlead.api.model_deployment import (
    DeploymentPhase,
    ModelDeploymentStatus,
    QuarantinedRevision,
    ResolvedModel,
    RevisionStatus,
    Traffic,
)
from fairlead.api.reasons import Reason
from fairlead.core.effects import ObjectRef
from fairlead.core.findings import Finding
from fairlead.core.pointers import Pointers, Target, find_target
from fairlead.core.serving_status import next_deadline, project_status
from fairlead.core.world import Allowed, RegistryProblem, ServingWorld

BODY = serving_body()
NAME = revision_of(BODY)
OLD = serving_body(container={"image": "example/churn:0"})
OLD_NAME = revision_of(OLD)


def slot(revision: str, *, age_seconds: int = 0) -> RevisionStatus:
    return RevisionStatus(revision=revision, since=NOW - timedelta(seconds=age_seconds))


def role(**slots: RevisionStatus) -> Pointers:
    empty: dict[str, Any] = {"stable": None, "candidate": None, "previous": None, "quarantine": ()}
    return Pointers(**{**empty, **slots})


def project(
    pointers: Pointers,
    objects: list[Body] | None = None,
    *,
    body: Body = BODY,
    target: Target | Finding | None = None,
    conflicts: list[ObjectRef] | None = None,
    **world: Any,
) -> ModelDeploymentStatus:
    seen: ServingWorld = serving_world(body, objects or [], **world)
    return project_status(seen, pointers, target or find_target(seen), conflicts or [])


def table(status: ModelDeploymentStatus) -> dict[str, tuple[str, str]]:
    return {item.type: (item.status.value, item.reason) for item in status.conditions}


def message(status: ModelDeploymentStatus, kind: str) -> str:
    return next(item.message for item in status.conditions if item.type == kind)


def serves() -> list[Body]:
    return revision_children(BODY, ready=1)


def old_serves() -> list[Body]:
    return revision_children(OLD, ready=1)


def test_row_first_version_coming_up() -> None:
    status = project(role(candidate=slot(NAME)), revision_children(BODY))
    assert status.phase is DeploymentPhase.STARTING
    assert table(status) == {
        "Ready": ("False", "Starting"),
        "RolledOut": ("False", "Starting"),
        "Reconciling": ("True", "Starting"),
    }
    assert message(status, "Ready") == f"revision {NAME}: 0 of 1 pods ready"


def test_row_first_version_failed() -> None:
    crashed = pod_body(NAME, container_status(exit_code=2, restarts=1))
    status = project(role(candidate=slot(NAME)), [*revision_children(BODY), crashed])
    assert status.phase is DeploymentPhase.FAILED
    assert table(status) == {
        "Ready": ("False", "ContainerCrashed"),
        "RolledOut": ("False", "ContainerCrashed"),
        "Stalled": ("True", "ContainerCrashed"),
    }


def test_row_a_new_version_comes_up_beside_the_one_that_serves() -> None:
    status = project(role(stable=slot(OLD_NAME), candidate=slot(NAME)), [*old_serves(), *revision_children(BODY)])
    assert status.phase is DeploymentPhase.STARTING
    assert table(status)["Ready"] == ("True", "Serving")
    assert table(status)["RolledOut"] == ("False", "Starting")
    assert not {"Stalled", "Reconciling"} & set(table(status)), "helm --wait waits for no rollout"


def test_row_done() -> None:
    status = project(role(stable=slot(NAME)), serves())
    assert status.phase is DeploymentPhase.STABLE
    assert table(status) == {"Ready": ("True", "Serving"), "RolledOut": ("True", "RolledOut")}


def test_row_rolled_back_the_old_one_serves() -> None:
    entry = QuarantinedRevision(revision=NAME, reason="OutOfMemory", message="boom", since=NOW)
    pointers = Pointers(slot(OLD_NAME), None, None, (entry,))
    status = project(pointers, old_serves())
    assert status.phase is DeploymentPhase.ROLLED_BACK
    assert table(status) == {
        "Ready": ("True", "Serving"),
        "RolledOut": ("False", "OutOfMemory"),
        "Stalled": ("True", "OutOfMemory"),
    }
    assert message(status, "Stalled") == f"revision {NAME} is quarantined: boom"


def test_a_quarantined_revision_that_is_stable_again_is_done() -> None:
    entry = QuarantinedRevision(revision=NAME, reason="OutOfMemory", since=NOW)
    status = project(Pointers(slot(NAME), None, None, (entry,)), serves())
    assert status.phase is DeploymentPhase.STABLE


def test_serving_pods_that_are_gone_make_it_unready_and_not_rolled_back() -> None:
    status = project(role(stable=slot(NAME)), revision_children(BODY, ready=0))
    assert status.phase is DeploymentPhase.STABLE
    assert table(status) == {
        "Ready": ("False", "PodsNotReady"),
        "RolledOut": ("True", "RolledOut"),
        "Reconciling": ("True", "PodsNotReady"),
    }


def test_serving_pods_that_fail_say_why() -> None:
    crashed = pod_body(NAME, container_status(exit_code=2))
    status = project(role(stable=slot(NAME)), [*revision_children(BODY, ready=0), crashed])
    assert table(status)["Ready"] == ("False", "ContainerCrashed")


def test_a_deployment_that_was_deleted_has_no_ready_pods() -> None:
    stored, _ = revision_children(BODY)
    status = project(role(stable=slot(NAME)), [stored])
    assert table(status)["Ready"] == ("False", "PodsNotReady")
    assert message(status, "Ready") == f"revision {NAME}: 0 of 1 pods ready"


def test_pods_that_nothing_can_rebuild_are_told_before_what_befell_them() -> None:
    status = project(role(stable=slot(OLD_NAME), candidate=slot(NAME)), revision_children(BODY))
    assert table(status)["Ready"] == ("False", "RevisionLost")
    assert OLD_NAME in message(status, "Ready")


@pytest.mark.parametrize(("ready", "seen"), [(1, 1), (2, 0)])
def test_a_number_of_pods_that_changes_is_scaling(ready: int, seen: int) -> None:
    body = serving_body(replicas=2)
    name = revision_of(body)
    children = revision_children(body, ready=ready, status={"observedGeneration": seen})
    status = project(role(stable=slot(name)), children, body=body)
    assert table(status)["Reconciling"] == ("True", "Scaling")
    assert table(status)["Ready"] == ("True", "Serving")


def test_a_finding_instead_of_a_target_is_told_whether_it_waits_for_someone() -> None:
    for reason, kind in ((Reason.IMAGE_NOT_ALLOWED, "Stalled"), (Reason.REGISTRY_UNAVAILABLE, "Reconciling")):
        status = project(role(candidate=slot(NAME)), target=Finding(reason, "because"))
        assert table(status)[kind] == ("True", reason.value)


def test_a_refusal_while_the_old_one_serves_is_no_roll_back() -> None:
    for reason, stalled in ((Reason.IMAGE_NOT_ALLOWED, True), (Reason.REGISTRY_UNAVAILABLE, False)):
        status = project(role(stable=slot(OLD_NAME)), old_serves(), target=Finding(reason, "because"))
        assert status.phase is DeploymentPhase.STABLE
        told = {"Ready": ("True", "Serving"), "RolledOut": ("False", reason.value)}
        assert table(status) == told | ({"Stalled": ("True", reason.value)} if stalled else {})


def test_a_foreign_service_is_the_first_thing_to_know() -> None:
    taken = [ObjectRef("Service", "churn")]
    status = project(role(stable=slot(NAME)), serves(), conflicts=taken, refused="also refused")
    assert table(status) == {
        "Ready": ("False", "NameConflict"),
        "RolledOut": ("False", "NameConflict"),
        "Stalled": ("True", "NameConflict"),
    }
    assert "Service churn exists" in message(status, "Ready")
    assert status.phase is DeploymentPhase.FAILED, "nobody reaches the revision that would serve"


def test_a_foreign_deployment_does_not_hide_that_the_service_answers() -> None:
    taken = [ObjectRef("Deployment", "churn-x")]
    status = project(role(stable=slot(NAME)), serves(), conflicts=taken)
    assert table(status)["Ready"] == ("True", "Serving")
    assert table(status)["Stalled"] == ("True", "NameConflict")
    assert status.phase is DeploymentPhase.STABLE, "nothing was rolled back"
    coming = project(role(stable=slot(OLD_NAME), candidate=slot(NAME)), old_serves(), conflicts=taken)
    assert coming.phase is DeploymentPhase.STARTING


def test_a_refused_write_quotes_the_api_server() -> None:
    status = project(role(candidate=slot(NAME)), refused="spec.volumes: duplicate")
    assert table(status)["Stalled"] == ("True", "Rejected")
    assert message(status, "Stalled") == "spec.volumes: duplicate"


@pytest.mark.parametrize(
    ("objects", "limit", "reason"),
    [
        ([], "progressDeadline", Reason.PROGRESS_DEADLINE_EXCEEDED),
        ([pod_body(NAME, unschedulable="0/1")], "pendingDeadline", Reason.PENDING_DEADLINE_EXCEEDED),
    ],
)
def test_a_deadline_counts_from_when_the_candidate_took_its_place(
    objects: list[Body], limit: str, reason: Reason
) -> None:
    body = serving_body(rollout={limit: "2m"})
    for age_seconds, exceeded in ((119, False), (120, True)):
        pointers = role(candidate=slot(NAME, age_seconds=age_seconds))
        status = project(pointers, [*revision_children(body), *objects], body=body)
        assert (table(status)["Ready"][1] == reason.value) is exceeded
    assert f"is not ready after rollout.{limit} (2m)" in message(status, "Ready")


def test_the_time_that_pods_waited_for_a_node_is_no_lack_of_progress() -> None:
    body = serving_body(rollout={"progressDeadline": "2m", "pendingDeadline": "off"})
    pointers = role(candidate=slot(NAME, age_seconds=600))
    for waited_seconds, exceeded in ((0, True), (479, True), (481, False)):
        pod = pod_body(NAME, scheduled=NOW - timedelta(seconds=600 - waited_seconds))
        status = project(pointers, [*revision_children(body), pod], body=body)
        assert ("Stalled" in table(status)) is exceeded
    assert next_deadline(serving_world(body, [pod]), pointers) == timedelta(seconds=1)


def test_a_passed_deadline_still_says_what_was_seen() -> None:
    waits = pod_body(NAME, unschedulable="0/3 nodes")
    status = project(role(candidate=slot(NAME, age_seconds=10**6)), [*revision_children(BODY), waits])
    assert message(status, "Ready").endswith("; Unschedulable: pod pod-1: 0/3 nodes")


def test_a_finding_that_waits_for_no_room_counts_against_the_progress_deadline() -> None:
    waits = pod_body(NAME, container_status(waiting="ErrImagePull", waiting_message="i/o timeout"))
    status = project(role(candidate=slot(NAME, age_seconds=10**6)), [*revision_children(BODY), waits])
    assert table(status)["Stalled"] == ("True", "ProgressDeadlineExceeded")


def test_a_final_finding_is_not_hidden_by_a_passed_deadline() -> None:
    crashed = pod_body(NAME, container_status(exit_code=2, restarts=1))
    status = project(role(candidate=slot(NAME, age_seconds=10**6)), [*revision_children(BODY), crashed])
    assert table(status)["Stalled"] == ("True", "ContainerCrashed")


def test_a_limit_that_is_off_never_passes() -> None:
    body = serving_body(rollout={"progressDeadline": "off", "pendingDeadline": "off"})
    pointers = role(candidate=slot(NAME, age_seconds=10**7))
    assert table(project(pointers, revision_children(body), body=body))["Ready"] == ("False", "Starting")
    assert next_deadline(serving_world(body), pointers) is None


@pytest.mark.parametrize(("age_seconds", "wait"), [(0, 60), (70, 230), (400, None)])
def test_the_next_deadline_is_the_next_one_that_has_not_passed(age_seconds: int, wait: int | None) -> None:
    body = serving_body(rollout={"pendingDeadline": "1m", "progressDeadline": "5m"})
    found = next_deadline(serving_world(body), role(candidate=slot(NAME, age_seconds=age_seconds)))
    assert found == (None if wait is None else timedelta(seconds=wait))


def test_without_a_candidate_there_is_no_deadline() -> None:
    assert next_deadline(serving_world(BODY), role(stable=slot(NAME))) is None


# -- the model


def with_model(**fields: Any) -> Body:
    return serving_body(model={"name": "churn", "alias": "candidate"}, **fields)


def test_the_registry_s_answer_is_kept_and_told() -> None:
    model = ResolvedModel(name="churn", alias="candidate", version="3")
    status = project(role(), body=with_model(), model=model)
    assert status.model == model
    assert table(status)["ModelResolved"] == ("True", "ModelResolved")
    assert message(status, "ModelResolved") == "churn version 3: no digest is promised for its files"


def test_the_last_answer_stays_in_the_status_while_the_registry_gives_none() -> None:
    last = ResolvedModel(name="churn", alias="candidate", version="3")
    body = with_model(status={"model": last.wire()})
    status = project(role(), body=body, model=RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "down"))
    assert status.model == last
    assert table(status)["ModelResolved"] == ("False", "RegistryUnavailable")


def test_a_model_that_is_not_allowed_is_not_told_to_be_there() -> None:
    model = ResolvedModel(name="churn", alias="candidate", version="3")
    status = project(role(stable=slot(NAME)), body=with_model(), model=model, allowed=Allowed(models=()))
    assert table(status)["ModelResolved"] == ("False", "ModelNotAllowed")


def test_without_a_model_nothing_is_said_about_one() -> None:
    status = project(role(), body=serving_body(status={"model": {"name": "churn", "version": "3"}}))
    assert status.model is None
    assert "ModelResolved" not in table(status)


# -- traffic


def test_all_traffic_goes_to_stable_or_there_is_none_with_a_reason() -> None:
    traffic = project(role(stable=slot(NAME)), serves()).traffic
    assert traffic and [(arm.revision, arm.weight) for arm in traffic.arms] == [(NAME, 100)]
    assert traffic.unavailable_reason == ""
    traffic = project(role(candidate=slot(NAME))).traffic
    assert traffic and (traffic.arms, traffic.unavailable_reason) == ((), "Starting")
    crashed = pod_body(NAME, container_status(exit_code=2))
    traffic = project(role(candidate=slot(NAME)), [*revision_children(BODY), crashed]).traffic
    assert traffic and traffic.unavailable_reason == "ContainerCrashed"


def test_the_generation_of_the_traffic_grows_when_the_arms_change_and_only_then() -> None:
    first = project(role(stable=slot(OLD_NAME)), old_serves()).traffic
    assert first and first.generation == 1
    body = serving_body(status={"traffic": first.wire()})
    same = project(role(stable=slot(OLD_NAME), candidate=slot(NAME)), old_serves(), body=body).traffic
    assert same and same.generation == 1
    moved = project(role(stable=slot(NAME)), serves(), body=body).traffic
    assert moved and moved.generation == 2


@pytest.mark.parametrize(
    ("pointers", "epoch", "expected"),
    [
        (role(stable=slot(OLD_NAME)), 9, 4),
        (role(stable=slot(OLD_NAME), candidate=slot(NAME)), 9, 9),
        (role(stable=slot(NAME)), 9, 9),
        (role(stable=slot(NAME)), 2, 4),
    ],
)
def test_the_epoch_is_stamped_on_what_moves_and_never_falls(pointers: Pointers, epoch: int, expected: int) -> None:
    before = project(role(stable=slot(OLD_NAME)), old_serves()).traffic
    assert before
    old = Traffic(epoch=4, generation=before.generation, arms=before.arms)
    body = serving_body(status={"traffic": old.wire()})
    traffic = project(pointers, [*old_serves(), *serves()], body=body, epoch=epoch).traffic
    assert traffic and traffic.epoch == expected


# -- the rest


def test_a_slot_shows_ready_pods_and_the_images_that_ran_the_newest_last() -> None:
    pods = [
        pod_body(NAME, container_status(image_id=f"sha256:{index}"), name=f"pod-{index}", ready=True)
        for index in range(12)
    ]
    stable = project(role(stable=slot(NAME)), [*serves(), *pods]).stable
    assert stable and stable.ready == 1
    assert len(stable.image_ids) == 10
    kept = slot(NAME).model_copy(update={"image_ids": ("sha256:a",)})
    stable = project(role(stable=kept), [*serves(), pods[3], pods[1]]).stable
    assert stable and stable.image_ids == ("sha256:a", "sha256:1", "sha256:3")


def test_the_status_speaks_of_the_generation_it_was_made_for() -> None:
    body = serving_body()
    body["metadata"]["generation"] = 7
    status = project(role(stable=slot(NAME)), serves(), body=body)
    assert status.observed_generation == 7
    assert {item.observed_generation for item in status.conditions} == {7}


def test_the_time_of_a_condition_moves_only_with_its_status() -> None:
    early = NOW - timedelta(hours=1)
    old = project(role(stable=slot(NAME)), serves(), now=early)
    body = serving_body(status=old.wire())

    def since(status: ModelDeploymentStatus) -> dict[str, Condition]:
        return {item.type: item for item in status.conditions}

    ready = since(project(role(stable=slot(NAME)), revision_children(BODY, ready=0), body=body))
    assert ready["Ready"].last_transition_time == NOW
    assert ready["RolledOut"].last_transition_time == early


def test_the_scale_subresource_reads_the_pods_that_serve() -> None:
    status = project(role(stable=slot(OLD_NAME), candidate=slot(NAME)), [*old_serves(), *revision_children(BODY)])
    assert status.selector == f"fairlead.dev/modeldeployment=churn,fairlead.dev/revision={OLD_NAME}"
    assert status.replicas == 1
    assert (project(role()).selector, project(role()).replicas) == ("", 0)


def test_a_status_comes_back_from_its_wire_form_as_it_was() -> None:
    status = project(role(stable=slot(OLD_NAME), candidate=slot(NAME)), [*old_serves(), *revision_children(BODY)])
    assert ModelDeploymentStatus.model_validate(status.wire()) == status
