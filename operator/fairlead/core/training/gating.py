"""Judges what a trainer logged: which model it is, and whether its metrics pass the gate. Registering comes next.

The verdict, the numbers behind it and the model are latched in one write of the status: what happens to the run
afterwards changes nothing.
"""

from fairlead.api.reasons import Reason
from fairlead.api.training_job import ModelVersionStatus, RunStatus, TrainingPhase
from fairlead.core.effects import Plan
from fairlead.core.findings import Finding
from fairlead.core.training.gate import describe, judge, shown, why_failed
from fairlead.core.training.status import fail, make_plan, make_status, registry_waits
from fairlead.core.world import LoggedModel, RegistryFacts, RegistryProblem, TrainingWorld


def pass_gate(world: TrainingWorld) -> Plan:
    """The trainer ended well: find its model, hold its metrics against the gate, go on to the registration."""
    if isinstance(world.registry, RegistryProblem):
        return registry_waits(world, world.registry, TrainingPhase.GATING)
    spec, run = world.resource.spec, world.resource.status.run or RunStatus(id="")
    found = _logged_model(world, world.registry, run.id)
    if isinstance(found, Finding):
        return fail(world, found)
    metrics = shown(spec.gate, world.registry.metrics)
    verdict = judge(spec.gate, world.registry.metrics) if spec.gate else None
    if verdict and not verdict.passed:
        finding = Finding(why_failed(verdict), describe(verdict), final=True)
        return fail(world, finding, metrics=metrics, gate=verdict)
    passed = f"the gate has passed ({describe(verdict)}); " if verdict else ""
    text = f"{passed}registering {found.model_id} as {spec.register_.model}"
    model = ModelVersionStatus(name=spec.register_.model, model_id=found.model_id)
    status = make_status(
        world, TrainingPhase.REGISTERING, Reason.REGISTERING, text, metrics=metrics, gate=verdict, model_version=model
    )
    return make_plan(world, status)


def _logged_model(world: TrainingWorld, facts: RegistryFacts, run_id: str) -> LoggedModel | Finding:
    """The one model to register; none or several are failures that only the trainer can mend."""
    wanted = world.resource.spec.register_.artifact
    models = [model for model in facts.logged_models if wanted in (None, model.name)]
    if len(models) == 1:
        return models[0]
    named = f' named "{wanted}"' if wanted else ""
    if not models:
        others = ", ".join(sorted({model.name for model in facts.logged_models}))
        seen = f"; it has {others}" if others else ""
        text = f"the trainer ended well, but its MLflow run {run_id} has no logged model{named}{seen}"
        return Finding(Reason.NO_MODEL_LOGGED, text, final=True)
    ids = ", ".join(f"{model.model_id} ({model.name})" for model in models)
    text = f"expected one logged model{named} in MLflow run {run_id}, got {len(models)}: {ids}"
    return Finding(Reason.AMBIGUOUS_MODEL, text, final=True)
