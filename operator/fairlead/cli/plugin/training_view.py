"""A TrainingJob in plain words."""

from datetime import datetime

from rich.text import Text

from fairlead.api.conditions import ConditionStatus, ConditionType
from fairlead.api.resource import TrainingJob
from fairlead.api.training_job import TrainingJobStatus, TrainingPhase
from fairlead.cli.plugin.figures import spell_duration, spell_since
from fairlead.cli.plugin.layout import indented, row, table
from fairlead.cli.plugin.words import TRAINING, explain


def colour_of(phase: TrainingPhase | None) -> str:
    """Green when registered, red when failed, yellow between."""
    return {TrainingPhase.SUCCEEDED: "green", TrainingPhase.FAILED: "red"}.get(phase or TrainingPhase.PENDING, "yellow")


def because(resource: TrainingJob) -> str:
    """Why the model is not registered, in the operator's words."""
    ready = next((item for item in resource.status.conditions if item.type == ConditionType.READY), None)
    if ready is None or ready.status is ConditionStatus.TRUE:
        return ""
    return f"{ready.reason}: {ready.message or explain(ready.reason).meaning}"


def describe_training(resource: TrainingJob, now: datetime) -> list[Text]:
    """Where it stands, why, and what came of it."""
    meta, status, spec = resource.meta, resource.status, resource.spec
    title = Text.assemble((meta.name, "bold"), f" in {meta.namespace} (TrainingJob): ")
    if status.phase is None:
        return [title.append("the operator has not looked at it yet")]
    title.append(status.phase, style=colour_of(status.phase)).append(f", {TRAINING[status.phase]}")
    attempt = f"{status.current_attempt} of at most {spec.policy.max_attempts}{_ran(status, now)}"
    version = status.model_version
    made = f"{version.name} version {version.version}" if version and version.version else ""
    why = because(resource)
    return [
        title,
        row("Attempt", attempt),
        *([row("Registered", made, f", alias {version.alias}" if version and version.alias else "")] if made else []),
        *([row("Run", status.run.url or status.run.id)] if status.run else []),
        *([row("Why", why), row("", explain(why.partition(":")[0]).action)] if why else []),
        *_gate(status),
    ]


def _ran(status: TrainingJobStatus, now: datetime) -> str:
    running = (now - status.running_since).total_seconds() if status.running_since else 0.0
    total = status.running_seconds + running
    waiting = f", waiting for {spell_since(status.pending_since, now)}" if status.pending_since else ""
    return (f", trained for {spell_duration(total)}" if total else "") + waiting


def _gate(status: TrainingJobStatus) -> list[Text]:
    if status.gate is None:
        return []
    rows = [
        (
            item.metric,
            "-" if item.value is None else f"{item.value:g}",
            " and ".join(
                f"{name} {bound:g}" for name, bound in (("min", item.min), ("max", item.max)) if bound is not None
            ),
            "passed" if item.passed else item.reason or "failed",
        )
        for item in status.gate.rules
    ]
    title = Text("Gate: " + ("passed" if status.gate.passed else "not passed"), style="bold")
    return [title, *indented(table(("METRIC", "VALUE", "BOUNDS", "RESULT"), rows))]
