"""The picture of the world that a decision gets."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.builders import (
    JOB_UID,
    Body,
    child_of,
    job_body,
    pod_body,
    revision_children,
    revision_of,
    serving_body,
    training_body,
)
from tests.unit.shell.in_memory import FRAME, MD, TJ, FakeClock, InMemoryCluster, InMemoryRegistry

from fairlead.api.reasons import Reason
from fairlead.api.resource import InvalidResource
from fairlead.core.effects import ObjectRef
from fairlead.core.world import (
    Allowed,
    LoggedModel,
    RegistryFacts,
    RegistryProblem,
    Run,
    ServingWorld,
    TrainingWorld,
    Unanswered,
)
from fairlead.shell.cache import Cache
from fairlead.shell.gather import Frame, Gatherer, Seen
from fairlead.shell.models import Models
from fairlead.shell.queue import WorkQueue

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


async def serving(
    body: Body, *objects: Body, models: Models | None = None, seen: Seen | None = None, frame: Frame = FRAME
) -> ServingWorld:
    cache = cached(*(versioned(item, **{"fairlead.dev/modeldeployment": "churn"}) for item in objects))
    gatherer = Gatherer(cache, InMemoryCluster(), InMemoryRegistry(), FakeClock(), models or no_models())
    return await gatherer.gather_serving(MD, body, frame, seen or Seen(foreign={}))


async def training(
    body: Body,
    *objects: Body,
    registry: InMemoryRegistry | None = None,
    cluster: InMemoryCluster | None = None,
    seen: Seen | None = None,
) -> TrainingWorld:
    cache = cached(*(versioned(item, **{"fairlead.dev/trainingjob": "fit"}) for item in objects))
    gatherer = Gatherer(cache, cluster or InMemoryCluster(), registry or InMemoryRegistry(), FakeClock(), no_models())
    return await gatherer.gather_training(TJ, body, FRAME, seen or Seen(foreign={}))


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
        (None, None, ["find_run"]),
        (phase("Pending"), None, ["find_run"]),
        (phase("Running"), "", []),
        (phase("Running"), "Complete", ["find_run"]),
        (phase("Registering"), "Complete", ["find_run", "find_version", "logged_models"]),
        (phase("Registering"), None, ["find_run", "find_version", "logged_models"]),
        (phase("Failed"), "Failed", ["find_run"]),
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


async def test_what_the_registry_knows_at_the_end_comes_together() -> None:
    body = training_body(status=phase("Registering"))
    registry = InMemoryRegistry(run=RUN, models=[("m-1", "models:/m-1")], version="4", alias="3")
    world = await training(body, job_body(body, ended="Complete"), registry=registry)
    assert world.registry == RegistryFacts(RUN, (LoggedModel("m-1", "models:/m-1"),), "4", "3")
    assert world.operator_id == "operator-1"


async def test_without_a_run_nothing_else_is_asked() -> None:
    registry = InMemoryRegistry()
    world = await training(training_body(status=phase("Registering")), registry=registry)
    assert world.registry == RegistryFacts()
    assert [call[0] for call in registry.calls] == ["find_run"]


async def test_a_registry_that_is_down_is_a_fact_of_a_training_too() -> None:
    world = await training(training_body(), registry=InMemoryRegistry(down=True))
    assert world.registry == RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")


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
