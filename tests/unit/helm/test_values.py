"""The chart's values and their schema say the same, and the schema catches a typo at every level."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from fairlead.settings import Settings, parse_settings

CHART = Path(__file__).resolve().parents[3] / "helm" / "fairlead"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


VARIANTS = sorted((CHART / "ci").glob("*-values.yaml"))
INSTALLATION = CHART.parents[1] / "docs" / "installation.md"
CHART_ALONE = {
    "registry": {"credentialsSecretName"},
    "prometheus": {"credentialsSecretName", "tlsSecretName"},
    "gateway": {"networkPolicy"},
}
"""Values inside the operator's sections that the chart turns into something else."""


def errors(values: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(values)]


def changed(path: str, value: object) -> dict[str, Any]:
    """The default values with one of them replaced, or added."""
    values: dict[str, Any] = copy.deepcopy(VALUES)
    *parents, last = path.split(".")
    inner = values
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return values


def properties(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, child in node.get("properties", {}).items():
        yield f"{path}{name}", child
        yield from properties(child, f"{path}{name}.")


def leaves(node: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, child in node.items():
        yield f"{path}{name}"
        if isinstance(child, dict):
            yield from leaves(child, f"{path}{name}.")


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_the_default_values_fit_the_schema() -> None:
    assert errors(VALUES) == []


def test_the_chart_and_the_operator_have_the_same_defaults() -> None:
    names = {field.alias for field in Settings.model_fields.values()}
    assert names <= set(VALUES)
    values = {name: VALUES[name] for name in names}
    for section, alone in CHART_ALONE.items():
        values[section] = {name: value for name, value in values[section].items() if name not in alone}
    assert parse_settings(yaml.safe_dump(values), "values.yaml") == Settings()


def test_every_value_is_described() -> None:
    undescribed = [path for path, node in properties(SCHEMA) if not node.get("description", "").endswith(".")]
    assert undescribed == []


def test_every_described_value_has_a_default_and_every_default_is_described() -> None:
    free = ("resources.requests.", "resources.limits.")
    defaults = {path for path in leaves(VALUES) if not path.removeprefix("gateway.").startswith(free)}
    described = {path for path, _ in properties(SCHEMA)} - {"global"}
    assert defaults == described


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda path: path.name)
def test_the_values_of_every_documented_variant_fit_and_are_documented(variant: Path) -> None:
    assert errors(yaml.safe_load(variant.read_text())) == []
    assert f"[{variant.name}](../helm/fairlead/ci/{variant.name})" in INSTALLATION.read_text()


@pytest.mark.parametrize("parent", ["", *[f"{p}." for p, n in properties(SCHEMA) if n.get("properties")]])
def test_an_unknown_name_is_refused_at_every_level(parent: str) -> None:
    assert errors(changed(f"{parent}typo", 1)) != []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replicas", "two"),
        ("replicas", 1.5),
        ("image.digest", "sha256:short"),
        ("image.pullPolicy", "Sometimes"),
        ("logLevel", "loud"),
        ("registry.url", "mlflow:5000"),
        ("prometheus.url", "prometheus:9090"),
        ("registry.credentialsSecretName", "Not_A_Name"),
        ("prometheus.credentialsSecretName", "Not_A_Name"),
        ("prometheus.tlsSecretName", "Not_A_Name"),
        ("prometheus.queries.gatewayEvidence", "up"),
        ("prometheus.podLabel", "a-b"),
        ("prometheus.staleSeconds", 5),
        ("podDisruptionBudget.enabled", "yes"),
        ("serviceMonitor.enabled", "yes"),
        ("serviceMonitor.intervalSeconds", "30s"),
        ("serviceMonitor.labels", {"release": 1}),
        ("prometheusRule.enabled", "yes"),
        ("prometheusRule.labels", {"release": 1}),
        ("prometheusRule.runbookUrl", "git.example.com"),
        ("dashboard.enabled", 1),
        ("dashboard.label", "grafana dashboard"),
        ("networkPolicy.enabled", 1),
        ("networkPolicy.ingressFrom", [{}]),
        ("networkPolicy.extraEgress", ["anywhere"]),
        ("networkPolicy.apiServer.cidrs", ["10.0.0.1"]),
        ("networkPolicy.apiServer.ports", []),
        ("registry.allow", [{"namespaces": ["team"]}]),
        ("registry.allow", [{"namespaces": [], "models": ["*"]}]),
        ("registry.podSecretName", "Not_A_Name"),
        ("registry.pollSeconds", 0),
        ("serving.allowPickle", "yes"),
        ("gateway.replicas", 0),
        ("gateway.image", ""),
        ("gateway.resources.limits", {"cpu": None}),
        ("gateway.networkPolicy.namespaces", ["Bad_Name"]),
        ("gateway.networkPolicy.clientsFrom", [{}]),
        ("watchNamespaces", ["Bad_Name"]),
        ("watchNamespaces", "team-a"),
        ("allowed.images", [""]),
        ("concurrency", 0),
        ("lease.durationSeconds", 0),
        ("tolerations", [{"keys": "gpu"}]),
        ("resources.limits", {"memory": None}),
    ],
)
def test_a_wrong_value_is_refused_by_name(path: str, value: object) -> None:
    found = errors(changed(path, value))
    assert any(error.startswith(f"$.{path}") for error in found), found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("watchNamespaces", ["team-a", "team-b"]),
        ("registry.url", "http://mlflow.mlflow.svc:5000"),
        ("prometheus.url", "https://prometheus.example/base"),
        ("prometheus.queries.gatewayEvidence", 'last_over_time({namespace="{namespace}"}[1m])'),
        ("prometheus.podLabel", "kubernetes_pod_name"),
        ("registry.credentialsSecretName", "mlflow.credentials"),
        ("serviceMonitor.labels", {"release": "kube-prometheus-stack"}),
        ("networkPolicy.apiServer.cidrs", ["10.0.0.1/32", "fd00::1/128"]),
        ("networkPolicy.extraEgress", [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}]),
        ("registry.allow", [{"namespaces": ["team-*"], "models": ["{namespace}-*", "shared"]}]),
        ("registry.podSecretName", "mlflow"),
        ("serving.allowPickle", True),
        ("gateway.resources.limits", {"cpu": 2, "memory": "1Gi"}),
        ("gateway.networkPolicy.clientsFrom", [{"podSelector": {}}]),
        ("image.digest", "sha256:" + "0" * 64),
        ("tolerations", [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]),
        ("affinity", {"nodeAffinity": {}}),
        ("resources.limits", {"cpu": 1, "memory": "1Gi"}),
        ("global", {"anything": True}),
    ],
)
def test_a_right_value_is_accepted(path: str, value: object) -> None:
    assert errors(changed(path, value)) == []
