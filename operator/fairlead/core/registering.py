"""Registers what a trainer logged.

    one logged model ──> digest of its files ──> version ──> alias ──> run closed ──> Succeeded

Each arrow is one write. The model and its digest are latched in the status; the version is found again by the
TrainingJob's UID in its tags, since MLflow's calls are not idempotent.
"""

from fairlead.api.reasons import Reason
from fairlead.api.training_job import ModelVersionStatus, TrainingPhase
from fairlead.core.effects import ClaimAlias, CloseRun, Plan, RegisterVersion, SetAlias
from fairlead.core.findings import Finding
from fairlead.core.hashing import ask_digest
from fairlead.core.refusals import refused_by_tenancy
from fairlead.core.training_status import (
    TAG_DIGEST,
    TAG_GIT_COMMIT,
    fail,
    lineage_tags,
    make_plan,
    make_status,
    registry_waits,
    writer_tag,
)
from fairlead.core.world import LoggedModel, RegistryFacts, RegistryProblem, TrainingWorld

ALIAS_POLL_SECONDS = 15.0
"""How soon an alias that was handed over is taken up."""


def register(world: TrainingWorld) -> Plan:
    """The trainer ended well: hash its one logged model, register it, move the alias, say so."""
    status, wanted, namespace = world.resource.status, world.resource.spec.register_, world.resource.meta.namespace
    known = status.model_version
    if refused := refused_by_tenancy("spec.register.model", wanted.model, namespace, world.allowed):
        return make_plan(world, make_status(world, TrainingPhase.REGISTERING, refused.reason, refused.message))
    if status.phase is TrainingPhase.REGISTERING and known and not (known.digest or known.version):
        return ask_digest(world, known)
    if isinstance(world.registry, RegistryProblem):
        return registry_waits(world, world.registry, TrainingPhase.REGISTERING)
    if status.phase is not TrainingPhase.REGISTERING or known is None:
        return _begin(world, world.registry)
    return _publish(world, known, world.registry)


def _begin(world: TrainingWorld, facts: RegistryFacts) -> Plan:
    """Latch which model it is; none or several are failures that only the trainer can mend."""
    models = facts.logged_models
    run_id = world.resource.status.run.id if world.resource.status.run else ""
    if not models:
        text = f"the trainer ended well, but its MLflow run {run_id} has no logged model"
        return fail(world, Finding(Reason.NO_MODEL_LOGGED, text, final=True), exit_code=0)
    if len(models) > 1:
        ids = ", ".join(model.model_id for model in models)
        text = f"expected one logged model in MLflow run {run_id}, got {len(models)}: {ids}"
        return fail(world, Finding(Reason.AMBIGUOUS_MODEL, text, final=True), exit_code=0)
    return begin_registering(world, models[0])


def begin_registering(world: TrainingWorld, model: LoggedModel) -> Plan:
    """The first status of the phase Registering: from here on it is this model."""
    known = ModelVersionStatus(name=world.resource.spec.register_.model, model_id=model.model_id)
    text = f"hashing the files of logged model {model.model_id}"
    status = make_status(world, TrainingPhase.REGISTERING, Reason.REGISTERING, text, model_version=known)
    return make_plan(world, status)


def _publish(world: TrainingWorld, known: ModelVersionStatus, facts: RegistryFacts) -> Plan:
    """The digest is known: what is still missing of version, alias and the run's end, one at a time."""
    if facts.version is None:
        return Plan((_registration(world, known, facts),))
    number = facts.version.number
    found = known.model_copy(update={"version": number, "digest": facts.version.digest or known.digest})
    if step := _alias_step(world, found, facts):
        return step
    if facts.run and facts.run.status != "FINISHED":
        return Plan((CloseRun(facts.run.run_id, "FINISHED"),))
    return _succeed(world, found, facts)


def _registration(world: TrainingWorld, known: ModelVersionStatus, facts: RegistryFacts) -> RegisterVersion:
    meta, run = world.resource.meta, facts.run
    learnt = {TAG_DIGEST: known.digest, TAG_GIT_COMMIT: run.git_commit if run else ""}
    return RegisterVersion(
        known.name,
        run_id=run.run_id if run else "",
        model_id=known.model_id,
        description=f"Trained and registered by Fairlead for the TrainingJob {meta.namespace}/{meta.name}.",
        tags=lineage_tags(world) | {key: value for key, value in learnt.items() if value},
    )


def alias_writer(world: TrainingWorld) -> str:
    """Who this TrainingJob moves aliases for: one writer per alias."""
    return f"{world.operator_id}/{world.resource.meta.namespace}"


def _alias_step(world: TrainingWorld, found: ModelVersionStatus, facts: RegistryFacts) -> Plan | None:
    """The next write on the way to an alias that points at our version; None when it does, or at a newer one.

    An alias of ours only moves forward, to a higher version number: a TrainingJob that registers late never takes it
    back from a newer version. One that a person moved back by hand does move on: a new training is what they asked for.
    """
    alias, us, name = facts.alias, alias_writer(world), world.resource.spec.register_.alias
    if alias.version == found.version:
        return None
    if alias.writer not in ("", us):
        text = f"is written by {alias.writer}, as the tag {writer_tag(name)} of the registered model says"
        return _conflict(world, found, f"{text}; delete the tag, or set it to {us}, to hand the alias over")
    if alias.version and not alias.writer and not alias.trained:
        text = f"points at version {alias.version}, which no TrainingJob registered, and nobody is named as its writer"
        hint = f"delete the alias, or set the tag {writer_tag(name)} of the registered model to {us}, to hand it over"
        return _conflict(world, found, f"{text}; {hint}")
    if alias.version and int(alias.version) > int(found.version):
        return None
    if alias.writer != us:
        return Plan((ClaimAlias(found.name, name, us),))
    return Plan((SetAlias(found.name, name, found.version),))


def _conflict(world: TrainingWorld, found: ModelVersionStatus, why: str) -> Plan:
    alias = world.resource.spec.register_.alias
    text = f"{found.name} version {found.version} is registered, but its alias {alias} {why}"
    status = make_status(world, TrainingPhase.REGISTERING, Reason.ALIAS_CONFLICT, text, model_version=found)
    return make_plan(world, status, wait=ALIAS_POLL_SECONDS)


def _succeed(world: TrainingWorld, found: ModelVersionStatus, facts: RegistryFacts) -> Plan:
    alias = world.resource.spec.register_.alias
    reached = facts.alias.version == found.version
    where = "points at it" if reached else f"stays at the newer version {facts.alias.version}"
    status = make_status(
        world,
        TrainingPhase.SUCCEEDED,
        Reason.SUCCEEDED,
        f"{found.name} version {found.version} is registered; alias {alias} {where}",
        model_version=found.model_copy(update={"alias": alias if reached else ""}),
        exit_code=0,
        start_time=world.job.started if world.job else world.resource.status.start_time,
        completion_time=world.now,
    )
    return make_plan(world, status)
