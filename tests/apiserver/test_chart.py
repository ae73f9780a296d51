"""Every documented way to install the chart: the API server takes it, and it gives the operator the rights it needs."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import yaml
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects, eventually
from tests.apiserver.operator_process import SHORT_LEASE, OperatorProcess
from tests.cluster import ControlPlane
from tests.cluster.audit import mark, requests
from tests.cluster.binaries import binary
from tests.cluster.golang import module_files
from tests.cluster.paths import REPOSITORY

CHART = REPOSITORY / "helm" / "fairlead"
VARIANTS = {path.stem.removesuffix("-values"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator"
MONITORING = ("servicemonitors", "podmonitors", "prometheusrules")
TEAMS = ("team-a", "team-b")
"""The namespaces that `watchNamespaces` of the variant names."""

Manifest = dict[str, Any]


def template(release: str, namespace: str, *arguments: str) -> str:
    """What helm would send."""
    command = [str(binary("helm")), "template", release, str(CHART), "--namespace", namespace, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture(scope="module")
def team_namespaces(api: httpx.Client, crds: None) -> None:
    """The namespaces that the variants name."""
    for name in ("fairlead-system", *TEAMS):
        answer = api.post("/api/v1/namespaces", json={"metadata": {"name": name}})
        assert answer.status_code in (201, 409), answer.text


@pytest.fixture(scope="module")
def monitoring_crds(control_plane: ControlPlane) -> None:
    """The Prometheus operator's own definitions of ServiceMonitor, PodMonitor and PrometheusRule."""
    folder = module_files("prometheus-operator", PROMETHEUS_OPERATOR) / "example" / "prometheus-operator-crd"
    files = [str(folder / f"monitoring.coreos.com_{kind}.yaml") for kind in MONITORING]
    chosen = [part for file in files for part in ("-f", file)]
    control_plane.kubectl("apply", "--server-side", *chosen)
    control_plane.kubectl("wait", *chosen, "--for=condition=Established", "--timeout=10s")
    wanted = {f"{kind}.monitoring.coreos.com" for kind in MONITORING}
    eventually(
        "all kinds are served",
        lambda: set(control_plane.kubectl("api-resources", "-o", "name", check=False).split()) >= wanted,
        seconds=20,
    )


def dry_run(plane: ControlPlane, text: str) -> list[str]:
    """What the API server says to each document, validated strictly."""
    return plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text).splitlines()


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda path: path.stem)
def test_helm_finds_nothing_to_complain_about(variant: Path) -> None:
    command = [str(binary("helm")), "lint", "--strict", "--quiet", str(CHART), "--values", str(variant)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("variant", ["default", *VARIANTS])
def test_the_api_server_accepts_every_documented_variant(
    variant: str, control_plane: ControlPlane, team_namespaces: None, monitoring_crds: None
) -> None:
    values = ["--values", str(VARIANTS[variant])] if variant in VARIANTS else []
    text = template("fairlead", "fairlead-system", *values)
    assert len(dry_run(control_plane, text)) == sum(1 for document in yaml.safe_load_all(text) if document)


def test_the_example_pod_monitors_are_accepted(
    control_plane: ControlPlane, team_namespaces: None, monitoring_crds: None
) -> None:
    text = (REPOSITORY / "examples" / "platform" / "podmonitor.yaml").read_text()
    assert dry_run(control_plane, text) == [
        f"podmonitor.monitoring.coreos.com/fairlead-{name} created (server dry run)" for name in ("serving", "gateway")
    ]


def test_the_example_prometheus_is_accepted_where_pods_have_to_be_restricted(control_plane: ControlPlane) -> None:
    text = (REPOSITORY / "examples" / "platform" / "prometheus.yaml").read_text()
    space, *rest = (document for document in yaml.safe_load_all(text) if document)
    control_plane.kubectl("apply", "-f", "-", input=yaml.safe_dump(space))
    said = dry_run(control_plane, yaml.safe_dump_all(rest))
    assert len(said) == len(rest)
    (pod,) = (item["spec"]["template"] for item in rest if item["kind"] == "Deployment")
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sample", "namespace": "prometheus"}, **pod}
    body["metadata"] = {**pod["metadata"], "name": "sample", "namespace": "prometheus"}
    assert dry_run(control_plane, yaml.safe_dump(body)) == ["pod/sample created (server dry run)"]


# -- rights


@dataclass(frozen=True)
class Installed:
    """The chart's rights, really applied; `namespaces` are watched, `other` is not."""

    account: str
    release_namespace: str
    namespaces: tuple[str, ...]
    other: str


def _install(plane: ControlPlane, api: httpx.Client, *, watch: bool) -> Installed:
    """Account and roles of the chart under names of their own, and no operator."""
    mark_ = uuid4().hex[:6]
    release, home, other = f"fairlead-{mark_}", f"home-{mark_}", f"other-{mark_}"
    spaces = (f"a-{mark_}", f"b-{mark_}")
    for name in (home, other, *spaces):
        api.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
    chosen = ["--set", f"watchNamespaces={{{','.join(spaces)}}}"] if watch else []
    text = template(release, home, "-s", "templates/rbac.yaml", "-s", "templates/serviceaccount.yaml", *chosen)
    plane.kubectl("apply", "-f", "-", input=text)
    return Installed(f"system:serviceaccount:{home}:{release}", home, spaces, other)


@pytest.fixture(scope="module")
def confined(control_plane: ControlPlane, api: httpx.Client, crds: None) -> Installed:
    """With `watchNamespaces`."""
    return _install(control_plane, api, watch=True)


@pytest.fixture(scope="module")
def clusterwide(control_plane: ControlPlane, api: httpx.Client, crds: None) -> Installed:
    """Without."""
    return _install(control_plane, api, watch=False)


Right = tuple[str, str, str, str]
"""(verb, API group, resource, name)"""

READ = ("get", "list", "watch")
MADE = (*READ, "create", "patch")
FULL = (*MADE, "delete")
NEEDED: set[Right] = {
    (verb, group, resource, "")
    for group, resource, verbs in (
        ("fairlead.dev", "modeldeployments", READ),
        ("fairlead.dev", "trainingjobs", READ),
        ("fairlead.dev", "modeldeployments/status", ("get", "patch")),
        ("fairlead.dev", "trainingjobs/status", ("get", "patch")),
        ("apps", "controllerrevisions", FULL),
        ("apps", "deployments", FULL),
        ("batch", "jobs", FULL),
        ("", "services", FULL),
        ("", "pods", READ),
        ("", "events", ("create", "get", "list", "patch")),
        ("", "serviceaccounts", MADE),
        ("policy", "poddisruptionbudgets", MADE),
        ("rbac.authorization.k8s.io", "rolebindings", READ),
    )
    for verb in verbs
}


def binding_rights(role: str) -> set[Right]:
    """What lets a gateway read: for where the chart cannot know the namespaces."""
    group = "rbac.authorization.k8s.io"
    return {("bind", group, "clusterroles", role), *((verb, group, "rolebindings", "") for verb in ("create", "patch"))}


def lease_rights(name: str) -> set[Right]:
    """What leader election needs, in the release's namespace."""
    group = "coordination.k8s.io"
    return {("create", group, "leases", ""), *((verb, group, "leases", name) for verb in ("get", "update", "patch"))}


def rights(api: httpx.Client, user: str, namespace: str) -> set[Right]:
    """All that RBAC grants to a service account in a namespace, as the API server itself works it out."""
    headers = {"Impersonate-User": user, "Impersonate-Group": "system:authenticated"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    answer = api.post(path, headers=headers, json={"spec": {"namespace": namespace}}).raise_for_status().json()
    return {
        (verb, group, resource, name)
        for rule in answer["status"]["resourceRules"]
        for verb in rule["verbs"]
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
        for name in rule.get("resourceNames") or ("",)
    }


def granted(api: httpx.Client, installed: Installed, namespace: str) -> set[Right]:
    """What the chart grants: less what every account has."""
    anyone = rights(api, f"system:serviceaccount:{installed.other}:nobody", namespace)
    return rights(api, installed.account, namespace) - anyone


def test_in_the_watched_namespaces_the_operator_has_exactly_the_rights_it_needs_and_elsewhere_none(
    confined: Installed, api: httpx.Client
) -> None:
    for namespace in confined.namespaces:
        assert granted(api, confined, namespace) == NEEDED
    assert granted(api, confined, confined.release_namespace) == lease_rights("fairlead")
    for namespace in (confined.other, "default", "kube-system"):
        assert granted(api, confined, namespace) == set()


def test_with_all_namespaces_the_rights_are_the_same_everywhere(clusterwide: Installed, api: httpx.Client) -> None:
    needed = NEEDED | binding_rights(f"{clusterwide.account.rpartition(':')[2]}-gateway")
    for namespace in (*clusterwide.namespaces, clusterwide.other, "kube-system"):
        assert granted(api, clusterwide, namespace) == needed
    assert granted(api, clusterwide, clusterwide.release_namespace) == needed | lease_rights("fairlead")


GATEWAY_READS = {
    (verb, group, resource, "")
    for group, resource in (("fairlead.dev", "modeldeployments"), ("discovery.k8s.io", "endpointslices"))
    for verb in READ
}


def test_a_gateway_reads_two_kinds_in_its_own_namespace_and_no_other(confined: Installed, api: httpx.Client) -> None:
    for namespace in confined.namespaces:
        account = f"system:serviceaccount:{namespace}:fairlead-gateway"
        gateway = Installed(account, confined.release_namespace, confined.namespaces, confined.other)
        assert granted(api, gateway, namespace) == GATEWAY_READS
        for elsewhere in {*confined.namespaces, confined.other} - {namespace}:
            assert granted(api, gateway, elsewhere) == set()


def test_the_operator_binds_the_gateway_s_role_to_it_and_no_other_role(
    clusterwide: Installed, api: httpx.Client, control_plane: ControlPlane
) -> None:
    release = clusterwide.account.rpartition(":")[2]
    namespace = clusterwide.namespaces[0]
    headers = {"Impersonate-User": clusterwide.account, "Impersonate-Group": "system:authenticated"}
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    subject = {"kind": "ServiceAccount", "name": "fairlead-gateway", "namespace": namespace}

    def bind(name: str, role: str) -> int:
        body = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }
        return api.post(path, headers=headers, json=body).status_code

    assert bind("other", "cluster-admin") == bind("node", "system:node") == 403
    assert bind("gateway", f"{release}-gateway") == 201
    gateway = Installed(
        f"system:serviceaccount:{namespace}:fairlead-gateway", release, clusterwide.namespaces, clusterwide.other
    )
    eventually("the gateway reads", lambda: granted(api, gateway, namespace) == GATEWAY_READS, seconds=10)
    assert granted(api, gateway, clusterwide.namespaces[1]) == set()


def test_what_a_gateway_may_read_is_kept_when_the_chart_is_uninstalled() -> None:
    for chosen, kinds in (((), {"ClusterRole"}), (("--set", "watchNamespaces={a,b}"), {"Role", "RoleBinding"})):
        documents = list(yaml.safe_load_all(template("fairlead", "home", "-s", "templates/rbac.yaml", *chosen)))
        kept = [item for item in documents if item["metadata"]["name"] == "fairlead-gateway"]
        assert {item["kind"] for item in kept} == kinds
        assert {item["metadata"]["annotations"]["helm.sh/resource-policy"] for item in kept} == {"keep"}


def test_a_policy_for_gateways_needs_namespaces_to_be_made_in() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        template("fairlead", "home", "--set", "gateway.networkPolicy.enabled=true")
    assert "gateway.networkPolicy.namespaces: expected the namespaces" in caught.value.stderr


VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "*")


def may(api: httpx.Client, user: str, **attributes: str) -> bool:
    """The answer of a SubjectAccessReview."""
    groups = ["system:serviceaccounts", "system:authenticated"]
    spec = {"user": user, "groups": groups, "resourceAttributes": attributes}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(api.post(path, json={"spec": spec}).raise_for_status().json()["status"]["allowed"])


@pytest.mark.parametrize("variant", ["confined", "clusterwide"])
def test_there_is_not_one_verb_on_secrets_logs_roles_or_crds(
    variant: str, request: pytest.FixtureRequest, api: httpx.Client
) -> None:
    installed: Installed = request.getfixturevalue(variant)
    spaces = (installed.namespaces[0], installed.release_namespace, installed.other, "")
    never = (
        {"resource": "secrets"},
        {"resource": "configmaps"},
        {"resource": "serviceaccounts", "subresource": "token"},
        {"resource": "pods", "subresource": "log"},
        {"resource": "pods", "subresource": "exec"},
        {"resource": "namespaces"},
        {"group": "rbac.authorization.k8s.io", "resource": "roles"},
        {"group": "apiextensions.k8s.io", "resource": "customresourcedefinitions"},
    )
    asked = [{**what, "verb": verb, "namespace": space} for what in never for verb in VERBS for space in spaces]
    assert [what for what in asked if may(api, installed.account, **what)] == []
    # The question itself is put right: what is granted is found so.
    assert may(api, installed.account, verb="list", resource="pods", namespace=installed.namespaces[0])


TRAINING = {
    "kind": "TrainingJob",
    "metadata": {"name": "job"},
    "spec": {"container": {"image": "registry.example/t:1"}, "register": {"model": "m", "alias": "a"}},
}
SERVING = {
    "kind": "ModelDeployment",
    "metadata": {"name": "web"},
    "spec": {"container": {"image": "registry.example/web:1"}},
}
LOST = {"kind": "ModelDeployment", "metadata": {"name": "lost"}, "spec": {"model": {"name": "lost", "version": "1"}}}
"""Its warning is an event."""


def test_with_the_rights_of_the_chart_the_operator_does_its_work_in_the_watched_namespaces_and_nothing_elsewhere(
    confined: Installed, control_plane: ControlPlane, api: httpx.Client, mlflow: Mlflow, tmp_path: Path
) -> None:
    since = mark(control_plane.audit_log)
    rules = [{"namespaces": ["*"], "models": ["*"]}]
    operator = OperatorProcess.start(
        control_plane,
        tmp_path,
        user=confined.account,
        group="system:serviceaccounts",
        namespace=confined.release_namespace,
        settings={
            "watchNamespaces": list(confined.namespaces),
            "lease": SHORT_LEASE,
            "registry": {"url": mlflow.url, "allow": rules},
        },
    )
    try:
        everywhere = [Objects(api, name) for name in (*confined.namespaces, confined.other)]
        for objects in everywhere:
            for manifest in (TRAINING, SERVING, LOST):
                objects.create(manifest)
        *watched, other = everywhere
        for objects in watched:
            eventually("its Job", lambda objects=objects: objects.names("Job"), seconds=30)
            eventually("its Service", lambda objects=objects: "web" in objects.names("Service"), seconds=30)
            eventually("an event", lambda objects=objects: _events(api, objects.namespace), seconds=30)
        assert other.workload_names() == other.names("Job") == []
        assert "status" not in other.get("ModelDeployment", "web")
    finally:
        operator.kill()
    asked = [item for item in requests(control_plane.audit_log, since) if item.user == confined.account]
    assert asked
    refused = {(item.verb, item.resource, item.subresource, item.namespace) for item in asked if item.code == 403}
    assert refused == set()
    spaces = {*confined.namespaces, confined.release_namespace}
    assert {item.namespace for item in asked if item.resource and item.namespace} <= spaces


def _events(api: httpx.Client, namespace: str) -> list[Any]:
    return list(api.get(f"/api/v1/namespaces/{namespace}/events").raise_for_status().json()["items"])
