"""Registers what a trainer logged: its one logged model becomes a version, the alias moves, the run is closed."""

from datetime import datetime

from fairlead.api.reasons import Reason
from fairlead.api.training_job import ModelVersionStatus, TrainingPhase
from fairlead.core.effects import CloseRun, Plan, RegisterVersion, SetAlias
from fairlead.core.findings import Finding
from fairlead.core.refusals import refused_by_tenancy
from fairlead.core.training_status import fail, lineage_tags, make_plan, make_status, registry_waits
from fairlead.core.world import RegistryProblem, TrainingWorld


def register(world: TrainingWorld) -> Plan:
    """The trainer ended well: register its one logged model, move the alias, say so."""
    meta, wanted = world.resource.meta, world.resource.spec.register_
    if refused := refused_by_tenancy("spec.register.model", wanted.model, meta.namespace, world.allowed):
        return make_plan(world, make_status(world, TrainingPhase.REGISTERING, refused.reason, refused.message))
    return _register(world)


def _register(world: TrainingWorld) -> Plan:
    resource = world.resource
    wanted = resource.spec.register_
    if isinstance(world.registry, RegistryProblem):
        return registry_waits(world, world.registry, TrainingPhase.REGISTERING)
    if resource.status.phase is not TrainingPhase.REGISTERING:
        text = f"registering {wanted.model}"
        return make_plan(world, make_status(world, TrainingPhase.REGISTERING, Reason.REGISTERING, text))
    facts = world.registry
    if not facts.version:
        return _register_version(world)
    if facts.aliased_version != facts.version:
        return Plan((SetAlias(wanted.model, wanted.alias, facts.version),))
    if facts.run and facts.run.status != "FINISHED":
        return Plan((CloseRun(facts.run.run_id, "FINISHED"),))
    version = ModelVersionStatus(name=wanted.model, version=facts.version, alias=wanted.alias)
    text = f"{wanted.model} version {facts.version} is registered; alias {wanted.alias} points at it"
    status = make_status(
        world,
        TrainingPhase.SUCCEEDED,
        Reason.SUCCEEDED,
        text,
        model_version=version,
        exit_code=0,
        start_time=world.job.started if world.job else resource.status.start_time,
        completion_time=_completed(world),
    )
    return make_plan(world, status)


def _completed(world: TrainingWorld) -> datetime:
    return (world.job.finished if world.job else None) or world.now


def _register_version(world: TrainingWorld) -> Plan:
    """One logged model becomes a version; none or several are failures that only the trainer can mend."""
    assert not isinstance(world.registry, RegistryProblem)  # noqa: S101 -- the caller has looked
    models = world.registry.logged_models
    run_id = world.resource.status.run.id if world.resource.status.run else ""
    if not models:
        text = f"the trainer ended well, but its MLflow run {run_id} has no logged model"
        return fail(world, Finding(Reason.NO_MODEL_LOGGED, text, final=True), exit_code=0)
    if len(models) > 1:
        ids = ", ".join(model.model_id for model in models)
        text = f"expected one logged model in MLflow run {run_id}, got {len(models)}: {ids}"
        return fail(world, Finding(Reason.AMBIGUOUS_MODEL, text, final=True), exit_code=0)
    model, name = models[0], world.resource.spec.register_.model
    return Plan((RegisterVersion(name, model.source, run_id, model.model_id, lineage_tags(world)),))
