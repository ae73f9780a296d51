"""What the registry knows of a TrainingJob, asked only as far as its phase needs it."""

from dataclasses import replace

from fairlead.api.reasons import Reason
from fairlead.api.resource import TrainingJob
from fairlead.api.training_job import TrainingPhase
from fairlead.core.world import Alias, LoggedModel, RegistryFacts, RegistryProblem, Run, Version
from fairlead.errors import RegistryError
from fairlead.ports import Registry


def problem_of(error: RegistryError) -> RegistryProblem:
    """The error as a part of the world."""
    return RegistryProblem(Reason(error.reason), str(error))


async def gather_facts(registry: Registry, resource: TrainingJob) -> RegistryFacts | RegistryProblem:
    """As much as the phase needs: the run to start and to close, what it logged, the version to register."""
    meta, status = resource.meta, resource.status
    if status.phase is TrainingPhase.SUCCEEDED or meta.deleting:
        return RegistryFacts()
    try:
        found = await registry.find_runs(meta.uid, meta.namespace)
        runs = [Run(it.run_id, it.experiment_id, it.url, it.status, it.attempt, it.gate, it.git_commit) for it in found]
        known = status.run.id if status.run else ""
        # The one that the trainer was given, should a lost answer have left two.
        run = min(
            (item for item in runs if item.attempt == status.current_attempt),
            key=lambda item: item.run_id != known,
            default=None,
        )
        facts = RegistryFacts(run, former_runs=tuple(item for item in runs if item is not run))
        if status.phase is TrainingPhase.REGISTERING:
            return await _registered(registry, resource, facts)
        if run and status.phase is TrainingPhase.GATING:
            models = await registry.logged_models(run.run_id, run.experiment_id)
            metrics = await registry.run_metrics(run.run_id)
            return replace(facts, logged_models=tuple(LoggedModel(*item) for item in models), metrics=metrics)
        return facts
    except RegistryError as error:
        return problem_of(error)


async def _registered(registry: Registry, resource: TrainingJob, facts: RegistryFacts) -> RegistryFacts:
    """The version and the alias, as far as they are there. RegistryError."""
    wanted = resource.spec.register_
    version = await registry.find_version(wanted.model, resource.meta.uid)
    if version is None:
        return facts
    alias = await registry.find_alias(wanted.model, wanted.alias)
    return replace(
        facts,
        version=Version(version.number, version.digest),
        alias=Alias(alias.version, alias.writer, alias.trained),
    )
