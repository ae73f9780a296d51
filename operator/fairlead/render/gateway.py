"""The gateway of a namespace: ServiceAccount, RoleBinding, Deployment and PodDisruptionBudget.

A pod is Envoy and the renderer that writes its configuration, which starts before it and stops after it. They share
a folder in memory and nothing else: Envoy's admin interface is a socket in there.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from fairlead.api.names import (
    API_VERSION,
    GATEWAY,
    GATEWAY_COMPONENT,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_NAME,
    MANAGED_BY,
)
from fairlead.api.resource import Meta
from fairlead.render.defaults import GatewayDefaults
from fairlead.render.pods import container_security

METRICS_PORT = 8081
EVIDENCE_PORT = 8082
DIRECTORY = "/run/fairlead"
GRACE_SECONDS = 60
"""Proxies forget a stopping pod, then its requests end: the drain command keeps well below this."""
HUNG_GRACE_SECONDS = 5
UNREADY_SECONDS = 60
"""Longer than the kubelet takes to end a hung renderer: three of its questions, and the grace above."""
RENDERER_RESOURCES = {
    "requests": {"cpu": "20m", "memory": "48Mi"},
    "limits": {"cpu": "500m", "memory": "256Mi"},
}
_MOUNT = {"name": "run", "mountPath": DIRECTORY}
GATEWAY_SELECTOR = {LABEL_NAME: GATEWAY, LABEL_COMPONENT: GATEWAY_COMPONENT}
"""What selects the pods of a namespace's gateway."""
GATEWAY_LABELS = {**GATEWAY_SELECTOR, LABEL_MANAGED_BY: MANAGED_BY}


def _owners(owners: Sequence[Meta]) -> list[dict[str, Any]]:
    """Every ModelDeployment of the namespace, none as controller: the gateway goes with the last of them."""
    return [
        {"apiVersion": API_VERSION, "kind": "ModelDeployment", "name": item.name, "uid": item.uid}
        for item in sorted(owners, key=lambda item: item.uid)
    ]


def _object(kind: str, api_version: str, name: str, namespace: str, owners: Sequence[Meta]) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "labels": GATEWAY_LABELS, "ownerReferences": _owners(owners)}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


def _container(name: str, defaults: GatewayDefaults, resources: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": defaults.image,
        "imagePullPolicy": defaults.image_pull_policy,
        "resources": resources,
        "securityContext": container_security(restricted=True, read_only=True),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [_MOUNT],
    }


def _get(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "metrics"}, "timeoutSeconds": 2}


def _renderer(defaults: GatewayDefaults) -> dict[str, Any]:
    """Watches, renders, answers for both: it tells whether Envoy is ready, and what Envoy counts."""
    return {
        **_container("renderer", defaults, RENDERER_RESOURCES),
        "command": ["python", "-m", "fairlead_gateway"],
        "restartPolicy": "Always",
        "env": [
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "EVIDENCE_SUBJECT", "value": defaults.evidence_subject},
            {"name": "FAIRLEAD_DIR", "value": DIRECTORY},
        ],
        "ports": [
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
            {"name": "evidence", "containerPort": EVIDENCE_PORT, "protocol": "TCP"},
        ],
        "startupProbe": {**_get("/livez"), "periodSeconds": 1, "failureThreshold": 60},
        # Envoy serves on without the renderer. One that hangs is started again before the pod loses its place in the
        # Service: if all of them hung at once, users would be left with no gateway at all.
        "livenessProbe": {
            **_get("/livez"),
            "periodSeconds": 10,
            "failureThreshold": 3,
            "terminationGracePeriodSeconds": HUNG_GRACE_SECONDS,
        },
        "readinessProbe": {**_get("/readyz"), "periodSeconds": 1, "failureThreshold": UNREADY_SECONDS},
    }


def _envoy(defaults: GatewayDefaults) -> dict[str, Any]:
    limit = {"resourceFieldRef": {"resource": "limits.cpu", "containerName": "envoy", "divisor": "1"}}
    command = ["envoy", "-c", f"{DIRECTORY}/bootstrap.json", "--concurrency", "$(CPU_LIMIT)"]
    command += ["--disable-hot-restart", "--log-level", "warn"]
    # While it drains, every answer closes its connection, and new ones are accepted until the pod is gone. By itself
    # Envoy would close few at first, and all of them only after ten minutes.
    command += ["--drain-strategy", "immediate", "--drain-time-s", str(GRACE_SECONDS)]
    return {
        **_container("envoy", defaults, defaults.resources),
        "command": command,
        "env": [{"name": "CPU_LIMIT", "valueFrom": limit}, {"name": "FAIRLEAD_DIR", "value": DIRECTORY}],
        "lifecycle": {"preStop": {"exec": {"command": ["python", "-m", "fairlead_gateway", "drain"]}}},
    }


def _spread() -> list[dict[str, Any]]:
    """Over nodes and zones where there are several; a cluster of one node runs both pods there."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": GATEWAY_SELECTOR},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]


def _pod(defaults: GatewayDefaults) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "serviceAccountName": GATEWAY,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": _spread(),
        "initContainers": [_renderer(defaults)],
        "containers": [_envoy(defaults)],
        "volumes": [{"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}],
    }
    return spec | ({"priorityClassName": defaults.priority_class} if defaults.priority_class else {})


def _deployment_spec(defaults: GatewayDefaults) -> dict[str, Any]:
    scraped = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(METRICS_PORT),
        "prometheus.io/path": "/metrics",
    }
    return {
        "replicas": defaults.replicas,
        "revisionHistoryLimit": 1,
        "selector": {"matchLabels": GATEWAY_SELECTOR},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": GATEWAY_LABELS, "annotations": scraped}, "spec": _pod(defaults)},
    }


def render_gateway(namespace: str, owners: Sequence[Meta], defaults: GatewayDefaults) -> Iterator[dict[str, Any]]:
    """Every object, in the order in which they are made."""
    account = _object("ServiceAccount", "v1", GATEWAY, namespace, owners)
    yield {**account, "automountServiceAccountToken": False}
    if defaults.binds:
        group = "rbac.authorization.k8s.io"
        binding = _object("RoleBinding", f"{group}/v1", defaults.cluster_role, namespace, owners)
        subject = {"kind": "ServiceAccount", "name": GATEWAY, "namespace": namespace}
        role = {"apiGroup": group, "kind": "ClusterRole", "name": defaults.cluster_role}
        yield {**binding, "roleRef": role, "subjects": [subject]}
    deployment = _object("Deployment", "apps/v1", GATEWAY, namespace, owners)
    yield {**deployment, "spec": _deployment_spec(defaults)}
    budget = _object("PodDisruptionBudget", "policy/v1", GATEWAY, namespace, owners)
    yield {**budget, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": GATEWAY_SELECTOR}}}
