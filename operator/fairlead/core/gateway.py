"""Decides about a namespace's gateway: its objects exist, and belong to every ModelDeployment of the namespace.

They go with the last one by their owner references; nothing here deletes. What keeps the gateway from being made is
told by the ModelDeployments: it has no status of its own.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.api.names import GROUP
from fairlead.core.children import applies, conflicts
from fairlead.core.compare import covers, is_stamped
from fairlead.core.effects import Effect, ObjectRef, Plan
from fairlead.core.world import GatewayWorld
from fairlead.render.gateway import render_gateway

POLL_SECONDS = 10.0


def is_gateway_object(body: Mapping[str, Any]) -> bool:
    """Whether an object under a name of the gateway's is ours: it belongs to ModelDeployments and to nobody else.

    Not to those of today: when the last one was deleted and made again at once, the objects still name the former,
    and are taken over before they are collected. Nor to any, when the last one was deleted and its children orphaned:
    then the hash of what we applied says that they are ours.
    """
    owners = body["metadata"].get("ownerReferences") or ()
    if not owners:
        return is_stamped(body)
    return all(_is_model_deployment(item) and not item.get("controller") for item in owners)


def _is_model_deployment(owner: Mapping[str, Any]) -> bool:
    return owner.get("kind") == "ModelDeployment" and str(owner.get("apiVersion", "")).startswith(f"{GROUP}/")


def _wanted(world: GatewayWorld) -> list[dict[str, Any]]:
    """What the gateway is made of, less a RoleBinding that someone else (the chart) has made as we would."""
    wanted = list(render_gateway(world.namespace, world.owners, world.defaults))
    return [item for item in wanted if not _made_by_others(world, item)]


def _made_by_others(world: GatewayWorld, manifest: dict[str, Any]) -> bool:
    child = world.children.get(ObjectRef(manifest["kind"], manifest["metadata"]["name"]))
    if child is None or child.ours or manifest["kind"] != "RoleBinding":
        return False
    return all(covers(manifest[field], child.manifest.get(field)) for field in ("roleRef", "subjects"))


def gateway_conflict(world: GatewayWorld) -> ObjectRef | None:
    """The first name that the gateway needs and that a foreign object has."""
    return next(iter(conflicts(world.children, _wanted(world))), None)


def decide_gateway(world: GatewayWorld) -> Plan:
    """The plan for one namespace."""
    if not world.owners:
        return Plan()
    wanted = _wanted(world)
    clashes = conflicts(world.children, wanted)
    if world.refused or clashes:
        # Half a gateway reaches nobody: what is there stays as it is until the name is free.
        return Plan((), POLL_SECONDS)
    effects: tuple[Effect, ...] = tuple(applies(world.children, wanted))
    return Plan(effects)
