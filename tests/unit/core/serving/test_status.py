"""The conditions table of a ModelDeployment row by row, and what else the status says."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.builders import (
    NOW,
    Body,
    container_status,
    gateway_facts,
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
)
from fairlead.api.reasons import Reason
from fairlead.core.effects import ObjectRef
from fairlead.core.findings import Finding
from fairlead.core.serving.headline import next_deadline
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.status import project_status
from fairlead.core.serving.target import Target, find_target
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
    """What is said, less whether the gateway has taken it up: test_programmed.py."""
    told = (item for item in status.conditions if item.type != "Programmed")
    return {item.type: (item.status.value, item.reason) for item in told}


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


def test_stable_in_quarantine_serves_for_want_of_another_and_is_not_ready_even_when_its_history_was_lost() -> None:
    entry = QuarantinedRevision(revision=NAME, reason="ErrorsAboveLimit", message="12 of 40", since=NOW)
    status = project(Pointers(slot(NAME), None, None, (entry,)), serves())
    assert status.phase is DeploymentPhase.FAILED
    assert table(status)["Ready"] == table(status)["RolledOut"] == ("False", "ErrorsAboveLimit")


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


# -- the gateway


def test_users_are_answered_when_stable_and_the_gateway_have_a_ready_pod() -> None:
    status = project(role(stable=slot(NAME)), serves(), gateway=gateway_facts(ready=0))
    assert table(status)["Ready"] == ("False", "GatewayNotReady")
    assert message(status, "Ready") == "0 of 2 gateway pods are ready"
    assert table(status)["RolledOut"] == ("True", "RolledOut")
    assert table(status)["Reconciling"] == ("True", "GatewayNotReady")
    assert status.phase is DeploymentPhase.STABLE


def test_a_foreign_object_under_a_name_of_the_gateway_s_cuts_users_off() -> None:
    taken = gateway_facts(ready=0, workload=None, conflict=ObjectRef("Deployment", "fairlead-gateway"))
    status = project(role(stable=slot(NAME)), serves(), gateway=taken)
    assert table(status) == {
        "Ready": ("False", "NameConflict"),
        "RolledOut": ("False", "NameConflict"),
        "Stalled": ("True", "NameConflict"),
    }
    assert "Deployment fairlead-gateway exists and is not the gateway's" in message(status, "Ready")
    assert status.phase is DeploymentPhase.FAILED


def test_a_gateway_that_answers_goes_on_although_a_name_of_its_was_taken() -> None:
    taken = gateway_facts(conflict=ObjectRef("PodDisruptionBudget", "fairlead-gateway"))
    status = project(role(stable=slot(NAME)), serves(), gateway=taken)
    assert table(status)["Ready"] == ("True", "Serving")
    assert table(status)["Stalled"] == ("True", "NameConflict")
    assert status.phase is DeploymentPhase.STABLE


def test_an_object_of_the_gateway_s_that_is_refused_is_told_by_everyone_who_needs_it() -> None:
    status = project(role(candidate=slot(NAME)), gateway=gateway_facts(ready=0, refused="no roles for you"))
    assert table(status)["Stalled"] == ("True", "Rejected")
    assert message(status, "Stalled") == "gateway: no roles for you"


def test_without_a_port_nobody_is_answered_and_it_waits_for_someone() -> None:
    status = project(role(stable=slot(NAME)), serves(), port=None)
    assert table(status)["Ready"] == table(status)["RolledOut"] == ("False", "PortsExhausted")
    assert table(status)["Stalled"] == ("True", "PortsExhausted")
    assert message(status, "Ready") == "every port of the gateway (10000 to 10999) belongs to another ModelDeployment"


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
