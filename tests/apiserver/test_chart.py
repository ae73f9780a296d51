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
    """The Prometheus operator's own definitions of ServiceMonitor and PodMonitor."""
    folder = module_files("prometheus-operator", PROMETHEUS_OPERATOR) / "example" / "prometheus-operator-crd"
    files = [str(folder / f"monitoring.coreos.com_{kind}.yaml") for kind in ("servicemonitors", "podmonitors")]
    chosen = [part for file in files for part in ("-f", file)]
    control_plane.kubectl("apply", "--server-side", *chosen)
    control_plane.kubectl("wait", *chosen, "--for=condition=Established", "--timeout=10s")
    wanted = {"servicemonitors.monitoring.coreos.com", "podmonitors.monitoring.coreos.com"}
    eventually(
        "both kinds are served",
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


def test_the_example_pod_monitor_is_one(
    control_plane: ControlPlane, team_namespaces: None, monitoring_crds: None
) -> None:
    text = (REPOSITORY / "examples" / "platform" / "podmonitor.yaml").read_text()
    assert dry_run(control_plane, text) == [
        "podmonitor.monitoring.coreos.com/fairlead-serving created (server dry run)"
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
FULL = (*READ, "create", "patch", "delete")
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
    )
    for verb in verbs
}


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
    for namespace in (*clusterwide.namespaces, clusterwide.other, "kube-system"):
        assert granted(api, clusterwide, namespace) == NEEDED
    assert granted(api, clusterwide, clusterwide.release_namespace) == NEEDED | lease_rights("fairlead")


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
        assert other.names("Deployment") == other.names("Job") == []
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
