"""What the chart renders, by the real helm: rights, settings, CRDs and the operator's pod."""

import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.binaries import binary

from fairlead.settings import Settings, parse_settings

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "fairlead"
READ = {"get", "list", "watch"}
FULL = READ | {"create", "patch", "delete"}

Manifest = dict[str, Any]
# (API group, resource) -> verbs
Rights = dict[tuple[str, str], set[str]]

RBAC = "rbac.authorization.k8s.io"
EXPECTED_RIGHTS: Rights = {
    ("fairlead.dev", "modeldeployments"): READ,
    ("fairlead.dev", "trainingjobs"): READ,
    ("fairlead.dev", "modeldeployments/status"): {"get", "patch"},
    ("fairlead.dev", "trainingjobs/status"): {"get", "patch"},
    ("apps", "deployments"): FULL,
    ("apps", "controllerrevisions"): FULL,
    ("", "services"): FULL,
    ("batch", "jobs"): FULL,
    ("", "pods"): READ,
    ("", "serviceaccounts"): READ | {"create", "patch"},
    ("policy", "poddisruptionbudgets"): READ | {"create", "patch"},
    (RBAC, "rolebindings"): READ | {"create", "patch"},
    (RBAC, "clusterroles"): {"bind"},
    ("", "events"): {"create", "get", "list", "patch"},
}
IN_NAMED_NAMESPACES = {group: verbs for group, verbs in EXPECTED_RIGHTS.items() if group != (RBAC, "clusterroles")}
"""Where the namespaces are named, the chart itself has bound what a gateway reads."""
IN_NAMED_NAMESPACES |= {(RBAC, "rolebindings"): READ}
GATEWAY_RIGHTS: Rights = {
    ("fairlead.dev", "modeldeployments"): READ,
    ("discovery.k8s.io", "endpointslices"): READ,
}
GATEWAY = "fairlead-gateway"


def helm_template(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(binary("helm")), "template", "fairlead", str(CHART), "--namespace", "fairlead-system", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


EVERYTHING = (
    "networkPolicy.enabled=true,serviceMonitor.enabled=true,registry.credentialsSecretName=mlflow-credentials,"
    "prometheus.credentialsSecretName=prometheus-credentials,prometheus.tlsSecretName=prometheus-certificates,"
    "registry.url=http://mlflow.mlflow.svc:5000,prometheus.url=https://prometheus.example/base"
)


@functools.cache
def rendered(*arguments: str) -> tuple[Manifest, ...]:
    done = helm_template(*arguments)
    assert done.returncode == 0, done.stderr
    return tuple(document for document in yaml.safe_load_all(done.stdout) if document)


def of_kind(kind: str, *arguments: str) -> list[Manifest]:
    return [manifest for manifest in rendered(*arguments) if manifest["kind"] == kind]


def rules(*arguments: str) -> Iterator[Manifest]:
    for role in [*of_kind("ClusterRole", *arguments), *of_kind("Role", *arguments)]:
        yield from role["rules"]


def rights(role: Manifest) -> Rights:
    found: Rights = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def settings_of(*arguments: str) -> Settings:
    (config,) = of_kind("ConfigMap", *arguments)
    return parse_settings(config["data"]["config.yaml"], "chart")


def pod(*arguments: str) -> Manifest:
    (deployment,) = of_kind("Deployment", *arguments)
    spec: Manifest = deployment["spec"]["template"]["spec"]
    return spec


def named(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {item["metadata"]["name"]: item for item in manifests}


def test_the_operator_may_do_exactly_what_it_needs_and_nothing_else() -> None:
    roles = named(of_kind("ClusterRole"))
    assert roles.keys() == {"fairlead", GATEWAY}
    assert rights(roles["fairlead"]) == EXPECTED_RIGHTS


def test_the_operator_may_bind_the_gateways_role_and_no_other() -> None:
    binds = [rule for rule in rules() if "bind" in rule["verbs"]]
    assert binds == [
        {"apiGroups": [RBAC], "resources": ["clusterroles"], "resourceNames": [GATEWAY], "verbs": ["bind"]}
    ]


def test_a_gateway_only_reads_and_its_rights_are_kept_on_uninstall() -> None:
    named_namespaces = ("--set", "watchNamespaces={team-a}")
    found = [named(of_kind("ClusterRole"))[GATEWAY]]
    found += [item for item in of_kind("Role", *named_namespaces) if item["metadata"]["name"] == GATEWAY]
    found += [item for item in of_kind("RoleBinding", *named_namespaces) if item["metadata"]["name"] == GATEWAY]
    assert [rights(role) for role in found[:2]] == [GATEWAY_RIGHTS, GATEWAY_RIGHTS]
    assert [item["metadata"]["annotations"] for item in found] == [{"helm.sh/resource-policy": "keep"}] * 3


def test_the_lease_is_reached_by_name_and_only_in_the_operators_own_namespace() -> None:
    (role,) = of_kind("Role", "--set", "lease.name=other")
    assert role["metadata"]["namespace"] == "fairlead-system"
    assert role["rules"] == [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["other"],
            "verbs": ["get", "update", "patch"],
        },
    ]


@pytest.mark.parametrize("arguments", [(), ("--set", "watchNamespaces={team-a,team-b}")])
def test_no_rule_names_a_secret_a_log_or_a_wildcard(arguments: tuple[str, ...]) -> None:
    for rule in rules(*arguments):
        words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not any("*" in word for word in words)
        assert not words & {"secrets", "pods/log", "pods/exec", "namespaces", "customresourcedefinitions"}
        assert not words & {"escalate", "impersonate", "deletecollection"}
        assert "bind" not in words or rule["resourceNames"] == [GATEWAY]


def test_with_named_namespaces_there_are_the_same_rights_in_each_and_none_in_the_cluster() -> None:
    arguments = ("--set", "watchNamespaces={team-a,team-b}")
    assert of_kind("ClusterRole", *arguments) == of_kind("ClusterRoleBinding", *arguments) == []
    roles = {(role["metadata"]["namespace"], role["metadata"]["name"]): role for role in of_kind("Role", *arguments)}
    teams = {(team, name) for team in ("team-a", "team-b") for name in ("fairlead", GATEWAY)}
    assert set(roles) == {*teams, ("fairlead-system", "fairlead-lease")}
    for team, name in teams:
        assert rights(roles[team, name]) == (GATEWAY_RIGHTS if name == GATEWAY else IN_NAMED_NAMESPACES)
    assert settings_of(*arguments).watch_namespaces == ("team-a", "team-b")


@pytest.mark.parametrize("arguments", [(), ("--set", "watchNamespaces={team-a}")])
def test_every_binding_binds_a_rendered_role_to_the_account_that_needs_it(arguments: tuple[str, ...]) -> None:
    (account,) = of_kind("ServiceAccount", *arguments)
    the_operator_binds = {(None, GATEWAY)}
    for kind, role_kind in (("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")):
        roles = {(r["metadata"].get("namespace"), r["metadata"]["name"]) for r in of_kind(role_kind, *arguments)}
        bound = {
            (b["metadata"].get("namespace"), b["roleRef"]["name"])
            for b in of_kind(kind, *arguments)
            if b["roleRef"]["kind"] == role_kind
        }
        assert bound == roles - the_operator_binds
        for binding in of_kind(kind, *arguments):
            gateways = binding["roleRef"]["name"] == GATEWAY
            assert binding["subjects"] == [
                {
                    "kind": "ServiceAccount",
                    "name": GATEWAY if gateways else account["metadata"]["name"],
                    "namespace": binding["metadata"]["namespace"] if gateways else "fairlead-system",
                }
            ]
    assert pod(*arguments)["serviceAccountName"] == account["metadata"]["name"]


def test_with_named_namespaces_nothing_but_the_crds_reaches_past_a_namespace() -> None:
    found = rendered("--set", "watchNamespaces={team-a},replicas=2", "--set", EVERYTHING)
    assert {item["kind"] for item in found if "namespace" not in item["metadata"]} == {"CustomResourceDefinition"}
    assert {item["metadata"]["namespace"] for item in found if "namespace" in item["metadata"]} == {
        "team-a",
        "fairlead-system",
    }


def test_the_crds_are_those_of_the_repository_and_are_kept_on_uninstall() -> None:
    found = {crd["metadata"]["name"]: crd for crd in of_kind("CustomResourceDefinition")}
    originals = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    assert len(originals) == 2
    assert set(found) == {crd["metadata"]["name"] for crd in originals}
    for original in originals:
        crd = found[original["metadata"]["name"]]
        assert crd["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert crd == original


def test_the_crds_can_be_left_out() -> None:
    assert of_kind("CustomResourceDefinition", "--set", "crds.install=false") == []


def test_the_default_settings_are_the_operators_own_defaults() -> None:
    assert settings_of() == Settings()


def test_settings_reach_the_operator_under_their_own_names() -> None:
    settings = settings_of("--set", "registry.url=http://m:5000,lease.durationSeconds=30,allowed.images={r.example/*}")
    assert settings.registry.url == "http://m:5000"
    assert settings.lease.duration_seconds == 30
    assert settings.allowed.images == ("r.example/*",)


def test_changed_settings_start_new_pods_and_other_changes_do_not() -> None:
    def annotations(*arguments: str) -> object:
        (deployment,) = of_kind("Deployment", *arguments)
        return deployment["spec"]["template"]["metadata"]["annotations"]

    assert annotations() != annotations("--set", "logLevel=debug")
    assert annotations() == annotations("--set", "replicas=2")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("typo=1", "typo"),
        ("registry.uri=x", "uri"),
        ("registry.credentialsSecretName=A_B", "/registry/credentialsSecretName"),
        ("prometheus.queries.gatewayEvidence=up", "/prometheus/queries/gatewayEvidence"),
        ("prometheus.url=prometheus", "/prometheus/url"),
        ("serviceMonitor.intervalSeconds=fast", "/serviceMonitor/intervalSeconds"),
        ("networkPolicy.apiServer.cidrs={10.0.0.1}", "/networkPolicy/apiServer/cidrs/0"),
        ("podDisruptionBudget.minAvailable=1", "minAvailable"),
        ("logLevel=loud", "logLevel"),
        ("lease.renewSeconds=15", "lease.renewSeconds: expected less than lease.durationSeconds (15), got 15"),
    ],
)
def test_wrong_values_are_refused_by_name(setting: str, told: str) -> None:
    done = helm_template("--set", setting)
    assert done.returncode != 0
    assert told in done.stderr


def test_the_operators_pod_fits_pod_security_restricted_and_cannot_write_its_root() -> None:
    spec = pod()
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"] == "512Mi"
    assert {kind for volume in spec["volumes"] for kind in volume if kind != "name"} == {
        "configMap",
        "emptyDir",
        "projected",
    }
    (token,) = (volume["projected"]["sources"] for volume in spec["volumes"] if "projected" in volume)
    assert token == [
        {"serviceAccountToken": {"audience": "fairlead-evidence", "expirationSeconds": 600, "path": "token"}}
    ]


def test_a_digest_wins_over_the_tag() -> None:
    digest = "sha256:" + "a" * 64
    (container,) = pod("--set", f"image.digest={digest}")["containers"]
    assert container["image"] == f"localhost/fairlead-operator@{digest}"


def test_only_several_replicas_have_a_disruption_budget() -> None:
    assert of_kind("PodDisruptionBudget") == []
    (budget,) = of_kind("PodDisruptionBudget", "--set", "replicas=2")
    (deployment,) = of_kind("Deployment", "--set", "replicas=2")
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]


def test_the_disruption_budget_can_be_left_out() -> None:
    assert of_kind("PodDisruptionBudget", "--set", "replicas=2,podDisruptionBudget.enabled=false") == []


@pytest.mark.parametrize(
    ("section", "value", "field"),
    [
        ("registry", "credentialsSecretName", "credentials_dir"),
        ("prometheus", "credentialsSecretName", "credentials_dir"),
        ("prometheus", "tlsSecretName", "tls_dir"),
    ],
)
def test_credentials_reach_the_operator_as_files_and_nowhere_else(section: str, value: str, field: str) -> None:
    assert getattr(getattr(settings_of(), section), field) == ""
    arguments = ("--set", f"{section}.{value}=login")
    spec = pod(*arguments)
    (volume,) = (volume for volume in spec["volumes"] if "secret" in volume)
    assert volume["secret"] == {"secretName": "login"}
    (container,) = spec["containers"]
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == volume["name"])
    assert mount["readOnly"] is True
    assert getattr(getattr(settings_of(*arguments), section), field) == mount["mountPath"]
    assert "login" not in str(container["env"])
    (config,) = of_kind("ConfigMap", *arguments)
    assert "login" not in config["data"]["config.yaml"]


def test_the_service_monitor_selects_the_metrics_service_and_has_the_labels_that_prometheus_wants() -> None:
    assert of_kind("ServiceMonitor") == []
    wanted = "serviceMonitor.enabled=true,serviceMonitor.labels.release=prom,serviceMonitor.intervalSeconds=5"
    (monitor,) = of_kind("ServiceMonitor", "--set", wanted)
    (service,) = of_kind("Service")
    assert monitor["metadata"]["labels"]["release"] == "prom"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": [service["metadata"]["namespace"]]}
    assert monitor["spec"]["endpoints"] == [{"port": "http", "path": "/metrics", "honorLabels": True, "interval": "5s"}]
    assert [port["name"] for port in service["spec"]["ports"]] == ["http"]


def network_policy(*arguments: str) -> Manifest:
    (policy,) = of_kind("NetworkPolicy", "--set", "networkPolicy.enabled=true", *arguments)
    spec: Manifest = policy["spec"]
    return spec


DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
API = {"ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 6443}]}
_GATEWAY_PODS = {"app.kubernetes.io/name": GATEWAY, "app.kubernetes.io/component": "gateway"}
EVIDENCE = {
    "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": _GATEWAY_PODS}}],
    "ports": [{"protocol": "TCP", "port": 8082}],
}


def test_the_network_policy_lets_in_metrics_and_health_and_lets_out_dns_and_the_api() -> None:
    assert of_kind("NetworkPolicy") == []
    policy = network_policy()
    (deployment,) = of_kind("Deployment")
    (container,) = pod()["containers"]
    assert policy["podSelector"] == deployment["spec"]["selector"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": container["ports"][0]["name"]}]}]
    assert policy["egress"] == [DNS, API, EVIDENCE]


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ("registry.url=http://mlflow.ml.svc:5000", "ml"),
        ("registry.url=http://mlflow.ml.svc.cluster.local/base", "ml"),
        ("prometheus.url=http://prometheus.monitoring.svc:9090", "monitoring"),
        ("registry.url=https://mlflow.example.com/", 443),
        ("registry.url=http://mlflow.example.com", 80),
        ("prometheus.url=http://10.0.0.7:9090", 9090),
        ("registry.url=http://svc.example.com:8080", 8080),
    ],
)
def test_the_network_policy_leads_to_what_the_urls_name(setting: str, rule: str | int) -> None:
    *_, last = network_policy("--set", setting)["egress"]
    if isinstance(rule, str):
        names = {"matchLabels": {"kubernetes.io/metadata.name": rule}}
        assert last == {"to": [{"namespaceSelector": names}]}
    else:
        assert last == {"ports": [{"protocol": "TCP", "port": rule}]}


def test_the_network_policy_can_be_narrowed_and_widened() -> None:
    policy = network_policy(
        *("--set", "networkPolicy.ingressFrom[0].namespaceSelector.matchLabels.team=monitoring"),
        *("--set", "networkPolicy.apiServer.cidrs={10.0.0.1/32},networkPolicy.apiServer.ports={6443}"),
        *("--set", "networkPolicy.extraEgress[0].to[0].ipBlock.cidr=10.1.0.0/16"),
    )
    assert policy["ingress"][0]["from"] == [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}]
    assert policy["egress"] == [
        DNS,
        {"ports": [{"protocol": "TCP", "port": 6443}], "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]},
        EVIDENCE,
        {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]},
    ]


def test_the_metrics_service_selects_the_operators_pods() -> None:
    (service,) = of_kind("Service")
    (deployment,) = of_kind("Deployment")
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    (container,) = pod()["containers"]
    assert [port["targetPort"] for port in service["spec"]["ports"]] == [port["name"] for port in container["ports"]]
