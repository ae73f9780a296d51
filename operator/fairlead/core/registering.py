"""Registers what passed the gate: the logged model becomes a version, the alias moves, the run is closed."""

from datetime import datetime

from fairlead.api.reasons import Reason
from fairlead.api.training_job import ModelVersionStatus, TrainingPhase
from fairlead.core.effects import CloseRun, Plan, RegisterVersion, SetAlias
from fairlead.core.refusals import refused_by_tenancy
from fairlead.core.training_status import lineage_tags, make_plan, make_status, registry_waits
from fairlead.core.world import RegistryProblem, TrainingWorld


def register(world: TrainingWorld) -> Plan:
    """The gate has passed, and the status names the model: register it, move the alias, say so."""
    meta, wanted = world.resource.meta, world.resource.spec.register_
    if refused := refused_by_tenancy("spec.register.model", wanted.model, meta.namespace, world.allowed):
        return make_plan(world, make_status(world, TrainingPhase.REGISTERING, refused.reason, refused.message))
    return _register(world)


def _register(world: TrainingWorld) -> Plan:
    resource = world.resource
    wanted = resource.spec.register_
    if isinstance(world.registry, RegistryProblem):
        return registry_waits(world, world.registry, TrainingPhase.REGISTERING)
    facts, run, known = world.registry, resource.status.run, resource.status.model_version
    if not facts.version:
        model_id, run_id = known.model_id if known else "", run.id if run else ""
        return Plan((RegisterVersion(wanted.model, f"models:/{model_id}", run_id, model_id, lineage_tags(world)),))
    if facts.aliased_version != facts.version:
        return Plan((SetAlias(wanted.model, wanted.alias, facts.version),))
    if facts.run and facts.run.status != "FINISHED":
        return Plan((CloseRun(facts.run.run_id, "FINISHED"),))
    registered = {"version": facts.version, "alias": wanted.alias}
    version = (known or ModelVersionStatus(name=wanted.model)).model_copy(update=registered)
    text = f"{wanted.model} version {facts.version} is registered; alias {wanted.alias} points at it"
    status = make_status(
        world,
        TrainingPhase.SUCCEEDED,
        Reason.SUCCEEDED,
        text,
        model_version=version,
        completion_time=_completed(world),
    )
    return make_plan(world, status)


def _completed(world: TrainingWorld) -> datetime:
    return (world.job.finished if world.job else None) or world.now
