"""Which revision is stable, which is candidate, which was stable before: the state of a ModelDeployment.

    candidate ── ready ──> stable ── replaced ──> previous ── grace over ──> gone
        └── crashes again and again, while another one serves ──> quarantine

A broken candidate never touches stable; without a stable it is kept, so that it can heal.
"""

from dataclasses import dataclass, replace

from fairlead.api.model_deployment import QuarantinedRevision, ResolvedModel, RevisionStatus
from fairlead.api.names import revision_name
from fairlead.api.observed import ObservedRevision
from fairlead.core.compare import digest_of
from fairlead.core.findings import Finding, Symptoms, inspect
from fairlead.core.refusals import refused_by_settings, refused_by_tenancy
from fairlead.core.world import RegistryProblem, ServingWorld, Unanswered
from fairlead.render.serving import revision_inputs

QUARANTINE_LIMIT = 50
_ROLES = ("stable", "candidate", "previous")


@dataclass(frozen=True, slots=True)
class Target:
    """The revision that the spec asks for."""

    revision: str
    inputs: dict[str, object]
    model: ResolvedModel | None


@dataclass(frozen=True, slots=True)
class Pointers:
    """Who has which role."""

    stable: RevisionStatus | None
    candidate: RevisionStatus | None
    previous: RevisionStatus | None
    quarantine: tuple[QuarantinedRevision, ...]

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


def refused_model(world: ServingWorld) -> Finding | None:
    """The registered model that the settings keep from this namespace."""
    spec, meta = world.resource.spec, world.resource.meta
    if spec.model is None:
        return None
    return refused_by_tenancy("spec.model.name", spec.model.name, meta.namespace, world.allowed)


def known_model(world: ServingWorld) -> ResolvedModel | RegistryProblem | Unanswered | None:
    """The registry's answer; while it gives none, the last one to the same question: an outage changes nothing."""
    asked, last = world.resource.spec.model, world.resource.status.model
    if not asked or not isinstance(world.model, RegistryProblem | Unanswered) or not last:
        return world.model
    same = last.name == asked.name and last.alias == (asked.alias or "") and asked.version in (None, last.version)
    return last if same else world.model


def find_target(world: ServingWorld) -> Target | Finding | Unanswered:
    """The revision that the spec asks for, or why there is none, or that this cannot be said yet."""
    spec = world.resource.spec
    image = spec.container.image if spec.container else None
    if refused := refused_by_settings(spec, spec.container, image, world.allowed):
        return refused
    if refused := refused_model(world):
        return refused
    model = known_model(world)
    if isinstance(model, RegistryProblem):
        return Finding(model.reason, model.message)
    if isinstance(model, Unanswered):
        return model
    inputs = revision_inputs(spec, model)
    return Target(revision_name(world.resource.meta.name, digest_of(inputs)), inputs, model)


def _marked(world: ServingWorld, role: str) -> RevisionStatus | None:
    """The revision marked with `role`: only for a status that was lost."""
    found: ObservedRevision | None = next((item for item in world.revisions if item.role == role), None)
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


def current_pointers(world: ServingWorld) -> Pointers:
    """The pointers of the status; rebuilt from the marks when the status is empty and children exist."""
    status = world.resource.status
    if world.resource.has_status:
        return Pointers(status.stable, status.candidate, status.previous, status.quarantine)
    return Pointers(_marked(world, "stable"), _marked(world, "candidate"), _marked(world, "previous"), ())


def is_ready(world: ServingWorld, revision: str) -> bool:
    """Whether all pods that the spec asks for are ready, by a Deployment whose controller has seen its latest spec."""
    workload = world.workloads.get(revision)
    return workload is not None and workload.current and workload.ready >= world.resource.spec.replicas


def examine(world: ServingWorld, revision: str) -> Finding | None:
    """What is wrong with the pods of a revision."""
    stored = next((item for item in world.revisions if item.name == revision), None)
    image = (stored.inputs.get("container") or {}).get("image") if stored else None
    pods = tuple(pod for pod in world.pods if pod.revision == revision and not pod.deleting)
    return inspect(Symptoms(world.workloads.get(revision), pods, builtin_server=image is None, now=world.now))


def _new_slot(world: ServingWorld, target: Target) -> RevisionStatus:
    container = world.resource.spec.container
    return RevisionStatus(
        revision=target.revision,
        model_version=target.model.version if target.model else "",
        digest=target.model.digest if target.model else "",
        image=(container.image or "") if container else "",
        since=world.now,
    )


def _aim(world: ServingWorld, pointers: Pointers, target: Target | Finding) -> Pointers:
    """The candidate follows the spec."""
    if isinstance(target, Finding):
        return pointers
    if pointers.stable and pointers.stable.revision == target.revision:
        return replace(pointers, candidate=None)
    if any(item.revision == target.revision for item in pointers.quarantine):
        return replace(pointers, candidate=None)
    if pointers.candidate and pointers.candidate.revision == target.revision:
        return pointers
    return replace(pointers, candidate=_new_slot(world, target))


def _judge(world: ServingWorld, pointers: Pointers) -> Pointers:
    """A ready candidate becomes stable; one that cannot start is quarantined while another one serves."""
    candidate = pointers.candidate
    if candidate is None:
        return pointers
    if is_ready(world, candidate.revision):
        promoted = candidate.model_copy(update={"since": world.now})
        previous = pointers.stable.model_copy(update={"since": world.now}) if pointers.stable else pointers.previous
        return replace(pointers, stable=promoted, candidate=None, previous=previous)
    finding = examine(world, candidate.revision)
    if finding is None or not finding.quarantine or pointers.stable is None:
        return pointers
    entry = QuarantinedRevision(
        revision=candidate.revision, reason=finding.reason, message=finding.message, since=world.now
    )
    return replace(pointers, candidate=None, quarantine=(*pointers.quarantine, entry)[-QUARANTINE_LIMIT:])


def _retire(world: ServingWorld, pointers: Pointers) -> Pointers:
    """The previous revision goes when connections have had time to leave it."""
    previous = pointers.previous
    if previous is None or (pointers.stable and previous.revision == pointers.stable.revision):
        return replace(pointers, previous=None)
    over = (world.now - previous.since).total_seconds() >= world.retirement_grace_seconds
    return replace(pointers, previous=None) if over else pointers


def next_pointers(world: ServingWorld, target: Target | Finding) -> Pointers:
    """The pointers after one look at the world."""
    return _retire(world, _judge(world, _aim(world, current_pointers(world), target)))
