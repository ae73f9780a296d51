"""Resources in one line each: the list of all, and one line for each change of one."""

from collections.abc import Sequence

from rich.text import Text

from fairlead.api.conditions import ConditionStatus, ConditionType
from fairlead.api.resource import ModelDeployment, TrainingJob
from fairlead.api.traffic import ArmRole
from fairlead.cli.plugin import deployment_view, training_view
from fairlead.cli.plugin.expecting import expect, find_condition
from fairlead.cli.plugin.figures import spell_evidence, spell_percent
from fairlead.cli.plugin.layout import table
from fairlead.cli.plugin.words import ROLES

HEAD = ("NAME", "PHASE", "VERSION", "TRAFFIC", "READY", "WAITS FOR")


def list_deployments(resources: Sequence[ModelDeployment], *, namespaces: bool) -> list[Text]:
    """One line each, with a head; `namespaces`: say where each is."""
    rows = [[*([item.meta.namespace] if namespaces else []), *_deployment(item)] for item in resources]
    return table(("NAMESPACE", *HEAD) if namespaces else HEAD, rows)


def _deployment(resource: ModelDeployment) -> list[str | Text]:
    status = resource.status
    arms = status.traffic.arms if status.traffic else ()
    shares = " ".join(f"{spell_percent(arm.weight)} {ROLES[arm.role]}" for arm in arms) or "-"
    ready = find_condition(status, ConditionType.READY)
    return [
        f"md/{resource.meta.name}",
        Text(status.phase or "-", style=deployment_view.colour_of(status.phase)),
        versions_of(resource) or "-",
        shares,
        ready.status if ready else ConditionStatus.UNKNOWN,
        expect(resource).text or "-",
    ]


def versions_of(resource: ModelDeployment) -> str:
    """`6 -> 7` while one is coming, `6` else; empty when no registered model is served."""
    slots = (resource.status.stable, resource.status.candidate)
    return " -> ".join(slot.model_version for slot in slots if slot and slot.model_version)


def list_trainings(resources: Sequence[TrainingJob], *, namespaces: bool) -> list[Text]:
    """One line each, with a head."""
    head = ("NAME", "PHASE", "VERSION", "WHY")
    rows = [[*([item.meta.namespace] if namespaces else []), *_training(item)] for item in resources]
    return table(("NAMESPACE", *head) if namespaces else head, rows)


def _training(resource: TrainingJob) -> list[str | Text]:
    status = resource.status
    version = status.model_version.version if status.model_version else ""
    return [
        f"tj/{resource.meta.name}",
        Text(status.phase or "-", style=training_view.colour_of(status.phase)),
        version or "-",
        training_view.because(resource) or "-",
    ]


def deployment_line(resource: ModelDeployment) -> str:
    """What a program that follows a rollout wants to know; no times in it, so that it changes when something does."""
    status = resource.status
    arms = status.traffic.arms if status.traffic else ()
    canary = next((arm for arm in arms if arm.role is not ArmRole.STABLE), None)
    parts = [status.phase or "-", f"stable={status.stable.revision if status.stable else '-'}"]
    if status.candidate:
        parts.append(f"candidate={status.candidate.revision}")
    if canary:
        parts.append(f"{canary.role}={canary.weight}%")
    if evidence := status.evidence:
        parts += [
            f"requests={evidence.requests}/{evidence.needed_requests}",
            f"failures={evidence.failures}",
            f"fast={spell_evidence(evidence.fast)}/{spell_evidence(evidence.brake_at)}",
            f"sure={spell_evidence(evidence.sure)}/{spell_evidence(evidence.roll_back_at)}",
            f"verdict={evidence.verdict}",
        ]
    rolled_out = find_condition(status, ConditionType.ROLLED_OUT)
    reason = (status.evidence.reason if status.evidence else "") or (rolled_out.reason if rolled_out else "")
    return " ".join([*parts, *([f"reason={reason}"] if reason else [])])


def training_line(resource: TrainingJob) -> str:
    """The same of a TrainingJob."""
    status = resource.status
    why = training_view.because(resource).partition(":")[0]
    return " ".join([status.phase or "-", f"attempt={status.current_attempt}", *([f"reason={why}"] if why else [])])
