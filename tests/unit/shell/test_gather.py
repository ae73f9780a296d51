"""The picture of the world that a decision gets."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.builders import (
    JOB_UID,
    NOW,
    REGISTERING_UID,
    Body,
    child_of,
    container_status,
    gateway_facts,
    gateway_objects,
    gateway_world,
    job_body,
    pod_body,
    registering_job_body,
    revision_children,
    revision_of,
    serving_body,
    training_body,
)
from tests.unit.shell.in_memory import FRAME, MD, TJ, FakeClock, InMemoryCluster, InMemoryRegistry

from fairlead.api.gateway_evidence import PodEvidence
from fairlead.api.names import ANNOTATION_APPLIED
from fairlead.api.reasons import Reason
from fairlead.api.resource import InvalidResource
from fairlead.core.effects import ObjectRef
from fairlead.core.evidence.policy import Policy
from fairlead.core.rollout.arms import Contest
from fairlead.core.rollout.live import begin_rollout, show
from fairlead.core.world import (
    Allowed,
    RegistryProblem,
    Report,
    Run,
    ServingWorld,
    TrainingWorld,
    Unanswered,
)
from fairlead.shell.cache import Cache
from fairlead.shell.gateways import Gateways
from fairlead.shell.gather import Frame, Gatherer, Seen
from fairlead.shell.keys import Key, gateway_key
from fairlead.shell.models import Models
from fairlead.shell.queue import WorkQueue
from fairlead.shell.reports import Answers
from fairlead.shell.rollouts import Rollouts

RUN = Run("run-1", "1", "http://mlflow/run", "RUNNING")
MODEL = {"name": "churn", "alias": "candidate"}


def versioned(body: Body, **labels: str) -> Body:
    meta = {"namespace": "team", "resourceVersion": "1", **body["metadata"]}
    return {**body, "metadata": {**meta, "labels": {**meta.get("labels", {}), **labels}}}


def no_models(registry: InMemoryRegistry | None = None) -> Models:
    """Answers of a registry that nobody asks until `run` is called."""
    queue = WorkQueue(FakeClock(), jitter=lambda seconds: seconds)
    return Models(registry or InMemoryRegistry(), queue, poll_seconds=15, jitter=lambda seconds: seconds)


def cached(*bodies: Body) -> Cache:
    cache = Cache()
    for body in bodies:
        assert cache.put(body)
    return cache


def gatherer_of(cache: Cache, **parts: Any) -> Gatherer:
    gateways = parts.pop("gateways", None) or Gateways(WorkQueue(FakeClock(), jitter=lambda seconds: seconds))
    cluster, registry = parts.pop("cluster", None), parts.pop("registry", None)
    models = parts.pop("models", None) or no_models()
    return Gatherer(
        cache,
        cluster or InMemoryCluster(),
        registry or InMemoryRegistry(),
        FakeClock(),
        models,
        gateways=gateways,
        rollouts=Rollouts(cache),
        **parts,
    )


async def serving(
    body: Body, *objects: Body, models: Models | None = None, seen: Seen | None = None, frame: Frame = FRAME
) -> ServingWorld:
    cache = cached(*(versioned(item, **{"fairlead.dev/modeldeployment": "churn"}) for item in objects))
    return await gatherer_of(cache, models=models).gather_serving(MD, body, frame, seen or Seen(foreign={}))


async def training(
    body: Body,
    *objects: Body,
    registry: InMemoryRegistry | None = None,
    cluster: InMemoryCluster | None = None,
    seen: Seen | None = None,
) -> TrainingWorld:
    cache = cached(*(versioned(item, **{"fairlead.dev/trainingjob": "fit"}) for item in objects))
    return await gatherer_of(cache, cluster=cluster, registry=registry).gather_training(
        TJ, body, FRAME, seen or Seen(foreign={})
    )


async def test_children_pods_settings_and_time_come_together() -> None:
    body = serving_body()
    name = revision_of(body)
    world = await serving(body, *revision_children(body, ready=1), pod_body(name))
    assert [item.name for item in world.revisions] == [name]
    assert world.workloads[name].ready == 1
    assert [pod.revision for pod in world.pods] == [name]
    assert (world.epoch, world.defaults, world.retirement_grace_seconds) == (1, FRAME.defaults, 30)
    assert ObjectRef("Deployment", name) in world.children
    assert not any(ref.kind == "Pod" for ref in world.children)


async def test_an_object_with_our_label_but_another_owner_is_a_child_of_someone_else() -> None:
    theirs = child_of(serving_body(), {"kind": "Deployment", "metadata": {"name": "churn-x"}}, ours=False)
    world = await serving(serving_body(), theirs)
    assert not world.children[ObjectRef("Deployment", "churn-x")].ours
    assert world.workloads == {}


@pytest.mark.parametrize("stamped", [True, False], ids=["written by us", "labelled by somebody"])
async def test_what_we_wrote_for_a_former_owner_of_the_name_is_taken_over(stamped: bool) -> None:
    body = serving_body()
    orphans = revision_children(body)
    for item in orphans:
        del item["metadata"]["ownerReferences"]
        item["metadata"]["annotations"] = {ANNOTATION_APPLIED: "0123456789abcdef"} if stamped else {}
    world = await serving(body, *orphans)
    assert [child.ours for child in world.children.values()] == [stamped] * len(orphans)


async def test_a_pod_that_no_replica_set_made_says_nothing_about_a_revision() -> None:
    body = serving_body()
    by_hand = pod_body(revision_of(body), container_status(exit_code=3), name="by-hand")
    del by_hand["metadata"]["ownerReferences"]
    world = await serving(body, *revision_children(body), pod_body(revision_of(body)), by_hand)
    assert [pod.name for pod in world.pods] == ["pod-1"]


async def test_a_controller_revision_that_we_cannot_have_written_is_not_ours() -> None:
    body = serving_body()
    stored, workload = revision_children(body)
    template = {**stored["data"]["template"], "spec": {**stored["data"]["template"]["spec"], "hostNetwork": True}}
    forged = {**stored, "data": {**stored["data"], "template": template}}
    world = await serving(body, forged, workload)
    assert not world.children[ObjectRef("ControllerRevision", revision_of(body))].ours
    assert world.revisions == ()


async def test_what_a_write_has_just_found_is_part_of_the_world() -> None:
    found: Body = {"kind": "Service", "metadata": {"name": "churn", "uid": "u"}}
    world = await serving(serving_body(), seen=Seen(foreign={ObjectRef("Service", "churn"): found}, refused="no"))
    assert not world.children[ObjectRef("Service", "churn")].ours
    assert world.refused == "no"


async def test_a_model_is_asked_for_by_the_poller_and_the_reconcile_does_not_wait() -> None:
    models = no_models()
    world = await serving(serving_body(model=MODEL), models=models)
    assert isinstance(world.model, Unanswered)
    assert models.asking == {MD}


@pytest.mark.parametrize(
    ("body", "frame"),
    [
        (serving_body(), FRAME),
        (serving_body(model=MODEL, deleting=True), FRAME),
        (serving_body(model=MODEL), replace(FRAME, allowed=Allowed(models=()))),
    ],
)
async def test_nobody_asks_without_a_model_or_for_one_that_is_not_allowed(body: Body, frame: Frame) -> None:
    models = no_models()
    await serving(serving_body(model=MODEL), models=models)
    world = await serving(body, models=models, frame=frame)
    refused = isinstance(world.model, RegistryProblem) and world.model.reason is Reason.MODEL_NOT_ALLOWED
    assert refused or world.model is None
    assert refused is (frame is not FRAME)
    assert models.asking == set()


async def test_an_object_that_does_not_fit_the_schema_is_told_by_its_field() -> None:
    with pytest.raises(InvalidResource, match="replicas"):
        await serving(serving_body(replicas="many"))
    with pytest.raises(InvalidResource, match="register"):
        await training(training_body(register=None))


def phase(name: str) -> Body:
    return {"phase": name, "run": {"id": "run-1"}}


@pytest.mark.parametrize(
    ("status", "ended", "asked"),
    [
        (None, None, ["find_runs"]),
        (phase("Pending"), None, ["find_runs"]),
        (phase("Running"), "", []),
        (phase("Running"), "Complete", []),
        (phase("Running"), "Failed", []),
        (phase("Gating"), "Complete", ["find_runs", "logged_models", "run_metrics"]),
        (phase("Gating"), None, ["find_runs", "logged_models", "run_metrics"]),
        (phase("Registering"), "Complete", ["find_runs", "find_version"]),
        (phase("Registering"), None, ["find_runs", "find_version"]),
        (phase("Failed"), "Failed", ["find_runs"]),
        (phase("Failed"), "", ["find_runs"]),
        (phase("Succeeded"), "Complete", []),
    ],
)
async def test_the_registry_is_asked_as_far_as_the_phase_needs_it(
    status: Body | None, ended: str | None, asked: list[str]
) -> None:
    registry = InMemoryRegistry(run=RUN)
    body = training_body(status=status)
    jobs = [] if ended is None else [job_body(body, ended=ended)]
    await training(body, *jobs, registry=registry)
    assert [call[0] for call in registry.calls] == asked


async def test_a_job_that_is_being_deleted_with_its_owner_asks_the_registry_nothing() -> None:
    registry = InMemoryRegistry(run=RUN)
    await training(training_body(deleting=True), registry=registry)
    assert registry.calls == []


HASHING = phase("Registering") | {"modelVersion": {"name": "churn", "modelId": "m-1"}}


@pytest.mark.parametrize("ended", ["", "Complete", "Failed"])
async def test_the_registering_job_is_no_trainer_and_mlflow_is_not_asked_until_it_tells_its_digest(ended: str) -> None:
    registry, body = InMemoryRegistry(run=RUN), training_body(status=HASHING)
    hashing = registering_job_body(body, ended=ended)
    pods = [pod_body("", name="a", owner=JOB_UID), pod_body("", name="b", owner=REGISTERING_UID)]
    world = await training(body, job_body(body, ended="Complete"), hashing, *pods, registry=registry)
    assert world.job and world.job.name == "fit-1"
    assert [pod.name for pod in world.pods] == ["a"]
    assert world.registering and world.registering.job.name == "fit-1-register"
    assert [pod.name for pod in world.registering.pods] == ["b"]
    assert registry.calls == []


async def test_once_the_digest_is_known_mlflow_is_asked_again() -> None:
    registry = InMemoryRegistry(run=RUN)
    model = {**HASHING["modelVersion"], "digest": "sha256:1"}
    body = training_body(status=HASHING | {"modelVersion": model})
    await training(body, registering_job_body(body, ended="Complete"), registry=registry)
    assert [call[0] for call in registry.calls] == ["find_runs", "find_version"]


async def test_a_registering_job_counts_only_in_its_phase_and_when_it_is_ours() -> None:
    for status, ours in ((phase("Succeeded"), True), (HASHING, False)):
        body = training_body(status=status)
        assert (await training(body, registering_job_body(body, ours=ours))).registering is None


async def test_a_registering_job_without_a_pod_is_asked_for_its_warnings() -> None:
    cluster, body = InMemoryCluster(), training_body(status=HASHING)
    cluster.warning_texts = ["oldest", "newest"]
    world = await training(body, registering_job_body(body), cluster=cluster)
    assert world.registering and world.registering.warning == "newest"


async def test_a_write_that_the_registry_has_just_failed_is_part_of_the_world() -> None:
    problem = RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "database is locked")
    registry = InMemoryRegistry(run=RUN)
    world = await training(training_body(), registry=registry, seen=Seen(foreign={}, problem=problem))
    assert (world.registry, registry.calls) == (problem, [])


async def test_only_the_pods_of_the_job_count() -> None:
    body = training_body()
    pods = [pod_body("", name="a", owner=JOB_UID), pod_body("", name="b", owner="another")]
    assert [pod.name for pod in (await training(body, job_body(body), *pods)).pods] == ["a"]
    assert (await training(body, *pods)).pods == ()


async def test_a_foreign_job_is_no_job_of_ours() -> None:
    body = training_body()
    world = await training(body, job_body(body, ours=False))
    assert world.job is None
    assert not world.children[ObjectRef("Job", "fit-1")].ours


@pytest.mark.parametrize(
    ("pods", "ended", "warning"),
    [([], "", "newest"), ([pod_body("", owner=JOB_UID)], "", ""), ([], "Failed", "")],
)
async def test_the_job_controller_s_warnings_are_read_only_while_there_is_no_pod(
    pods: list[Any], ended: str, warning: str
) -> None:
    cluster = InMemoryCluster()
    cluster.warning_texts = ["oldest", "newest"]
    body = training_body()
    world = await training(body, job_body(body, ended=ended), *pods, cluster=cluster)
    assert world.job_warning == warning
    assert cluster.calls == (["warnings"] if warning else [])


async def test_no_warning_is_none() -> None:
    body = training_body()
    assert (await training(body, job_body(body), seen=Seen(foreign={}, refused="why"))).job_warning == ""


# -- the gateway


class Told:
    """Answers that are there already."""

    def __init__(self) -> None:
        self.followed: list[tuple[Key, int, bool]] = []
        self.forgotten: list[Key] = []

    def follow(self, key: Key, *, generation: int, watched: bool) -> Answers:
        self.followed.append((key, generation, watched))
        return Answers({"gateway-0": Report(7, 1)}, frozenset({"gateway-1"}))

    def forget(self, key: Key) -> None:
        self.forgotten.append(key)

    def evidence(self, namespace: str) -> dict[str, PodEvidence]:
        return {"gateway-0": PodEvidence(1.0, 1.0, {})}

    def stale_seconds(self, namespace: str) -> float:
        return 75.0


ARM = {"revision": "churn-1", "weight": 100}
SPLIT = [{**ARM, "weight": 95}, {"revision": "churn-2", "role": "canary", "weight": 5}]
EVIDENCE = show(begin_rollout(Contest("churn-2", "churn-1"), Policy(), now=NOW, floor=1), None, now=NOW).wire()


@pytest.mark.parametrize(
    ("status", "generation", "watched"),
    [
        (None, 0, False),
        ({"traffic": {"generation": 7, "arms": [ARM]}}, 7, False),
        ({"traffic": {"generation": 8, "arms": SPLIT}}, 8, False),
        ({"traffic": {"generation": 8, "arms": SPLIT}, "evidence": EVIDENCE}, 8, True),
    ],
)
async def test_a_port_is_given_and_what_the_gateway_says_of_this_one_is_part_of_the_world(
    status: Body | None, generation: int, watched: bool
) -> None:
    gateways, told = Gateways(WorkQueue(FakeClock(), jitter=lambda seconds: seconds)), Told()
    gateways.noted(gateway_world(), gateway_facts())
    body = serving_body(status=status)
    gatherer = gatherer_of(cached(body), gateways=gateways, reports=told)
    world = await gatherer.gather_serving(MD, body, FRAME, Seen(foreign={}))
    assert world.port is not None and 10000 <= world.port <= 10999
    assert (world.gateway.reports, world.gateway.silent) == ({"gateway-0": Report(7, 1)}, {"gateway-1"})
    assert world.gateway.ready_pods == ("gateway-0", "gateway-1")
    assert told.followed == [(MD, generation, watched)]
    assert set(world.evidence) == ({"gateway-0"} if watched else set())
    gatherer.forget(MD)
    assert told.forgotten == [MD]


async def test_nobody_follows_the_gateway_for_one_that_goes() -> None:
    told, body = Told(), serving_body(deleting=True)
    await gatherer_of(cached(body), reports=told).gather_serving(MD, body, FRAME, Seen(foreign={}))
    assert told.followed == []


async def test_before_the_first_look_nothing_is_known_of_the_gateway() -> None:
    assert not (await serving(serving_body())).gateway.known


async def test_a_port_that_was_given_is_forgotten_with_its_owner() -> None:
    gatherer = gatherer_of(cached(serving_body()))
    first = (await gatherer.gather_serving(MD, serving_body(), FRAME, Seen(foreign={}))).port
    gatherer.forget(MD)
    told = serving_body(status={"traffic": {"port": 10999}})
    world = await gatherer.gather_serving(MD, told, FRAME, Seen(foreign={}))
    assert world.port == 10999 != first


def test_a_gateway_s_world_has_its_owners_and_its_objects() -> None:
    going = serving_body(name="going", deleting=True)
    going["metadata"]["uid"] = "uid-going"
    *objects, budget = (versioned(item) for item in gateway_objects())
    forged = {**budget, "metadata": {**budget["metadata"], "ownerReferences": [], "annotations": {}}}
    pod = versioned(pod_body(name="gateway-1", ready=True), **{"app.kubernetes.io/name": "fairlead-gateway"})
    pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "uid": "u", "controller": True}]
    by_hand = versioned(pod_body(name="by-hand", ready=True), **{"app.kubernetes.io/name": "fairlead-gateway"})
    gatherer = gatherer_of(cached(serving_body(), going, *objects, forged, pod, by_hand))
    world = gatherer.gather_gateway(gateway_key("team"), FRAME, Seen(foreign={}, refused="no"))
    assert [item.name for item in world.owners] == ["churn"]
    ours = {ref.kind: child.ours for ref, child in world.children.items()}
    assert ours == {"ServiceAccount": True, "RoleBinding": True, "Deployment": True, "PodDisruptionBudget": False}
    facts = gatherer.gateway_facts(gateway_key("team"), world)
    assert facts.workload and facts.workload.name == "fairlead-gateway"
    assert facts.ready_pods == ("gateway-1",), "what no ReplicaSet made is no gateway"
    assert facts.conflict == ObjectRef("PodDisruptionBudget", "fairlead-gateway")
    assert (facts.refused, facts.known) == ("no", True)


def test_a_foreign_deployment_is_no_gateway() -> None:
    foreign = {**versioned(gateway_objects()[2])}
    foreign["metadata"] = {**foreign["metadata"], "ownerReferences": [], "annotations": {}}
    gatherer = gatherer_of(cached(serving_body(), foreign))
    world = gatherer.gather_gateway(gateway_key("team"), FRAME, Seen(foreign={}))
    assert gatherer.gateway_facts(gateway_key("team"), world).workload is None
