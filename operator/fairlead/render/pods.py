"""Pod templates from the allow-listed fields of the two kinds."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.api.pod import Container, Gpu, Resources, Toleration
from fairlead.api.scalars import Quantity
from fairlead.api.workload import PodFields
from fairlead.render.defaults import GPU_PRODUCT_LABEL, GPU_RESOURCE, POD_ENV, POD_LABELS, RenderDefaults


def container_security(*, restricted: bool, read_only: bool) -> dict[str, Any]:
    """The container's security context: Pod Security `restricted`, or only seccomp where root images are let in."""
    if not restricted:
        return {"seccompProfile": {"type": "RuntimeDefault"}}
    context: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return context | ({"readOnlyRootFilesystem": True} if read_only else {})


def render_env(container: Container | None, own: Mapping[str, str]) -> list[dict[str, Any]]:
    """The user's variables, then ours (ours win), then the defaults that nobody set. Sorted within each part."""
    users = [item.wire() for item in (container.env or ()) if item.name not in own] if container else []
    named = {item["name"] for item in users} | set(own)
    ours = [{"name": name, "value": own[name]} for name in sorted(own)]
    defaults = [{"name": name, "value": value} for name, value in sorted(POD_ENV.items()) if name not in named]
    return users + ours + defaults


def render_resources(resources: Resources | None, gpu: Gpu | None) -> dict[str, Any]:
    """Requests and limits; GPUs are an extended resource, so their limit is their request."""
    wire: dict[str, Any] = resources.wire() if resources else {}
    if gpu:
        limits = dict(wire.get("limits", {}))
        limits[gpu.resource_name or GPU_RESOURCE] = str(gpu.count)
        wire = {**wire, "limits": limits}
    return wire


def render_container(
    container: Container | None,
    *,
    name: str,
    image: str,
    defaults: RenderDefaults,
    namespace: str,
    env: Mapping[str, str],
    resources: dict[str, Any],
    extra_mounts: Sequence[dict[str, Any]] = (),
    read_only: bool = False,
    calls_registry: bool = False,
) -> dict[str, Any]:
    """The container that a custom resource describes. `calls_registry`: it gets MLflow's credentials."""
    rendered: dict[str, Any] = {
        "name": name,
        "image": image,
        "imagePullPolicy": defaults.image_pull_policy,
        "env": render_env(container, env),
        "securityContext": container_security(restricted=defaults.restricted(namespace), read_only=read_only),
        # The last lines of a failing container reach its status, so nobody needs the right to read logs.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if resources:
        rendered["resources"] = resources
    if container:
        wire = container.wire()
        rendered |= {key: wire[key] for key in ("command", "args", "envFrom") if key in wire}
    if calls_registry and (ours := defaults.registry_env_from()):
        # Of two sources with the same key the last one counts: a user's own credentials win.
        rendered["envFrom"] = [*ours, *rendered.get("envFrom", ())]
    mounts = [item.wire() for item in (container.volume_mounts or ())] if container else []
    if mounts or extra_mounts:
        rendered["volumeMounts"] = [*mounts, *extra_mounts]
    return rendered


def _node_affinity(affinity: dict[str, Any], product: str) -> dict[str, Any]:
    """The user's affinity, and on top of it the GPU product in every required term."""
    node = dict(affinity.get("nodeAffinity", {}))
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    wanted = {"key": GPU_PRODUCT_LABEL, "operator": "In", "values": [product]}
    terms = node.get(required, {}).get("nodeSelectorTerms") or [{}]
    node[required] = {
        "nodeSelectorTerms": [
            {**term, "matchExpressions": [*term.get("matchExpressions", ()), wanted]} for term in terms
        ]
    }
    return {**affinity, "nodeAffinity": node}


def _tolerations(fields: PodFields, gpu: Gpu | None) -> list[dict[str, Any]]:
    wanted = list(fields.tolerations or ())
    if gpu:
        wanted.append(Toleration(key=gpu.resource_name or GPU_RESOURCE, operator="Exists", effect="NoSchedule"))
    return [item.wire() for item in wanted]


def shared_memory_volume(size: Quantity) -> dict[str, Any]:
    """A RAM disk for /dev/shm; the container runtime's own has 64 MiB, too little for data loaders."""
    return {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": size}}


SHARED_MEMORY_MOUNT = {"name": "shared-memory", "mountPath": "/dev/shm"}  # noqa: S108 -- the container's


def render_pod_spec(
    fields: PodFields,
    *,
    containers: Sequence[dict[str, Any]],
    gpu: Gpu | None,
    restricted: bool,
    extra_volumes: Sequence[dict[str, Any]] = (),
    init_containers: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """The pod spec around the containers."""
    wire = fields.wire()
    spec: dict[str, Any] = {
        "containers": list(containers),
        "automountServiceAccountToken": fields.service_account_name is not None,
        "enableServiceLinks": False,
    }
    if restricted:
        spec["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if init_containers:
        spec["initContainers"] = list(init_containers)
    for key in (
        "imagePullSecrets",
        "serviceAccountName",
        "nodeSelector",
        "priorityClassName",
        "runtimeClassName",
        "terminationGracePeriodSeconds",
    ):
        if key in wire:
            spec[key] = wire[key]
    volumes = [*wire.get("volumes", ()), *extra_volumes]
    if volumes:
        spec["volumes"] = volumes
    if tolerations := _tolerations(fields, gpu):
        spec["tolerations"] = tolerations
    affinity = wire.get("affinity", {})
    if gpu and gpu.product:
        affinity = _node_affinity(affinity, gpu.product)
    if affinity:
        spec["affinity"] = affinity
    return spec


def render_spread(fields: PodFields, match_labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Topology spread constraints over the pods with these labels."""
    return [
        {**item.wire(), "labelSelector": {"matchLabels": dict(match_labels)}} for item in fields.topology_spread or ()
    ]


def render_metadata(fields: PodFields, labels: Mapping[str, str]) -> dict[str, Any]:
    """The pod's labels and annotations; ours win."""
    users = fields.pod_metadata
    meta: dict[str, Any] = {"labels": {**POD_LABELS, **((users and users.labels) or {}), **labels}}
    if users and users.annotations:
        meta["annotations"] = dict(users.annotations)
    return meta
