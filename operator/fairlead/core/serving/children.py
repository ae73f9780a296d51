"""The children that the pointers ask for, and those that nobody asks for any more."""

from collections.abc import Iterator
from typing import Any

from fairlead.api.observed import ObservedRevision
from fairlead.core.effects import Delete, ObjectRef
from fairlead.core.findings import Finding
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.replicas import wanted_count
from fairlead.core.serving.target import Target
from fairlead.core.serving.traffic import protocol_of
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
    """Every child, in the order in which they are made; the Service comes last, to the port that the gateway reads."""
    meta = world.resource.meta
    banned = {item.revision: item.reason for item in pointers.quarantine}
    for slot in pointers.live():
        parts = _revision_parts(world, slot.revision, target)
        if parts is None:
            continue
        number, inputs, template = parts
        yield render_revision(
            meta,
            name=slot.revision,
            number=number,
            role=pointers.role_of(slot.revision),
            inputs=inputs,
            template=template,
            quarantine=banned.get(slot.revision, ""),
        )
        replicas = wanted_count(world, pointers, slot)
        yield render_workload(meta, revision=slot.revision, replicas=replicas, template=template)
        yield render_revision_service(meta, revision=slot.revision, protocol=protocol_of(inputs))
    if (traffic := world.resource.status.traffic) and traffic.port:
        yield render_service(meta, port=traffic.port, protocol=traffic.protocol)
    for past in world.revisions:
        mark = banned.get(past.name, "")
        if not pointers.role_of(past.name) and (past.role or past.quarantine != mark):
            yield render_revision(
                meta,
                name=past.name,
                number=past.number,
                role="",
                inputs=past.inputs,
                template=past.template,
                quarantine=mark,
            )


def _expired_revisions(world: ServingWorld, pointers: Pointers) -> set[str]:
    """ControllerRevisions of the past beyond the history limit, the oldest first; quarantined ones are kept."""
    kept = {slot.revision for slot in pointers.live()} | {item.revision for item in pointers.quarantine}
    past = sorted((item for item in world.revisions if item.name not in kept), key=lambda item: item.number)
    surplus = len(past) - world.resource.spec.revision_history_limit
    return {item.name for item in past[: max(0, surplus)]}


def deletions(world: ServingWorld, pointers: Pointers, wanted: list[dict[str, Any]]) -> Iterator[Delete]:
    """Our children that nobody asks for."""
    keep = {ObjectRef(item["kind"], item["metadata"]["name"]) for item in wanted}
    traffic = world.resource.status.traffic
    live = {slot.revision for slot in pointers.live()} | {arm.revision for arm in (traffic.arms if traffic else ())}
    expired = _expired_revisions(world, pointers)
    for ref, child in world.children.items():
        if not child.ours or ref in keep:
            continue
        if ref.kind == "ControllerRevision" and ref.name not in expired:
            continue
        # Without its ControllerRevision a live revision cannot be rendered: what it has is kept as it is.
        # So is the Service that users call, while no port is known for it.
        if ref.name in live or ref.name == world.resource.meta.name:
            continue
        yield Delete(ref, child.uid)
