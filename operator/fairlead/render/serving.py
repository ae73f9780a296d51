"""The children of a ModelDeployment: ControllerRevision, Deployment and headless Service of a revision; the Service."""

from collections.abc import Mapping
from typing import Any

from fairlead.api.model_deployment import ModelDeploymentSpec, ResolvedModel, ServingContainer
from fairlead.api.names import (
    ANNOTATION_QUARANTINE,
    ANNOTATION_ROLE,
    LABEL_COMPONENT,
    LABEL_INSTANCE,
    LABEL_MANAGED_BY,
    LABEL_MODEL_DEPLOYMENT,
    LABEL_NAME,
    LABEL_REVISION,
    MANAGED_BY,
    MODEL_MOUNT_PATH,
)
from fairlead.api.resource import Meta
from fairlead.api.scalars import parse_duration
from fairlead.render import defaults as built_in
from fairlead.render.defaults import FETCH_CONTAINER, MODEL_CONTAINER, RenderDefaults
from fairlead.render.gateway import GATEWAY_SELECTOR
from fairlead.render.owner import owner_reference
from fairlead.render.pods import (
    SHARED_MEMORY_MOUNT,
    render_container,
    render_metadata,
    render_pod_spec,
    render_resources,
    render_spread,
    shared_memory_volume,
)

_PORT_NAME = "serving"


def revision_inputs(spec: ModelDeploymentSpec, model: ResolvedModel | None, refresh: str = "") -> dict[str, Any]:
    """What a revision is made of. Replicas, rollout, alias and the operator's defaults are not.

    `refresh`: the nonce of the last request to render the same anew.
    """
    wire = spec.wire()
    inputs = {key: value for key, value in wire.items() if key not in _NOT_IN_REVISION}
    if model:
        inputs["model"] = {"name": model.name, "version": model.version, "digest": model.digest}
    if refresh:
        inputs["refresh"] = refresh
    return inputs


_NOT_IN_REVISION = frozenset({"model", "replicas", "requestTimeout", "paused", "rollout", "revisionHistoryLimit"})


def object_labels(meta: Meta) -> dict[str, str]:
    """Labels of every child of a ModelDeployment."""
    return {
        LABEL_NAME: "fairlead-model",
        LABEL_INSTANCE: meta.name,
        LABEL_COMPONENT: "serving",
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_MODEL_DEPLOYMENT: meta.name,
    }


def selector_labels(meta: Meta, revision: str) -> dict[str, str]:
    """What selects the pods of a revision."""
    return {LABEL_MODEL_DEPLOYMENT: meta.name, LABEL_REVISION: revision}


def _child(meta: Meta, kind: str, api_version: str, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": meta.namespace,
            "labels": {**object_labels(meta), **labels},
            "ownerReferences": [owner_reference("ModelDeployment", meta)],
        },
    }


def _model_env(meta: Meta, model: ResolvedModel, defaults: RenderDefaults, load_seconds: int) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": defaults.registry_pod_url,
        "MODEL_NAME": model.name,
        "MODEL_VERSION": model.version,
        "MODEL_DIGEST": model.digest,
        "SERVED_MODEL_NAME": meta.name,
        "LOAD_DEADLINE_SECONDS": str(load_seconds),
    }


def _builtin_env(container: ServingContainer, defaults: RenderDefaults) -> dict[str, str]:
    """What only the built-in server is told. A pickle runs code as it loads: only the settings let one in."""
    return {
        "PORT": str(container.port or built_in.DEFAULT_PORT),
        "ALLOW_PICKLE": str(defaults.allow_pickle).lower(),
    }


def _probe(container: ServingContainer, path: str | None) -> dict[str, Any]:
    """How to ask the container: a path, gRPC's health service, or whether the port is open."""
    if path:
        return {"httpGet": {"path": path, "port": _PORT_NAME}}
    if container.protocol == "grpc":
        return {"grpc": {"port": container.port or built_in.DEFAULT_PORT}}
    return {"tcpSocket": {"port": _PORT_NAME}}


def _probes(container: ServingContainer, *, builtin: bool, load_seconds: int) -> dict[str, Any]:
    ready = container.readiness_path or ("/v2/health/ready" if builtin else None)
    live = container.liveness_path or ("/v2/health/live" if builtin else None)
    question = _probe(container, ready)
    probes: dict[str, Any] = {
        # Once a second: a model that has just loaded should not wait for the next look.
        "startupProbe": {**question, "periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": load_seconds + 30},
        "readinessProbe": {**question, "periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 2},
    }
    if live:
        probes["livenessProbe"] = {
            **_probe(container, live),
            "periodSeconds": built_in.LIVENESS_PERIOD_SECONDS,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        }
    return probes


def _fetch_container(env: Mapping[str, str], defaults: RenderDefaults, namespace: str) -> dict[str, Any]:
    """Brings the model's files into the pod for a container that is not ours."""
    rendered = render_container(
        None,
        name=FETCH_CONTAINER,
        image=defaults.serving_image,
        defaults=defaults,
        namespace=namespace,
        env=env,
        resources={},
        extra_mounts=[{"name": "model", "mountPath": MODEL_MOUNT_PATH}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
        read_only=True,
        calls_registry=True,
    )
    return {**rendered, "command": ["python", "-m", "fairlead_serving.fetch", MODEL_MOUNT_PATH]}


def render_template(
    meta: Meta, spec: ModelDeploymentSpec, model: ResolvedModel | None, *, revision: str, defaults: RenderDefaults
) -> dict[str, Any]:
    """The pod template of a revision. Rendered once, then stored in its ControllerRevision."""
    container = spec.container or ServingContainer()
    builtin = container.image is None
    load_seconds = int(parse_duration(container.load_deadline or built_in.DEFAULT_LOAD_DEADLINE).total_seconds())
    env = _model_env(meta, model, defaults, load_seconds) if model else {}
    volumes, mounts, init = _storage(spec, model, builtin=builtin)
    main = render_container(
        container,
        name=MODEL_CONTAINER,
        image=container.image or defaults.serving_image,
        defaults=defaults,
        namespace=meta.namespace,
        env={**env, **(_builtin_env(container, defaults) if builtin else {})},
        resources=render_resources(spec.resources, spec.gpu),
        extra_mounts=mounts,
        read_only=builtin,
        calls_registry=builtin,
    )
    main["ports"] = [{"name": _PORT_NAME, "containerPort": container.port or built_in.DEFAULT_PORT, "protocol": "TCP"}]
    main |= _probes(container, builtin=builtin, load_seconds=load_seconds)
    if not builtin:
        # The built-in server drains by itself; any other one is told to stop only when proxies have forgotten it.
        main["lifecycle"] = {"preStop": {"sleep": {"seconds": built_in.DRAIN_SECONDS}}}
    pod = render_pod_spec(
        spec,
        containers=[main],
        gpu=spec.gpu,
        restricted=defaults.restricted(meta.namespace),
        extra_volumes=volumes,
        init_containers=[_fetch_container(env, defaults, meta.namespace)] if init else [],
    )
    if spread := render_spread(spec, selector_labels(meta, revision)):
        pod["topologySpreadConstraints"] = spread
    labels = {**object_labels(meta), LABEL_REVISION: revision}
    return {"metadata": render_metadata(spec, labels), "spec": pod}


def _storage(
    spec: ModelDeploymentSpec, model: ResolvedModel | None, *, builtin: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    """Volumes, mounts of the main container, and whether an init container fetches the model."""
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []
    fetch = model is not None and not builtin
    if builtin or fetch:
        volumes.append({"name": "tmp", "emptyDir": {}})
    if builtin:
        mounts.append({"name": "tmp", "mountPath": "/tmp"})  # noqa: S108 -- the container's
    if fetch:
        volumes.append({"name": "model", "emptyDir": {}})
        mounts.append({"name": "model", "mountPath": MODEL_MOUNT_PATH, "readOnly": True})
    if spec.shared_memory is not None:
        volumes.append(shared_memory_volume(spec.shared_memory))
        mounts.append(SHARED_MEMORY_MOUNT)
    return volumes, mounts, fetch


def render_revision(
    meta: Meta,
    *,
    name: str,
    number: int,
    role: str,
    inputs: Mapping[str, Any],
    template: Mapping[str, Any],
    quarantine: str = "",
) -> dict[str, Any]:
    """The ControllerRevision: immutable data, and the marks of its role and of its quarantine."""
    child = _child(meta, "ControllerRevision", "apps/v1", name, {LABEL_REVISION: name})
    marks = {ANNOTATION_ROLE: role, ANNOTATION_QUARANTINE: quarantine}
    child["metadata"]["annotations"] = {key: value for key, value in marks.items() if value or key == ANNOTATION_ROLE}
    return {**child, "revision": number, "data": {"inputs": inputs, "template": template}}


def render_workload(meta: Meta, *, revision: str, replicas: int, template: Mapping[str, Any]) -> dict[str, Any]:
    """The Deployment of a revision. Its template never changes, so it never rolls."""
    child = _child(meta, "Deployment", "apps/v1", revision, {LABEL_REVISION: revision})
    child["spec"] = {
        "replicas": replicas,
        "revisionHistoryLimit": 0,
        "selector": {"matchLabels": selector_labels(meta, revision)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": template,
    }
    return child


def _ports(protocol: str | None, target: str | int = _PORT_NAME) -> list[dict[str, Any]]:
    app = "kubernetes.io/h2c" if protocol == "grpc" else "http"
    return [{"name": protocol or "http", "port": 80, "targetPort": target, "protocol": "TCP", "appProtocol": app}]


def render_revision_service(meta: Meta, *, revision: str, protocol: str | None) -> dict[str, Any]:
    """The headless Service of a revision: the gateway reads its EndpointSlices."""
    child = _child(meta, "Service", "v1", revision, {LABEL_REVISION: revision})
    child["spec"] = {"clusterIP": "None", "selector": selector_labels(meta, revision), "ports": _ports(protocol)}
    return child


def render_service(meta: Meta, *, port: int, protocol: str | None) -> dict[str, Any]:
    """The Service that users call: port 80, to the gateway's port for this ModelDeployment."""
    child = _child(meta, "Service", "v1", meta.name, {})
    child["spec"] = {"type": "ClusterIP", "selector": GATEWAY_SELECTOR, "ports": _ports(protocol, port)}
    return child
