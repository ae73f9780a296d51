"""A ModelDeployment in plain words: lines for the screen, from what was read and the time."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from fairlead.api.conditions import ConditionStatus, ConditionType
from fairlead.api.model_deployment import DeploymentPhase, ModelDeploymentStatus, RevisionStatus
from fairlead.api.resource import ModelDeployment
from fairlead.cli.plugin.bars import COLOURS, Glyphs, traffic_bar
from fairlead.cli.plugin.evidence_view import describe_decisions, describe_evidence
from fairlead.cli.plugin.expecting import expect, find_condition
from fairlead.cli.plugin.figures import count_of, spell_since, spell_time
from fairlead.cli.plugin.layout import indented, row, table
from fairlead.cli.plugin.words import OUTCOMES, PHASES, ROLES, explain

_GOOD = {DeploymentPhase.STABLE, DeploymentPhase.GUARD}
_BAD = {DeploymentPhase.ROLLED_BACK, DeploymentPhase.INCONCLUSIVE, DeploymentPhase.FAILED}


def colour_of(phase: DeploymentPhase | None) -> str:
    """Green where all is well, red where somebody has to act, yellow between."""
    return "green" if phase in _GOOD else "red" if phase in _BAD else "yellow"


def describe_deployment(resource: ModelDeployment, now: datetime, glyphs: Glyphs) -> list[Text]:
    """Everything that the status says, the most important first."""
    status = resource.status
    return [
        *_head(resource),
        *_revisions(status, now),
        *_traffic(status, glyphs),
        *(describe_evidence(status.evidence, now, glyphs) if status.evidence else ()),
        *_probation(status),
        *_waiting(resource),
        *_troubles(status),
        *(describe_decisions(status.evidence) if status.evidence else ()),
        *describe_history(status),
        *_quarantine(status, now),
        *_request(status, now),
    ]


def _head(resource: ModelDeployment) -> list[Text]:
    meta, status = resource.meta, resource.status
    title = Text.assemble((meta.name, "bold"), f" in {meta.namespace}: ")
    if not resource.has_status or status.phase is None:
        return [title.append("the operator has not looked at it yet")]
    title.append(status.phase, style=colour_of(status.phase)).append(f", {PHASES[status.phase]}")
    if status.observed_generation < meta.generation:
        spoken = f"what follows speaks of generation {status.observed_generation}, the spec is at {meta.generation}"
        return [title, Text(f"The operator has not seen the newest spec yet: {spoken}.", style="yellow")]
    return [title]


def spell_revision(slot: RevisionStatus) -> str:
    """The revision with what it serves."""
    version = f" (version {slot.model_version})" if slot.model_version else ""
    return f"{slot.revision}{version}"


def _revisions(status: ModelDeploymentStatus, now: datetime) -> list[Text]:
    slots = (("Serves", status.stable), ("Candidate", status.candidate), ("Before", status.previous))
    lines = [
        row(label, f"{spell_revision(slot)}, {count_of(slot.ready, 'ready pod')}, for {spell_since(slot.since, now)}")
        for label, slot in slots
        if slot
    ]
    return lines if status.stable else [row("Serves", ("nobody yet", "red")), *lines]


def _traffic(status: ModelDeploymentStatus, glyphs: Glyphs) -> list[Text]:
    traffic = status.traffic
    if traffic is None:
        return []
    if not traffic.arms:
        return [row("Traffic", ("answered with 503", "red"), f": {traffic.unavailable_reason or 'no revision serves'}")]
    shares = [
        row("", (f"{arm.weight:>3}%", COLOURS[arm.role]), f" {glyphs.arms[arm.role]} {arm.revision}, {ROLES[arm.role]}")
        for arm in traffic.arms
    ]
    mirror = [row("", f"a copy of {traffic.mirror.percent}% to {traffic.mirror.revision}")] if traffic.mirror else []
    return [row("Traffic", traffic_bar(traffic.arms, glyphs)), *shares, *mirror]


def _probation(status: ModelDeploymentStatus) -> list[Text]:
    seen = status.probation
    if seen is None:
        return []
    told = f"{seen.requests} of {seen.needed_requests} requests, {seen.failures} failed"
    against = f"evidence {seen.sure:g}, fails at {seen.fails_at:g}"
    return [row("Probation", f"until {spell_time(seen.until)}, held to its limits alone: {told}; {against}")]


def _waiting(resource: ModelDeployment) -> list[Text]:
    text = expect(resource).text
    return [row("Waits for", text)] if text else []


def _troubles(status: ModelDeploymentStatus) -> list[Text]:
    """Conditions that are not as they should be, each with what to do. Of a rollout that is on, more is said above."""
    rolled_out = () if status.evidence else (ConditionType.ROLLED_OUT,)
    wanted = (ConditionType.READY, *rolled_out, ConditionType.MODEL_RESOLVED, ConditionType.PROGRAMMED)
    lines = []
    for item in (find_condition(status, kind) for kind in wanted):
        if item is None or item.status is ConditionStatus.TRUE:
            continue
        told = explain(item.reason)
        lines.append(row(item.type, (item.reason, "yellow"), f": {item.message or told.meaning}"))
        lines.append(row("", f"{told.meaning} {told.action}" if item.message else told.action))
    return lines


def describe_history(status: ModelDeploymentStatus) -> list[Text]:
    """Rollouts that have ended, the newest first."""
    rows = [
        (
            spell_time(entry.ended),
            entry.revision,
            entry.model_version or "-",
            entry.outcome,
            f"{entry.reason or '-'}: {entry.message or OUTCOMES[entry.outcome]}",
        )
        for entry in reversed(status.history)
    ]
    lines = table(("ENDED", "REVISION", "VERSION", "OUTCOME", "WHY"), rows)
    return [Text("History", style="bold"), *indented(lines)] if lines else []


def _quarantine(status: ModelDeploymentStatus, now: datetime) -> list[Text]:
    rows: Sequence[tuple[str, ...]] = [
        (
            item.revision,
            f"{spell_since(item.since, now)} ago",
            "all with these files" if item.digest else "this revision",
            f"{item.reason}: {item.message or explain(item.reason).meaning}",
        )
        for item in reversed(status.quarantine)
    ]
    lines = table(("REVISION", "SINCE", "MEANS", "WHY"), rows)
    return [Text("Quarantine, not tried again until `retry`", style="bold"), *indented(lines)] if lines else []


def _request(status: ModelDeploymentStatus, now: datetime) -> list[Text]:
    asked = status.last_request
    if asked is None:
        return []
    became = ("accepted", "green") if asked.accepted else ("refused", "red")
    when = f"{asked.verb} of {asked.revision or '-'}, {spell_since(asked.at, now)} ago: "
    return [row("Asked last", when, became, f" ({asked.message})" if asked.message else "")]
