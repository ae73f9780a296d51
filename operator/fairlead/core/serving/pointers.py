"""Which revision is stable, which is candidate, which was stable before, and the rollout between two of them.

    candidate ── steps passed ──> stable ── guard over, grace over ──> gone
        └── worse, or it cannot start ──> quarantine

The state of a ModelDeployment, as its status keeps it. What changes it is in `roles.py` and `rollouts.py`.
"""

from dataclasses import dataclass, replace

from fairlead.api.model_deployment import QuarantinedRevision, RevisionStatus
from fairlead.api.reasons import Reason
from fairlead.api.rollout_status import HISTORY_LIMIT, HistoryEntry, LastRequest, Outcome
from fairlead.core.findings import Finding, Symptoms, inspect
from fairlead.core.rollout.live import Rollout, parse_rollout
from fairlead.core.rollout.trial import Trial, parse_trial
from fairlead.core.serving.target import marked, refreshed
from fairlead.core.world import ServingWorld

QUARANTINE_LIMIT = 50
_ROLES = ("stable", "candidate", "previous")
_LOST = frozenset({Outcome.ROLLED_BACK, Outcome.SUPERSEDED, Outcome.ABORTED, Outcome.INCONCLUSIVE})
_HELD_BACK = frozenset({Outcome.ABORTED, Outcome.INCONCLUSIVE})


@dataclass(frozen=True, slots=True)
class Pointers:
    """Who has which role, what goes on between them, and what has gone on."""

    stable: RevisionStatus | None
    candidate: RevisionStatus | None
    previous: RevisionStatus | None
    quarantine: tuple[QuarantinedRevision, ...]
    rollout: Rollout | None = None
    trial: Trial | None = None
    """Stable's probation."""
    history: tuple[HistoryEntry, ...] = ()
    last_request: LastRequest | None = None
    refresh: str = ""
    """The nonce of the last refresh."""
    record: str = ""
    """The look behind what was just decided, as JSON; the status does not have it."""

    def live(self) -> tuple[RevisionStatus, ...]:
        """The revisions that have pods, each once, the candidate first."""
        named = {item.revision: item for item in (self.previous, self.stable, self.candidate) if item}
        return tuple(reversed(named.values()))

    def role_of(self, revision: str) -> str:
        """The role, as the mark on the ControllerRevision says it; empty for a revision of the past."""
        holders = (self.stable, self.candidate, self.previous)
        return next(
            (role for role, item in zip(_ROLES, holders, strict=True) if item and item.revision == revision), ""
        )

    def last_of(self, revision: str) -> HistoryEntry | None:
        """How the newest rollout of a revision ended."""
        return next((entry for entry in reversed(self.history) if entry.revision == revision), None)

    def has_lost(self, revision: str) -> bool:
        """Whether the revision was judged last and not taken."""
        entry = self.last_of(revision)
        return entry is not None and entry.outcome in _LOST

    def held_back(self, revision: str) -> HistoryEntry | None:
        """Why the revision is not tried again by itself, though nothing is known against it."""
        entry = self.last_of(revision)
        return entry if entry and entry.outcome in _HELD_BACK else None

    def banned(self, revision: str, digest: str) -> QuarantinedRevision | None:
        """The quarantine that the revision, or another one with the same files, is in."""
        found = (item for item in self.quarantine if item.revision == revision or (digest and item.digest == digest))
        return next(found, None)

    @property
    def unsettled(self) -> Trial | None:
        """The probation of a stable one that users cannot count on yet."""
        return self.trial if self.trial and not self.trial.settled else None

    @property
    def failure(self) -> QuarantinedRevision | None:
        """Why stable is not fit to serve, though there is no other: it is itself in quarantine."""
        return self.banned(self.stable.revision, "") if self.stable else None

    def with_history(self, entry: HistoryEntry) -> "Pointers":
        """With one more end on record."""
        return replace(self, history=(*self.history, entry)[-HISTORY_LIMIT:])

    def with_quarantine(self, entry: QuarantinedRevision) -> "Pointers":
        """With one more revision that is not tried again; its newest reason stands."""
        others = tuple(item for item in self.quarantine if item.revision != entry.revision)
        return replace(self, quarantine=(*others, entry)[-QUARANTINE_LIMIT:])


def _marked(world: ServingWorld, role: str) -> RevisionStatus | None:
    """The revision marked with `role`: only for a status that was lost."""
    found = marked(world, role)
    if found is None:
        return None
    model, container = found.inputs.get("model") or {}, found.inputs.get("container") or {}
    return RevisionStatus(
        revision=found.name,
        model_version=str(model.get("version", "")),
        digest=str(model.get("digest", "")),
        image=str(container.get("image", "")),
        since=world.now,
    )


def _marked_quarantine(world: ServingWorld) -> tuple[QuarantinedRevision, ...]:
    words = {reason.value for reason in Reason}
    text = "found again on its ControllerRevision after the status was lost"
    return tuple(
        QuarantinedRevision(revision=item.name, reason=item.quarantine, message=text, since=world.now)
        for item in world.revisions
        if item.quarantine in words
    )


def current_pointers(world: ServingWorld) -> Pointers:
    """The pointers of the status; rebuilt from the marks when the status is empty and children exist."""
    status = world.resource.status
    if not world.resource.has_status:
        stable, candidate, previous = (_marked(world, role) for role in _ROLES)
        return Pointers(stable, candidate, previous, _marked_quarantine(world), refresh=refreshed(world))
    return Pointers(
        status.stable,
        status.candidate,
        status.previous,
        status.quarantine,
        _current_rollout(world),
        parse_trial(status.probation, world.remembered) if status.probation else None,
        status.history,
        status.last_request,
        refreshed(world),
    )


def _current_rollout(world: ServingWorld) -> Rollout | None:
    """The rollout of the status, if it is one between the revisions that have the roles now."""
    status = world.resource.status
    found = parse_rollout(status.evidence, world.remembered) if status.evidence else None
    if found is None or status.stable is None:
        return None
    judged, other = (status.stable, status.previous) if found.promoted else (status.candidate, status.stable)
    named = judged and other and (judged.revision, other.revision)
    return found if named == (found.contest.candidate, found.contest.incumbent) else None


def examine(world: ServingWorld, revision: str) -> Finding | None:
    """What is wrong with the pods of a revision."""
    stored = next((item for item in world.revisions if item.name == revision), None)
    image = (stored.inputs.get("container") or {}).get("image") if stored else None
    pods = tuple(pod for pod in world.pods if pod.revision == revision and not pod.deleting)
    return inspect(Symptoms(world.workloads.get(revision), pods, builtin_server=image is None, now=world.now))
