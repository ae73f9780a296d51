"""The evidence of a rollout, and what it has led to, in plain words."""

import json
from datetime import datetime

from rich.text import Text

from fairlead.api.rollout_status import Decision, Evidence
from fairlead.cli.plugin.bars import Glyphs, bar, evidence_bar
from fairlead.cli.plugin.figures import count_of, spell_duration, spell_evidence, spell_percent, spell_since, spell_time
from fairlead.cli.plugin.layout import indented, row, table
from fairlead.cli.plugin.words import ACTIONS, STAGES, explain
from fairlead.core.evidence.forecast import power
from fairlead.core.evidence.state import Stage
from fairlead.core.rollout.live import parse_rollout

SHOWN_DECISIONS = 5


def spell_stage(stage: str) -> str:
    """What the stage means."""
    return STAGES[Stage(stage)] if stage in list(Stage) else "a stage that this kubectl-fairlead does not know"


def describe_evidence(evidence: Evidence, now: datetime, glyphs: Glyphs) -> list[Text]:
    """Where the rollout stands, what it has seen, and how near that is to its thresholds."""
    place = f"step {min(evidence.step, evidence.steps)} of {evidence.steps}"
    place = {Stage.SHADOW.value: "shadow", Stage.GUARD.value: "guard"}.get(evidence.stage, place)
    told = explain(evidence.reason).meaning if evidence.reason else ""
    return [
        row("Rollout", f"{evidence.candidate} against {evidence.incumbent}, for {spell_since(evidence.since, now)}"),
        row("", f"{place}, at {spell_percent(evidence.weight)}: {spell_stage(evidence.stage)}"),
        row("Verdict", _verdict(evidence), f" {told}" if told else ""),
        *([] if evidence.acts else [row("", ("told only: checks.mode is observe", "yellow"))]),
        *([row("", ("paused by request", "yellow"))] if evidence.paused else []),
        *_counts(evidence, glyphs),
        *_tests(evidence, glyphs),
        *_power(evidence),
        row("", (f"numbers of {spell_since(evidence.updated, now)} ago", "dim")),
    ]


def _verdict(evidence: Evidence) -> Text:
    style = {"pass": "green", "fail": "red"}.get(evidence.verdict, "yellow")
    reason = f", {evidence.reason}:" if evidence.reason else ""
    return Text.assemble((evidence.verdict, style), reason)


def _counts(evidence: Evidence, glyphs: Glyphs) -> list[Text]:
    done = evidence.requests / evidence.needed_requests if evidence.needed_requests else 1.0
    passed = evidence.seconds / evidence.needed_seconds if evidence.needed_seconds else 1.0
    failures = (count_of(evidence.failures, "failure"), "red" if evidence.failures else "green")
    requests = f" {evidence.requests} of {evidence.needed_requests}, "
    watched = f" {spell_duration(evidence.seconds)} of {spell_duration(evidence.needed_seconds)}"
    return [
        row("Requests", bar(done, glyphs, "green"), requests, failures),
        row("Watched", bar(passed, glyphs, "green"), watched),
    ]


def _tests(evidence: Evidence, glyphs: Glyphs) -> list[Text]:
    """Both bars are logarithmic; a full one acts."""
    fast, sure = spell_evidence(evidence.fast), spell_evidence(evidence.sure)
    brake_at, back_at = spell_evidence(evidence.brake_at), spell_evidence(evidence.roll_back_at)
    does = "holds" if evidence.stage == Stage.SHADOW else "brakes"
    return [
        row("Fast", evidence_bar(evidence.fast, evidence.brake_at, glyphs), f" {fast}, {does} at {brake_at}"),
        row("Sure", evidence_bar(evidence.sure, evidence.roll_back_at, glyphs), f" {sure}, rolls back at {back_at}"),
    ]


def _power(evidence: Evidence) -> list[Text]:
    """What the traffic is worth: silence of the tests says little where there are few requests."""
    rollout = parse_rollout(evidence, None)
    found = power(rollout.policy, rollout.state) if rollout else None
    if found is None:
        return []
    told = f"a version that fails {spell_percent(100 * found.bad)} of its requests would be braked within about"
    return [row("Power", f"{told} {spell_duration(max(1, round(found.seconds)))}")]


def describe_decisions(evidence: Evidence) -> list[Text]:
    """The last ones, the newest first."""
    rows = [
        (
            spell_time(item.at),
            item.action,
            spell_percent(item.weight),
            item.reason or "-",
            f"{count_of(item.requests, 'request')}, {count_of(item.failures, 'failure')}, "
            f"fast {spell_evidence(item.fast)}, sure {spell_evidence(item.sure)}",
        )
        for item in reversed(evidence.decisions[-SHOWN_DECISIONS:])
    ]
    lines = table(("AT", "DECISION", "WEIGHT", "REASON", "NUMBERS"), rows)
    return [Text("Decisions", style="bold"), *indented(lines)] if lines else []


def explain_decisions(evidence: Evidence) -> list[Text]:
    """Every recorded decision in sentences, the first one first, with the numbers behind it."""
    alpha = _alpha(evidence)
    brakes, lines = 0, []
    for item in evidence.decisions:
        brake_at = 2.0**brakes / alpha if alpha else None
        lines += [_said(item), *_why(item, evidence, brake_at)]
        brakes += item.action == "brake"
    return lines


def _alpha(evidence: Evidence) -> float | None:
    """From the rules that the rollout began with; None when the record of its decisions does not reach back to it."""
    try:
        alpha = json.loads(evidence.policy).get("alpha")
    except (ValueError, AttributeError):
        return None
    whole = bool(evidence.decisions) and evidence.decisions[0].action == "begin"
    return float(alpha) if whole and isinstance(alpha, int | float) and alpha > 0 else None


def _said(item: Decision) -> Text:
    words = ACTIONS.get(item.action, item.action)
    return Text.assemble(
        (spell_time(item.at), "bold"), f"  {words}; its share from then on: ", spell_percent(item.weight)
    )


def _why(item: Decision, evidence: Evidence, brake_at: float | None) -> list[Text]:
    lines = [Text(f"  because: {item.reason}: {explain(item.reason).meaning}")] if item.reason else []
    if item.requests or item.failures:
        failed = f"{item.failures} failed, and not on stable too"
        lines.append(Text(f"  seen: {count_of(item.requests, 'request')} of the candidate, of which {failed}"))
    limit = f" (it brakes at {spell_evidence(brake_at)})" if brake_at else ""
    sure = f"{spell_evidence(item.sure)} (it rolls back at {spell_evidence(evidence.roll_back_at)})"
    lines.append(Text(f"  evidence: fast {spell_evidence(item.fast)}{limit}, sure {sure}"))
    return lines
