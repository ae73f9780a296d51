"""What the spec asks for: a revision, or why there is none."""

from dataclasses import dataclass

from fairlead.api.model_deployment import UNVERIFIED, ResolvedModel, RevisionStatus
from fairlead.api.names import revision_name
from fairlead.api.observed import ObservedRevision
from fairlead.core.compare import digest_of
from fairlead.core.findings import Finding
from fairlead.core.refusals import refused_by_settings, refused_by_tenancy
from fairlead.core.world import RegistryProblem, ServingWorld, Unanswered
from fairlead.render.serving import revision_inputs


@dataclass(frozen=True, slots=True)
class Target:
    """The revision that the spec asks for."""

    revision: str
    inputs: dict[str, object]
    model: ResolvedModel | None

    @property
    def digest(self) -> str:
        """Of the model's files; empty when nobody promises one."""
        known = self.model is not None and self.model.digest != UNVERIFIED
        return self.model.digest if self.model and known else ""


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


def marked(world: ServingWorld, role: str) -> ObservedRevision | None:
    """The revision whose ControllerRevision has the mark of this role."""
    return next((item for item in world.revisions if item.role == role), None)


def refreshed(world: ServingWorld) -> str:
    """The nonce of the last refresh; when the status was lost, as the stable revision was made with it."""
    if world.resource.has_status:
        return world.resource.status.refresh
    stable = marked(world, "stable")
    return str(stable.inputs.get("refresh", "")) if stable else ""


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
    inputs = revision_inputs(spec, model, refreshed(world))
    return Target(revision_name(world.resource.meta.name, digest_of(inputs)), inputs, model)


def new_slot(world: ServingWorld, target: Target) -> RevisionStatus:
    """The revision as it takes the place of the candidate."""
    container = world.resource.spec.container
    return RevisionStatus(
        revision=target.revision,
        model_version=target.model.version if target.model else "",
        digest=target.model.digest if target.model else "",
        image=(container.image or "") if container else "",
        since=world.now,
    )
