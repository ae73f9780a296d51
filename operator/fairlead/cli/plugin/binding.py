"""Which revision a request is about. It is shown before it is sent, and the operator refuses any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from fairlead.api.model_deployment import ModelDeploymentStatus
from fairlead.api.request import Verb
from fairlead.api.resource import ModelDeployment
from fairlead.api.rollout_status import Outcome
from fairlead.core.evidence.state import Stage

_HELD_BACK = (Outcome.ROLLED_BACK, Outcome.ABORTED, Outcome.INCONCLUSIVE)


class Unbound(ValueError):
    """There is nothing that the verb could be about, or not what was named. The message says what there is."""


class Ambiguous(Unbound):
    """There are several, and none was named."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The revision, and what it is."""

    revision: str
    what: str


def bind(resource: ModelDeployment, verb: Verb, named: str = "") -> Bound:
    """The revision for this verb.

    Raises:
        Unbound: see there.
        Ambiguous: see there.
    """
    match verb:
        case Verb.PROMOTE | Verb.ABORT | Verb.PAUSE | Verb.RESUME | Verb.APPROVE:
            found = _judged(resource.status)
        case Verb.RETRY:
            found = _failed(resource.status)
        case Verb.REFRESH:
            stable = resource.status.stable
            found = [Bound(stable.revision, _spell("stable", stable.model_version))] if stable else []
        case _:
            assert_never(verb)
    return _choose(found, verb, resource.meta.name, named)


def _choose(found: Sequence[Bound], verb: Verb, name: str, named: str) -> Bound:
    listed = ", ".join(f"{item.revision} ({item.what})" for item in found)
    if named:
        for item in found:
            if item.revision == named:
                return item
        raise Unbound(f"{verb} {name}: expected {listed or _nothing(verb)}, got --revision {named}")
    if not found:
        raise Unbound(f"{verb} {name}: {_nothing(verb)}")
    if len(found) > 1:
        raise Ambiguous(f"{verb} {name}: several are held back, name one with --revision: {listed}")
    return found[0]


def _nothing(verb: Verb) -> str:
    if verb is Verb.RETRY:
        return "no revision is quarantined or held back"
    return "no revision is stable yet" if verb is Verb.REFRESH else "no rollout is on"


def _spell(role: str, version: str) -> str:
    return f"{role}, version {version}" if version else role


def _judged(status: ModelDeploymentStatus) -> list[Bound]:
    """Whom the rollout that is on is about: in the guard that is stable; before the first share the candidate."""
    evidence, slots = status.evidence, (status.stable, status.candidate)
    if evidence is None:
        coming = status.candidate
        return [Bound(coming.revision, _spell("candidate", coming.model_version))] if coming else []
    slot = next((item for item in slots if item and item.revision == evidence.candidate), None)
    role = "stable, in its guard" if evidence.stage == Stage.GUARD else "candidate"
    return [Bound(evidence.candidate, _spell(role, slot.model_version if slot else ""))]


def _failed(status: ModelDeploymentStatus) -> list[Bound]:
    """Quarantined, or ended without being promoted and not tried since."""
    versions = {entry.revision: entry.model_version for entry in status.history}
    found = {
        item.revision: Bound(item.revision, _spell("quarantined", versions.get(item.revision, "")))
        for item in status.quarantine
    }
    newest = {entry.revision: entry for entry in status.history}
    busy = {slot.revision for slot in (status.stable, status.candidate) if slot}
    for entry in newest.values():
        if entry.outcome in _HELD_BACK and entry.revision not in busy | found.keys():
            found[entry.revision] = Bound(entry.revision, _spell(str(entry.outcome), entry.model_version))
    return list(found.values())
