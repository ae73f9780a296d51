"""What the registry has to hear of a rollout that has ended: tags on the version, and after a promotion the alias.

The history of the status is the list of what is still to be told: `told` is false until the registry knows. Telling is
work beside the traffic: it waits for nobody and nobody waits for it.
"""

import json
from dataclasses import dataclass, replace

from fairlead.api.model_deployment import ModelDeploymentStatus, ModelRef
from fairlead.api.reasons import Reason
from fairlead.api.resource import ModelDeployment
from fairlead.api.rollout_status import HistoryEntry, Outcome
from fairlead.core.refusals import refused_by_tenancy
from fairlead.core.serving.pointers import Pointers
from fairlead.core.training.status import writer_tag
from fairlead.core.world import Alias, Allowed

DEFAULT_ALIAS = "champion"
TAG_OUTCOME = "fairlead.rollout"
TAG_REASON = "fairlead.rollout.reason"
TAG_RECORD = "fairlead.rollout.record"
RECORD_LIMIT = 4000
"""Characters that older MLflow servers take in a tag, too. What is cut off at that is no JSON any more."""

Told = tuple[str, str]
"""Names an entry of the history: its revision, and when it ended (ISO 8601)."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One entry's news for the registry. `alias` empty: none moves."""

    entry: Told
    model: str
    version: str
    tags: dict[str, str]
    alias: str = ""


def name_of(entry: HistoryEntry) -> Told:
    """Tells an entry from every other one."""
    return entry.revision, entry.ended.isoformat()


def _promote_alias(ref: ModelRef) -> str:
    """The alias that a promotion moves. The one that the spec follows already points there: that was the cause."""
    wanted = DEFAULT_ALIAS if ref.promote_alias is None else ref.promote_alias
    return "" if wanted == ref.alias else wanted


def _proven(status: ModelDeploymentStatus) -> str:
    """The revision that serves; while it is in its guard, the one before, which takes over again if it fails."""
    if status.stable is None:
        return ""
    rollout, serves = status.evidence, status.stable.revision
    return rollout.incumbent if rollout and rollout.candidate == serves else serves


def _alias_of(resource: ModelDeployment, entry: HistoryEntry, model: str) -> str:
    """The alias that moves to the entry's version, if its guard has passed and nothing has taken its place since.

    One that stays although its guard came to no conclusion has another reason than Promoted, and moves none.
    """
    ref, history = resource.spec.model, resource.status.history
    if ref is None or ref.name != model or entry.reason != Reason.PROMOTED:
        return ""
    newest = next((item for item in reversed(history) if item.outcome is Outcome.PROMOTED), None)
    return _promote_alias(ref) if entry == newest and entry.revision == _proven(resource.status) else ""


def _as_json(resource: ModelDeployment, entry: HistoryEntry) -> str:
    record = entry.model_copy(update={"told": True}).wire()
    record.pop("told")
    return json.dumps({"modelDeployment": f"{resource.meta.namespace}/{resource.meta.name}", **record}, sort_keys=True)


def _record(resource: ModelDeployment, entry: HistoryEntry) -> str:
    """The entry as JSON that a tag takes: the oldest decisions are left out first, then the end of the message."""
    text = _as_json(resource, entry)
    while len(text) > RECORD_LIMIT and (entry.decisions or entry.message):
        if entry.decisions:
            entry = entry.model_copy(update={"decisions": entry.decisions[1:]})
        else:
            entry = entry.model_copy(update={"message": entry.message[:-10]})
        text = _as_json(resource, entry)
    return text


def what_to_tell(resource: ModelDeployment, allowed: Allowed) -> tuple[Telling, ...]:
    """The news that the registry has not heard, the oldest first. None about a model that the namespace may not use."""
    ref, found = resource.spec.model, []
    for entry in resource.status.history:
        model = entry.model or (ref.name if ref else "")
        if entry.told or not entry.model_version or not model:
            continue
        if refused_by_tenancy("spec.model.name", model, resource.meta.namespace, allowed):
            continue
        tags = {
            TAG_OUTCOME: entry.outcome.value,
            TAG_REASON: entry.reason,
            TAG_RECORD: _record(resource, entry),
        }
        alias = _alias_of(resource, entry, model)
        found.append(Telling(name_of(entry), model, entry.model_version, tags, alias))
    return tuple(found)


def alias_conflict(telling: Telling, alias: Alias, us: str) -> str:
    """Why the alias is not ours to move; empty when it is. One writer per alias, as trainings keep it."""
    name, tag = f"alias {telling.alias} of {telling.model}", writer_tag(telling.alias)
    if alias.writer not in ("", us):
        return f"{name} is written by {alias.writer}, as the tag {tag} says; set the tag to {us} to hand it over"
    if alias.version not in ("", telling.version) and not alias.writer and not alias.trained:
        return (
            f"{name} points at version {alias.version}, which no TrainingJob registered, and nobody is named as its "
            f"writer; set the tag {tag} of the registered model to {us} to hand it over"
        )
    return ""


def with_told(pointers: Pointers, told: frozenset[Told], *, registered: bool) -> Pointers:
    """The history after the registry has heard. What is in no registry needs no telling."""

    def heard(entry: HistoryEntry) -> bool:
        known = bool(entry.model) or registered
        return not (known and entry.model_version) or name_of(entry) in told

    changed = tuple(
        entry.model_copy(update={"told": True}) if not entry.told and heard(entry) else entry
        for entry in pointers.history
    )
    return pointers if changed == pointers.history else replace(pointers, history=changed)
