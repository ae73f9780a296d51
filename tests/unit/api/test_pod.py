"""The allow-list: what can reach a pod, and what cannot."""

from typing import Any

import pytest

from fairlead.api.crd import KINDS, schema_of
from fairlead.api.model_deployment import ModelDeploymentSpec
from fairlead.api.pod import Volume

DANGEROUS = {
    "hostPath",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostUsers",
    "hostPort",
    "hostAliases",
    "securityContext",
    "privileged",
    "capabilities",
    "procMount",
    "shareProcessNamespace",
    "nodeName",
    "schedulerName",
    "initContainers",
    "ephemeralContainers",
    "lifecycle",
    "namespace",
    "namespaces",
    "namespaceSelector",
    "csi",
    "nfs",
    "projected",
    "template",
}

NOT_IN_REVISION = {"replicas", "requestTimeout", "paused", "rollout", "revisionHistoryLimit"}


def _names(schema: dict[str, Any]) -> set[str]:
    found = set(schema.get("properties", {}))
    for child in schema.get("properties", {}).values():
        found |= _names(child)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found |= _names(schema[key])
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_field_reaches_the_host_another_namespace_or_the_security_context(kind: Any) -> None:
    assert not _names(schema_of(kind.spec)) & DANGEROUS


def test_a_volume_has_just_the_allowed_sources() -> None:
    sources = set(schema_of(Volume)["properties"]) - {"name"}
    assert sources == {"persistentVolumeClaim", "configMap", "secret", "emptyDir", "image"}


def _with_defaults(schema: dict[str, Any]) -> list[str]:
    children = schema.get("properties", {})
    here = [name for name, child in children.items() if "default" in child]
    inner = [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return here + [name for child in (*children.values(), *inner) for name in _with_defaults(child)]


def test_nothing_that_becomes_part_of_a_revision_has_a_default_since_a_changed_one_would_start_rollouts() -> None:
    spec = schema_of(ModelDeploymentSpec)
    of_revision = {name: child for name, child in spec["properties"].items() if name not in NOT_IN_REVISION}
    assert _with_defaults({"properties": of_revision}) == []


def test_the_search_for_defaults_finds_one() -> None:
    assert "replicas" in _with_defaults(schema_of(ModelDeploymentSpec))
    assert "pendingDeadline" in _with_defaults(schema_of(ModelDeploymentSpec))
