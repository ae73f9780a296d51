"""What the doctor looks at, and what becomes of an answer that it may not have."""

import json
from typing import Any

import httpx
from tests.unit.cli.plugin.fake_api import FakeApi
from tests.unit.cli.plugin.statuses import condition, rolled_back, status

from fairlead.api.crd import KINDS, render_crd
from fairlead.cli.plugin.rights import needed_rights

APPS = "/apis/apps/v1"
OPERATOR: dict[str, Any] = {
    "metadata": {"name": "fairlead", "namespace": "ops"},
    "spec": {"replicas": 1, "template": {"spec": {"serviceAccountName": "robot"}}},
    "status": {"readyReplicas": 1},
}
LEASE = {"spec": {"holderIdentity": "b-1", "renewTime": "2026-05-04T11:59:58.000000Z", "leaseDurationSeconds": 15}}
METRICS = 'fairlead_dependency_up{dependency="mlflow"} 1.0\nfairlead_dependency_up{dependency="prometheus"} 1.0\n'
DATE = {"Date": "Mon, 04 May 2026 12:00:00 GMT"}


def well(request: httpx.Request) -> httpx.Response | None:
    """A cluster on which all is as it should be."""
    path = request.url.path
    found: dict[str, Any] = {
        "/version": {"gitVersion": "v1.36.3"},
        f"{APPS}/deployments": {"items": [OPERATOR]},
        "/apis/coordination.k8s.io/v1/namespaces/ops/leases/fairlead": LEASE,
        "/api/v1/namespaces/ops/pods": {"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]},
    }
    for kind in KINDS:
        crd = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind.plural}.fairlead.dev"
        found[crd] = render_crd(kind)
    if path == "/api/v1/namespaces/ops/pods/b:8080/proxy/metrics":
        return httpx.Response(200, text=METRICS)
    if path.endswith("/subjectaccessreviews"):
        return httpx.Response(201, json={"status": {"allowed": True}})
    return httpx.Response(200, json=found[path], headers=DATE) if path in found else None


def told(output: str) -> dict[str, str]:
    """What is checked -> its sign."""
    lines = [line for line in output.splitlines() if line.startswith("[")]
    return {line.partition("] ")[2].partition(":")[0]: line.partition("]")[0] + "]" for line in lines}


CHECKED = {
    "API server",
    "CRD modeldeployments",
    "CRD trainingjobs",
    "operator",
    "Lease fairlead",
    "operator's rights",
    "mlflow, as the operator sees it",
    "prometheus, as the operator sees it",
    "model of md/churn",
    "gateway of md/churn",
}


def test_where_all_is_well_everything_is_ticked_and_the_doctor_ends_with_0() -> None:
    api = FakeApi([status()], other=well)
    done = api.run("doctor")
    assert (done.exit_code, told(done.stdout)) == (0, dict.fromkeys(CHECKED, "[ok]")), done.output
    reviews = [json.loads(item.content)["spec"] for item in api.requests if item.method == "POST"]
    assert len(reviews) == sum(1 for _ in needed_rights())
    assert {item["user"] for item in reviews} == {"system:serviceaccount:ops:robot"}
    assert {item["resourceAttributes"]["namespace"] for item in reviews} == {"team"}


def test_a_failure_ends_with_1_and_says_what_to_do() -> None:
    said = rolled_back(conditions=[condition("ModelResolved", "False", "RegistryForbidden", "HTTP 403")])
    done = FakeApi([said], other=well).run("doctor")
    assert done.exit_code == 1
    assert "[FAIL] model of md/churn: churn in the registry: RegistryForbidden: HTTP 403" in done.stdout
    assert "    Add the host to MLflow's --allowed-hosts, or correct the credentials." in done.stdout


def test_what_may_not_be_looked_at_is_no_failure() -> None:
    api = FakeApi([status()])

    def closed(request: httpx.Request) -> httpx.Response | None:
        mine = request.url.path == "/version" or "modeldeployments" in request.url.path.rpartition("/")[2]
        if mine and "fairlead.dev" not in request.url.path.rpartition("/")[2]:
            return well(request)
        return httpx.Response(403, json={"message": "forbidden"})

    api.other = closed
    done = api.run("doctor")
    signs = told(done.stdout)
    assert done.exit_code == 0, done.output
    assert {what for what, sign in signs.items() if sign == "[?]"} == CHECKED - {
        "API server",
        "model of md/churn",
        "gateway of md/churn",
    }
    looked = [item.url.path for item in api.requests]
    assert f"{APPS}/namespaces/fairlead-system/deployments" in looked


def test_an_api_server_that_is_down_is_the_only_thing_told() -> None:
    done = FakeApi([status()], other=lambda _: httpx.Response(503, json={"message": "etcd"})).run("doctor")
    assert (done.exit_code, told(done.stdout)) == (1, {"API server": "[FAIL]"})
