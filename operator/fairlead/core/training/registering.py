"""Registers what passed the gate.

    digest of the model's files ──> version ──> alias ──> run closed ──> Succeeded

Each arrow is one write. The digest is latched in the status; the version is found again by the TrainingJob's UID in
its tags, since MLflow's calls are not idempotent.
"""

from fairlead.api.reasons import Reason
from fairlead.api.training_job import ModelVersionStatus, TrainingPhase
from fairlead.core.effects import ClaimAlias, CloseRun, Plan, RegisterVersion, SetAlias
from fairlead.core.refusals import refused_by_tenancy
from fairlead.core.training.hashing import ask_digest
from fairlead.core.training.status import (
    TAG_DIGEST,
    TAG_GIT_COMMIT,
    lineage_tags,
    make_plan,
    make_status,
    registry_waits,
    writer_tag,
)
from fairlead.core.world import RegistryFacts, RegistryProblem, TrainingWorld

ALIAS_POLL_SECONDS = 15.0
"""How soon an alias that was handed over is taken up."""


def register(world: TrainingWorld) -> Plan:
    """The gate has passed, and the status names the model: hash it, register it, move the alias, say so."""
    wanted, namespace = world.resource.spec.register_, world.resource.meta.namespace
    if refused := refused_by_tenancy("spec.register.model", wanted.model, namespace, world.allowed):
        return make_plan(world, make_status(world, TrainingPhase.REGISTERING, refused.reason, refused.message))
    known = world.resource.status.model_version
    assert known  # noqa: S101 -- latched with the verdict of the gate
    if not (known.digest or known.version):
        return ask_digest(world, known)
    if isinstance(world.registry, RegistryProblem):
        return registry_waits(world, world.registry, TrainingPhase.REGISTERING)
    return _publish(world, known, world.registry)


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
        completion_time=world.now,
    )
    return make_plan(world, status)
