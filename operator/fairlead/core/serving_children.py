"""The children that the pointers ask for, and those that nobody asks for any more."""

from collections.abc import Iterator
from typing import Any

from fairlead.api.names import LABEL_REVISION
from fairlead.api.observed import ObservedRevision
from fairlead.core.compare import in_place, stamped
from fairlead.core.effects import Apply, Delete, ObjectRef
from fairlead.core.findings import Finding
from fairlead.core.pointers import Pointers, Target
from fairlead.core.world import ServingWorld
from fairlead.render.serving import (
    render_revision,
    render_revision_service,
    render_service,
    render_template,
    render_workload,
)


def _stored(world: ServingWorld, revision: str) -> ObservedRevision | None:
    return next((item for item in world.revisions if item.name == revision), None)


def _protocol(inputs: Any) -> str | None:
    found = (inputs.get("container") or {}).get("protocol")
    return str(found) if found else None


def _revision_parts(world: ServingWorld, revision: str, target: Target | Finding) -> tuple[int, Any, Any] | None:
    """Number, inputs and template: as stored; rendered anew only for a target that is not stored yet."""
    if stored := _stored(world, revision):
        return stored.number, stored.inputs, stored.template
    if isinstance(target, Finding) or target.revision != revision:
        return None
    resource = world.resource
    template = render_template(resource.meta, resource.spec, target.model, revision=revision, defaults=world.defaults)
    return 1 + max((item.number for item in world.revisions), default=0), target.inputs, template


def wanted_children(world: ServingWorld, pointers: Pointers, target: Target | Finding) -> Iterator[dict[str, Any]]:
    """Every child, in the order in which they are made; the Service comes last."""
    meta, replicas = world.resource.meta, world.resource.spec.replicas
    serving = pointers.stable or pointers.candidate
    service = None
    for slot in pointers.live():
        parts = _revision_parts(world, slot.revision, target)
        if parts is None:
            continue
        number, inputs, template = parts
        role = pointers.role_of(slot.revision)
        yield render_revision(meta, name=slot.revision, number=number, role=role, inputs=inputs, template=template)
        yield render_workload(meta, revision=slot.revision, replicas=replicas, template=template)
        yield render_revision_service(meta, revision=slot.revision, protocol=_protocol(inputs))
        if serving and slot.revision == serving.revision:
            service = render_service(meta, revision=slot.revision, protocol=_protocol(inputs))
    if service:
        yield service
    for past in world.revisions:
        if past.role and not pointers.role_of(past.name):
            yield render_revision(
                meta, name=past.name, number=past.number, role="", inputs=past.inputs, template=past.template
            )


def applies(world: ServingWorld, wanted: list[dict[str, Any]]) -> Iterator[Apply]:
    """What has to be written. A foreign object under a name of ours is left alone."""
    for manifest in wanted:
        made = stamped(manifest)
        child = world.children.get(ObjectRef(made["kind"], made["metadata"]["name"]))
        if child is not None and not child.ours:
            continue
        if not in_place(made, child.manifest if child else None):
            yield Apply(made, absent=child is None)


def conflicts(world: ServingWorld, wanted: list[dict[str, Any]]) -> list[ObjectRef]:
    """Names that we need and that a foreign object has."""
    refs = [ObjectRef(item["kind"], item["metadata"]["name"]) for item in wanted]
    return [ref for ref in refs if (child := world.children.get(ref)) is not None and not child.ours]


def _expired_revisions(world: ServingWorld, pointers: Pointers) -> set[str]:
    """ControllerRevisions of the past beyond the history limit, the oldest first; quarantined ones are kept."""
    kept = {slot.revision for slot in pointers.live()} | {item.revision for item in pointers.quarantine}
    past = sorted((item for item in world.revisions if item.name not in kept), key=lambda item: item.number)
    surplus = len(past) - world.resource.spec.revision_history_limit
    return {item.name for item in past[: max(0, surplus)]}


def selected_revision(world: ServingWorld) -> str:
    """The revision that the Service selects as it is; empty when there is none of ours."""
    service = world.children.get(ObjectRef("Service", world.resource.meta.name))
    spec: Any = service.manifest.get("spec") if service and service.ours else None
    return str(((spec or {}).get("selector") or {}).get(LABEL_REVISION, ""))


def deletions(world: ServingWorld, pointers: Pointers, wanted: list[dict[str, Any]]) -> Iterator[Delete]:
    """Our children that nobody asks for."""
    keep = {ObjectRef(item["kind"], item["metadata"]["name"]) for item in wanted}
    live = {slot.revision for slot in pointers.live()}
    expired = _expired_revisions(world, pointers)
    selected = selected_revision(world)
    for ref, child in world.children.items():
        if not child.ours or ref in keep:
            continue
        if ref.kind == "ControllerRevision" and ref.name not in expired:
            continue
        # Without its ControllerRevision a live revision cannot be rendered: what it has is kept as it is.
        # A Service that may not be moved now still sends users to the revision that it selects.
        if ref.name in live or ref.name in (world.resource.meta.name, selected):
            continue
        yield Delete(ref, child.uid)
