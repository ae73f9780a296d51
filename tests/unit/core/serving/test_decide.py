"""The stories of a ModelDeployment, told in a simulated world."""

from dataclasses import replace
from typing import Any

import pytest
from tests.property.serving_simulation import ServingSimulation
from tests.property.simulated import Behaviour
from tests.unit.builders import DEFAULTS, GRACE_SECONDS, UID, child_of, serving_body, serving_world

from fairlead.api.model_deployment import ResolvedModel
from fairlead.api.reasons import Reason
from fairlead.core.effects import Apply, Plan, WriteStatus
from fairlead.core.serving.decide import decide_serving
from fairlead.core.world import Allowed, GatewayFacts, RegistryProblem, Unanswered
from fairlead.render.defaults import RenderDefaults
from fairlead.render.serving import object_labels

DOWN = RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")
MODEL = {"name": "churn", "alias": "candidate"}


def version(number: str, alias: str = "candidate") -> ResolvedModel:
    return ResolvedModel(name="churn", alias=alias, version=number)


def serving(**spec: Any) -> ServingSimulation:
    """A world whose first revision serves."""
    world = ServingSimulation(**spec)
    world.settle(10)
    assert world.status.phase == "Stable"
    return world


def served_model() -> ServingSimulation:
    """A world that serves version 1 of a model by its alias."""
    world = ServingSimulation(model=MODEL)
    world.model = version("1")
    world.settle(10)
    assert world.status.phase == "Stable"
    return world


def test_the_first_version_comes_up_and_then_serves() -> None:
    world = ServingSimulation(replicas=2)
    world.reconcile()
    assert (world.status.phase, world.condition("Ready")) == ("Starting", ("False", "Starting"))
    assert world.condition("Reconciling") == ("True", "Starting")
    world.settle(10)
    assert (world.status.phase, world.condition("Ready")) == ("Stable", ("True", "Serving"))
    assert world.condition("RolledOut") == ("True", "RolledOut")
    assert world.condition("Reconciling") is None
    assert world.selected() == world.revision


def test_the_status_that_names_a_revision_is_written_before_its_children_and_the_service_last() -> None:
    world = ServingSimulation()
    world.reconcile()
    kinds = [write.split()[1] for write in world.cluster.writes]
    assert kinds == ["ModelDeployment", "ControllerRevision", "Deployment", "Service", "Service"]
    assert world.cluster.writes[-1] == "apply Service churn"


def test_a_changed_image_comes_up_beside_the_old_one_which_serves_until_the_new_one_is_ready() -> None:
    world = serving()
    old = world.revision
    world.edit_image("example/churn:2")
    world.reconcile()
    world.tick(2)
    world.reconcile()
    assert world.workloads() == {old, world.revision}
    assert (world.selected(), world.status.phase) == (old, "Starting")
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("RolledOut") == ("False", "Starting")
    world.settle(6)
    assert (world.selected(), world.status.phase) == (world.revision, "Stable")


def test_a_promotion_is_one_write_and_users_follow_it() -> None:
    world = serving()
    old = world.revision
    world.edit_image("example/churn:2")
    world.settle(4)
    world.tick(4)
    before = len(world.cluster.writes)
    assert world.selected() == old
    world.reconcile(most=1)
    assert world.cluster.writes[before:] == ["status ModelDeployment churn"]
    assert (world.selected(), world.status.phase) == (world.revision, "Stable")
    assert world.condition("RolledOut") == ("True", "RolledOut")
    assert world.condition("Programmed") == ("False", "GatewayPending")
    world.reconcile()
    assert not any("Service" in write for write in world.cluster.writes[before:]), "the Service stays as it is"
    assert world.status.previous is not None
    world.tick(1)
    world.reconcile()
    assert world.condition("Programmed") == ("True", "Programmed")


def test_before_the_first_look_at_the_gateway_a_status_stays_and_a_new_one_is_written() -> None:
    unknown = {"gateway": GatewayFacts(known=False)}
    world = serving()
    world.settings = unknown
    assert world.plan() == Plan()
    fresh = ServingSimulation()
    fresh.settings = unknown
    assert isinstance(fresh.plan().effects[0], WriteStatus)


def test_a_status_that_someone_has_emptied_is_rebuilt() -> None:
    world = serving()
    world.empty_status()
    world.reconcile()
    assert (world.status.phase, world.condition("RolledOut")) == ("Stable", ("True", "RolledOut"))


def test_a_serving_revision_that_nothing_can_rebuild_is_told() -> None:
    world = serving()
    old = world.revision
    world.edit_image("example/slow:1")
    world.settle(4)
    world.cluster.lose("ControllerRevision", old)
    world.cluster.lose("Deployment", old)
    world.reconcile()
    assert world.condition("Ready") == ("False", "RevisionLost")
    world.edit_image("example/churn:1")
    world.settle(10)
    assert world.condition("Ready") == ("True", "Serving")


def test_the_replaced_revision_goes_after_the_grace_and_not_before() -> None:
    world = serving()
    old = world.revision
    world.edit_image("example/churn:2")
    world.settle(10)
    assert world.status.previous and world.status.previous.revision == old
    assert world.requeue is not None and 0 < world.requeue <= GRACE_SECONDS + 1
    world.tick(int(GRACE_SECONDS) - 10)
    world.reconcile()
    assert old in world.workloads()
    world.tick(10)
    world.reconcile()
    assert world.status.previous is None
    assert old in world.workloads(), "the gateway has not heard yet that it is nobody's any more"
    world.settle(10)
    assert world.workloads() == {world.revision}
    assert world.cluster.get("ControllerRevision", old), "the way back is kept"


def test_without_a_grace_the_old_pods_still_stay_until_the_gateway_sends_them_nothing() -> None:
    world = serving()
    old = world.revision
    world.settings["retirement_grace_seconds"] = 0.0
    world.edit_image("example/churn:2")
    world.settle(4)
    world.tick(4)
    world.reconcile()
    assert old in world.workloads(), "promoted, and the gateway has not read it"
    world.settle(10)
    assert world.workloads() == {world.revision}


def test_what_a_gateway_may_still_serve_outlives_the_loss_of_status_and_marks() -> None:
    world = serving()
    old = world.revision
    world.edit_image("example/churn:2")
    world.cluster.lose("ControllerRevision", old)
    world.wipe_status()
    world.reconcile()
    assert not world.status.stable and old in world.workloads(), "nobody knows whose it is, and it answers users"
    world.settle(20)
    assert world.workloads() == {world.revision}


def test_the_first_crash_of_a_candidate_is_shown_and_is_no_verdict() -> None:
    world = serving()
    world.edit_image("example/crash:1")
    world.settle(6)
    assert world.condition("RolledOut") == ("False", "ContainerCrashed")
    assert "exited with code 1: boom" in world.status.conditions[1].message
    assert (world.status.phase, world.status.quarantine) == ("Starting", ())


def test_the_second_crash_is_the_verdict_and_the_broken_revision_is_not_retried() -> None:
    world = serving()
    old = world.revision
    world.edit_image("example/crash:1")
    world.settle(20)
    assert [item.revision for item in world.status.quarantine] == [world.revision]
    assert (world.status.phase, world.status.candidate) == ("RolledBack", None)
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("Stalled") == ("True", "ContainerCrashed")
    assert (world.workloads(), world.selected()) == ({old}, old)
    assert world.requeue is None, "nothing is polled for what is not tried again"
    world.settle(600)
    assert world.workloads() == {old}


def test_a_broken_first_version_is_kept_so_that_it_can_heal() -> None:
    world = ServingSimulation(container={"image": "example/crash:1"})
    world.settle(40)
    assert (world.status.phase, world.status.quarantine) == ("Failed", ())
    assert world.condition("Stalled") == ("True", "ContainerCrashed")
    assert world.condition("Ready") == ("False", "ContainerCrashed")
    world.pods.behaviours["example/crash:1"] = Behaviour("ready")
    world.settle(10)
    assert world.status.phase == "Stable"


def test_another_spec_after_a_verdict_is_tried() -> None:
    world = serving()
    world.edit_image("example/crash:1")
    world.settle(20)
    world.edit(resources={"limits": {"memory": "1Gi"}}, container={"image": "example/churn:2"})
    world.settle(10)
    assert (world.status.phase, world.selected()) == ("Stable", world.revision)
    assert len(world.status.quarantine) == 1


def test_an_image_that_does_not_exist_is_shown_at_once_and_final_after_the_second_pull() -> None:
    world = serving()
    world.edit_image("example/missing:1")
    world.settle(6)
    assert world.condition("RolledOut") == ("False", "ImageNotFound")
    world.settle(20)
    assert world.condition("Stalled") == ("True", "ImageNotFound")
    assert (world.status.phase, world.status.quarantine) == ("RolledBack", ())
    assert world.revision in world.workloads(), "the pull is retried"


def test_an_image_that_is_pushed_later_is_taken_by_itself() -> None:
    world = serving()
    world.edit_image("example/missing:1")
    world.settle(60)
    world.pods.behaviours["example/missing:1"] = Behaviour("ready")
    world.settle(6)
    assert (world.status.phase, world.selected()) == ("Stable", world.revision)


@pytest.mark.parametrize(("age_seconds", "wait_seconds"), [(0, 15.5), (10, 5.5), (14, 2.5), (100, 2.5)])
def test_a_candidate_is_looked_at_again_when_its_second_pull_is_due(age_seconds: int, wait_seconds: float) -> None:
    world = serving()
    world.edit_image("example/slow:1")
    world.reconcile()
    world.tick(age_seconds)
    world.reconcile()
    assert world.requeue == wait_seconds


@pytest.mark.parametrize(
    ("image", "name", "waiting", "late"),
    [
        ("example/huge:1", "pendingDeadline", "Unschedulable", "PendingDeadlineExceeded"),
        ("example/slow:1", "progressDeadline", "Starting", "ProgressDeadlineExceeded"),
    ],
)
def test_a_deadline_stalls_the_candidate_which_is_kept(image: str, name: str, waiting: str, late: str) -> None:
    world = serving(rollout={name: "5m"})
    old = world.revision
    world.edit_image(image)
    world.settle(280, step=10)
    assert world.condition("RolledOut") == ("False", waiting)
    assert world.condition("Reconciling") is None, "nobody waits for a rollout"
    world.settle(40)
    assert world.condition("Stalled") == ("True", late)
    assert f"rollout.{name} (5m)" in world.status.conditions[1].message
    assert (world.selected(), world.status.quarantine) == (old, ())
    assert world.revision in world.workloads()


@pytest.mark.parametrize(
    ("image", "name", "waiting"),
    [("example/huge:1", "pendingDeadline", "Unschedulable"), ("example/slow:1", "progressDeadline", "Starting")],
)
def test_a_deadline_is_off_when_it_says_so(image: str, name: str, waiting: str) -> None:
    world = serving(rollout={name: "off"})
    world.edit_image(image)
    world.tick(2)
    world.reconcile()
    world.cluster.now = world.cluster.now.replace(year=2027)
    world.pods.behaviours["example/slow:1"] = Behaviour("ready", seconds=10**9)
    world.tick(1)
    world.reconcile()
    assert world.condition("RolledOut") == ("False", waiting)
    assert world.condition("Reconciling") is None, "nobody waits for a rollout"


def test_an_absent_deadline_means_its_default_and_the_status_echoes_it() -> None:
    world = serving(rollout={"progressDedline": "off"})
    assert world.status.policy
    assert world.status.policy.wire() == {
        "pendingDeadline": "15m",
        "progressDeadline": "30m",
        "revisionHistoryLimit": 10,
    }
    world.edit_image("example/slow:1")
    world.settle(31 * 60, step=20)
    assert world.condition("Stalled") == ("True", "ProgressDeadlineExceeded")


def test_a_quota_is_waited_for() -> None:
    world = ServingSimulation()
    world.reconcile()
    refused = {"type": "ReplicaFailure", "status": "True", "message": "pods is forbidden: exceeded quota: team"}
    workload = world.cluster.objects[("Deployment", world.revision)]
    world.cluster.put({**workload, "status": {"observedGeneration": 1, "conditions": [refused]}})
    world.reconcile()
    assert world.condition("Reconciling") == ("True", "QuotaExceeded")
    assert "exceeded quota: team" in world.status.conditions[0].message


def test_a_model_that_the_registry_does_not_know_starts_nothing_and_is_asked_for_again() -> None:
    world = ServingSimulation(model=MODEL)
    world.model = RegistryProblem(Reason.MODEL_ALIAS_NOT_FOUND, "no alias candidate")
    world.reconcile()
    assert world.cluster.writes == ["status ModelDeployment churn", "apply Service churn"], "the gateway says why"
    assert world.condition("ModelResolved") == ("False", "ModelAliasNotFound")
    assert world.condition("Stalled") == ("True", "ModelAliasNotFound")
    assert world.status.phase == "Failed"
    assert world.requeue is None
    world.model = version("1")
    world.settle(10)
    assert (world.status.phase, world.condition("ModelResolved")) == ("Stable", ("True", "ModelResolved"))


def test_a_registry_that_is_down_before_its_first_answer_is_waited_for() -> None:
    world = ServingSimulation(model=MODEL)
    world.model = DOWN
    world.reconcile()
    assert (world.status.phase, world.condition("Reconciling")) == ("Starting", ("True", "RegistryUnavailable"))


def test_a_registry_that_is_down_later_changes_nothing_that_runs() -> None:
    world = served_model()
    world.model = DOWN
    world.reconcile()
    assert world.condition("ModelResolved") == ("False", "RegistryUnavailable")
    assert (world.status.phase, world.condition("RolledOut")) == ("Stable", ("True", "RolledOut"))
    world.cluster.lose("Deployment", world.selected())
    world.settle(10)
    assert world.condition("Ready") == ("True", "Serving"), "what is lost is rebuilt with the registry down"


def test_a_registry_that_is_down_does_not_answer_a_new_question() -> None:
    world = served_model()
    world.model = DOWN
    world.edit(model={"name": "churn", "alias": "champion"})
    world.reconcile()
    assert (world.status.phase, world.condition("Ready")) == ("Stable", ("True", "Serving"))
    assert world.condition("RolledOut") == ("False", "RegistryUnavailable")


def test_an_alias_that_moves_brings_a_new_revision() -> None:
    world = served_model()
    old = world.revision
    world.model = version("2")
    world.settle(10)
    assert world.revision != old
    assert world.selected() == world.revision
    assert world.status.stable and world.status.stable.model_version == "2"


def test_another_alias_of_the_same_version_is_the_same_revision() -> None:
    world = served_model()
    before = len(world.cluster.writes)
    world.edit(model={"name": "churn", "alias": "champion"})
    world.model = version("1", alias="champion")
    world.settle(10)
    assert set(world.cluster.writes[before:]) == {"status ModelDeployment churn"}
    assert world.status.model and world.status.model.alias == "champion"


def test_a_settled_model_is_looked_at_again_only_when_an_answer_changes() -> None:
    world = served_model()
    world.settle(60)
    assert world.plan() == Plan()


def test_while_the_first_answer_is_on_its_way_nothing_is_decided() -> None:
    world = ServingSimulation(model=MODEL)
    world.model = Unanswered()
    assert world.plan() == Plan()


def test_while_the_answer_is_on_its_way_the_last_one_to_the_same_question_counts() -> None:
    world = served_model()
    world.settle(60)
    world.model = Unanswered()
    assert world.plan() == Plan(), "a new leader writes nothing before it has heard the registry"
    world.cluster.lose("Deployment", world.selected())
    world.settle(10)
    assert (world.condition("Ready"), world.condition("ModelResolved")) == (
        ("True", "Serving"),
        ("True", "ModelResolved"),
    )
    world.edit(model={"name": "churn", "alias": "champion"})
    assert world.plan() == Plan()


def test_a_digest_that_becomes_known_makes_a_revision_that_checks_it() -> None:
    world = served_model()
    old = world.revision
    digest = "sha256:" + "0" * 64
    world.model = version("1").model_copy(update={"digest": digest})
    world.settle(10)
    assert world.status.stable and world.status.stable.digest == digest
    assert world.selected() == world.revision != old


def test_the_spec_of_stable_again_calls_the_candidate_off() -> None:
    world = serving()
    old = world.revision
    world.edit_image("example/slow:1")
    world.settle(4)
    abandoned = world.revision
    world.edit_image("example/churn:1")
    world.reconcile()
    assert (world.workloads(), world.status.candidate) == ({old}, None)
    assert (world.status.phase, world.condition("RolledOut")) == ("Stable", ("True", "RolledOut"))
    assert world.cluster.get("ControllerRevision", abandoned), "it is history now"


def test_the_way_back_within_the_grace_needs_no_new_pod() -> None:
    world = serving()
    old = world.revision
    world.edit_image("example/churn:2")
    world.settle(10)
    pods = {pod["metadata"]["uid"] for pod in world.cluster.of_kind("Pod")}
    world.edit_image("example/churn:1")
    world.reconcile()
    assert (world.selected(), world.status.phase) == (old, "Stable")
    assert {pod["metadata"]["uid"] for pod in world.cluster.of_kind("Pod")} == pods


def foreign(world: ServingSimulation, kind: str, name: str) -> None:
    manifest = {"kind": kind, "metadata": {"name": name}, "spec": {"theirs": True}}
    world.cluster.put(child_of(world.body, manifest, ours=False))


def test_a_foreign_service_under_our_name_is_left_alone_and_told() -> None:
    world = ServingSimulation()
    foreign(world, "Service", "churn")
    world.settle(10)
    assert world.cluster.objects[("Service", "churn")]["spec"] == {"theirs": True}
    assert world.condition("Stalled") == ("True", "NameConflict")
    assert world.condition("Ready") == ("False", "NameConflict"), "users who call the Service get someone else"
    assert world.requeue is not None and world.requeue <= 10.5
    world.cluster.lose("Service", "churn")
    world.reconcile()
    assert (world.selected(), world.condition("Ready")) == (world.revision, ("True", "Serving"))


def test_a_foreign_deployment_under_a_name_of_ours_is_never_deleted() -> None:
    world = serving()
    foreign(world, "Deployment", "churn-00000000")
    world.reconcile()
    world.check_settled()
    assert "churn-00000000" in world.workloads()


def test_a_resource_under_deletion_is_left_to_its_owner_references() -> None:
    assert decide_serving(serving_world(serving_body(deleting=True))) == Plan()


def test_a_lost_status_is_rebuilt_from_the_marks_without_moving_anything() -> None:
    world = serving()
    world.edit_image("example/slow:1")
    world.settle(4)
    stable, candidate = world.status.stable, world.status.candidate
    assert stable and candidate
    before = len(world.cluster.writes)
    world.wipe_status()
    world.reconcile()
    assert world.cluster.writes[before:] == ["status ModelDeployment churn"]
    assert world.status.stable and world.status.candidate
    assert world.status.stable.revision == stable.revision
    assert world.status.candidate.revision == candidate.revision
    assert world.status.candidate.image == "example/slow:1"


def test_a_rebuilt_status_still_names_the_version_of_the_model() -> None:
    world = served_model()
    world.wipe_status()
    world.reconcile()
    assert world.status.stable
    assert (world.status.stable.model_version, world.status.stable.digest) == ("1", "unverified")


def upgraded(world: ServingSimulation) -> RenderDefaults:
    """The operator's next build renders other pods."""
    defaults = replace(DEFAULTS, serving_image="example/serving:2", image_pull_policy="Always")
    world.settings["defaults"] = defaults
    return defaults


def test_an_operator_upgrade_writes_nothing() -> None:
    world = serving()
    upgraded(world)
    world.epoch += 1
    world.check_settled()


def test_a_build_that_adds_a_variable_and_a_label_to_every_pod_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = served_model()
    monkeypatch.setattr("fairlead.render.pods.POD_ENV", {"NEW": "1"})
    monkeypatch.setattr("fairlead.render.pods.POD_LABELS", {"new": "1"})
    world.check_settled()


def test_a_build_that_labels_the_children_anew_leaves_their_pod_templates_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = served_model()
    name = world.selected()
    template = world.cluster.objects[("Deployment", name)]["spec"]["template"]
    labels = object_labels(world.world().resource.meta)
    monkeypatch.setattr("fairlead.render.serving.object_labels", lambda meta: {**labels, "new": "1"})
    world.reconcile()
    workload = world.cluster.objects[("Deployment", name)]
    assert workload["metadata"]["labels"]["new"] == "1"
    assert workload["spec"]["template"] == template


def test_a_deleted_deployment_is_rebuilt_as_it_was_even_by_another_build_of_the_operator() -> None:
    world = served_model()
    name = world.selected()
    template = world.cluster.objects[("Deployment", name)]["spec"]["template"]
    upgraded(world)
    world.cluster.lose("Deployment", name)
    world.reconcile()
    assert world.cluster.objects[("Deployment", name)]["spec"]["template"] == template


def test_a_new_revision_gets_the_defaults_of_the_new_build() -> None:
    world = served_model()
    upgraded(world)
    world.pods.behaviours["example/serving:2"] = Behaviour("ready")
    world.model = version("2")
    world.settle(10)
    pod = world.cluster.objects[("Deployment", world.selected())]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "example/serving:2"


def test_a_template_that_someone_changed_is_put_back() -> None:
    world = serving()
    workload = world.cluster.objects[("Deployment", world.selected())]
    kept = workload["spec"]["template"]
    world.cluster.put({**workload, "spec": {**workload["spec"], "template": {**kept, "spec": {}}}})
    world.reconcile()
    assert world.cluster.objects[("Deployment", world.selected())]["spec"]["template"] == kept


def test_replicas_scale_the_revision_that_serves_and_start_no_new_one() -> None:
    world = serving()
    name = world.selected()
    world.edit(replicas=3)
    world.reconcile()
    assert world.condition("Reconciling") == ("True", "Scaling")
    assert world.condition("RolledOut") == ("True", "RolledOut")
    world.settle(10)
    assert (world.workloads(), world.selected(), world.status.replicas) == ({name}, name, 3)
    assert world.condition("Reconciling") is None


def test_the_status_tells_autoscalers_the_pods_that_serve() -> None:
    world = serving(replicas=2)
    world.edit_image("example/slow:1")
    world.settle(4)
    stable = world.status.stable
    assert stable
    assert world.status.selector == f"fairlead.dev/modeldeployment=churn,fairlead.dev/revision={stable.revision}"
    assert world.status.replicas == 2


def test_history_is_kept_up_to_its_limit_the_oldest_goes_first() -> None:
    world = serving(revisionHistoryLimit=1)
    names = [world.revision]
    for number in range(3):
        world.edit(container={"image": "example/churn:1", "args": [str(number)]})
        names.append(world.revision)
        world.settle(60)
    kept = {item["metadata"]["name"] for item in world.cluster.of_kind("ControllerRevision")}
    assert kept == set(names[-2:])


def test_a_quarantined_revision_is_no_history_and_is_kept() -> None:
    world = serving(revisionHistoryLimit=0)
    world.edit_image("example/crash:1")
    banned = world.revision
    world.settle(60)
    world.edit_image("example/churn:2")
    world.settle(60)
    kept = {item["metadata"]["name"] for item in world.cluster.of_kind("ControllerRevision")}
    assert kept == {banned, world.revision}


def test_what_the_settings_refuse_is_told_and_nothing_that_runs_is_touched() -> None:
    world = serving()
    old = world.revision
    before = len(world.cluster.writes)
    world.settings["allowed"] = Allowed(images=("example/churn:*",))
    world.edit_image("example/crash:1")
    world.reconcile()
    assert world.cluster.writes[before:] == ["status ModelDeployment churn"]
    assert world.condition("Stalled") == ("True", "ImageNotAllowed")
    assert (world.selected(), world.condition("Ready")) == (old, ("True", "Serving"))


def test_a_child_that_the_api_server_refuses_is_told_and_heals_by_itself() -> None:
    world = ServingSimulation()
    world.cluster.refused_kinds.add("Deployment")
    world.reconcile()
    assert world.condition("Stalled") == ("True", "Rejected")
    assert "a policy refuses Deployment" in world.status.conditions[0].message
    assert world.requeue is not None and world.requeue <= 10.5
    world.check_settled()
    world.cluster.refused_kinds.clear()
    world.settle(10)
    assert world.status.phase == "Stable"


def test_a_crash_after_any_write_is_taken_up_where_it_was() -> None:
    whole = serving()
    whole.edit_image("example/churn:2")
    whole.settle(60)
    for writes in range(1, len(whole.cluster.writes)):
        world = ServingSimulation()
        world.reconcile(most=writes)
        world.settle(10)
        world.edit_image("example/churn:2")
        world.reconcile(most=writes)
        world.settle(60)
        assert (world.status.phase, world.workloads()) == ("Stable", {world.revision})


def test_a_new_leader_stamps_its_epoch_on_a_change_that_is_under_way_and_on_nothing_else() -> None:
    world = serving()
    world.epoch = 5
    world.check_settled()
    world.edit_image("example/slow:1")
    world.reconcile()
    assert world.status.traffic and world.status.traffic.epoch == 5
    world.epoch = 6
    (effect,) = world.plan().effects
    assert isinstance(effect, WriteStatus)
    assert effect.after["traffic"]["epoch"] == 6


def test_an_older_leader_never_lowers_the_epoch() -> None:
    world = serving()
    world.edit_image("example/slow:1")
    world.epoch = 5
    world.reconcile()
    world.epoch = 3
    world.check_settled()


def test_every_child_is_owned_by_the_uid_and_says_what_it_is() -> None:
    world = ServingSimulation()
    world.reconcile(most=1)
    manifests = [effect.manifest for effect in world.plan().effects if isinstance(effect, Apply)]
    assert len(manifests) == 4
    for manifest in manifests:
        meta: Any = manifest["metadata"]
        assert [owner["uid"] for owner in meta["ownerReferences"]] == [UID]
        assert meta["labels"]["app.kubernetes.io/managed-by"] == "fairlead"
        assert meta["labels"]["fairlead.dev/modeldeployment"] == "churn"


def test_one_word_is_announced_once() -> None:
    world = serving()
    world.edit_image("example/missing:1")
    world.settle(120)
    assert world.announced.count("ImageNotFound") == 2, "when it is first seen, and when it is final"


def test_a_model_that_stops_being_allowed_goes_on_serving_and_nothing_new_of_it_comes_up() -> None:
    world = served_model()
    before = world.revision
    world.settings = {"allowed": Allowed(models=())}
    world.reconcile()
    assert world.condition("ModelResolved") == ("False", "ModelNotAllowed")
    assert (world.condition("Ready"), world.condition("Stalled")) == (("True", "Serving"), ("True", "ModelNotAllowed"))
    world.model = version("2")
    world.settle(60)
    assert (world.selected(), world.workloads()) == (before, {before})
    world.settings = {}
    world.settle(10)
    assert world.status.stable and world.status.stable.model_version == "2"
