"""A write that the API server refuses becomes a condition with the API server's words, and heals when it is let in."""

from collections.abc import Iterator

import httpx
import pytest
from tests.apiserver.client import Kubectl
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects, conditions, eventually
from tests.apiserver.operator_process import StartOperator
from tests.cluster import CommandError

SHOWN_SECONDS = 5.0
HEAL_SECONDS = 15.0
POLICIES = "/apis/admissionregistration.k8s.io/v1"
WORDS = "this team deploys on Mondays"
RESOURCES = {"Deployment": ("apps", "v1", "deployments"), "Job": ("batch", "v1", "jobs")}


class Policy:
    """A ValidatingAdmissionPolicy of the namespace that lets no new object of a kind in."""

    def __init__(self, api: httpx.Client, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self.name = f"mondays-{namespace}"

    def enforce(self, kind: str) -> None:
        """Write policy and binding."""
        group, version, plural = RESOURCES[kind]
        rule = {"apiGroups": [group], "apiVersions": [version], "operations": ["CREATE"], "resources": [plural]}
        where = {"matchLabels": {"kubernetes.io/metadata.name": self._namespace}}
        spec = {
            "matchConstraints": {"namespaceSelector": where, "resourceRules": [rule]},
            "validations": [{"expression": "false", "message": WORDS}],
        }
        self._post("validatingadmissionpolicies", spec)
        self._post("validatingadmissionpolicybindings", {"policyName": self.name, "validationActions": ["Deny"]})

    def _post(self, plural: str, spec: dict[str, object]) -> None:
        self._api.post(f"{POLICIES}/{plural}", json={"metadata": {"name": self.name}, "spec": spec}).raise_for_status()

    def lift(self) -> None:
        """Delete both, if they are there."""
        for plural in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            self._api.delete(f"{POLICIES}/{plural}/{self.name}")


@pytest.fixture
def policy(api: httpx.Client, namespace: str) -> Iterator[Policy]:
    """None is in force until the test says so."""
    made = Policy(api, namespace)
    yield made
    made.lift()


def refused(kubectl: Kubectl, *command: str) -> bool:
    """Whether the policy is in force by now: it takes a second or so."""
    try:
        kubectl("create", *command, "--image=registry.example/probe:1", "--dry-run=server")
    except CommandError as error:
        return WORDS in error.stderr
    return False


SERVING = {"kind": "ModelDeployment", "spec": {"container": {"image": "registry.example/web:1"}}}


def test_refused_deployments_are_told_in_the_api_servers_words_and_heal(
    start_operator: StartOperator, objects: Objects, kubectl: Kubectl, policy: Policy
) -> None:
    policy.enforce("Deployment")
    eventually("the policy", lambda: refused(kubectl, "deployment", "probe"), seconds=10)
    start_operator(concurrency=1)  # one that is refused must not hold up the other
    for name in ("web", "shop"):
        objects.create({**SERVING, "metadata": {"name": name}})

    def stalled() -> list[dict[str, str]]:
        return [conditions(item).get("Stalled", {}) for item in objects.every("ModelDeployment")]

    def told() -> list[str]:
        return [item.get("reason", "") for item in stalled()]

    eventually("Rejected", lambda: told() == ["Rejected"] * 2, seconds=SHOWN_SECONDS, shows=told)
    assert all(WORDS in item["message"] for item in stalled())
    assert objects.workload_names() == []
    policy.lift()
    eventually("two Deployments", lambda: len(objects.workload_names()) == 2, seconds=HEAL_SECONDS)
    eventually("Rejected is gone", lambda: stalled() == [{}, {}], seconds=SHOWN_SECONDS, shows=stalled)


def test_a_refused_job_is_told_in_the_api_servers_words_and_heals(
    start_operator: StartOperator, objects: Objects, kubectl: Kubectl, policy: Policy, mlflow: Mlflow
) -> None:
    policy.enforce("Job")
    eventually("the policy", lambda: refused(kubectl, "job", "probe"), seconds=10)
    start_operator(registry={"url": mlflow.url})
    spec = {"container": {"image": "registry.example/trainer:1"}, "register": {"model": objects.namespace}}
    objects.create({"kind": "TrainingJob", "metadata": {"name": "web"}, "spec": spec})

    def ready() -> dict[str, str]:
        return dict(conditions(objects.get("TrainingJob", "web")).get("Ready", {}))

    eventually("Rejected", lambda: ready().get("reason") == "Rejected", seconds=SHOWN_SECONDS, shows=ready)
    assert WORDS in ready()["message"]
    policy.lift()
    eventually("a Job", lambda: objects.names("Job") == ["web-1"], seconds=HEAL_SECONDS)
    eventually("Rejected is gone", lambda: ready().get("reason") != "Rejected", seconds=SHOWN_SECONDS, shows=ready)
