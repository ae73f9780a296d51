"""Gathers what the doctor's checks look at. Whatever the user may not see becomes an answer that says so."""

from email.utils import parsedate_to_datetime
from typing import Any

from fairlead.api.crd import KINDS
from fairlead.api.kinds import BY_KIND, LEASE, MODEL_DEPLOYMENT
from fairlead.api.names import GROUP
from fairlead.api.resource import parse_model_deployment
from fairlead.cli.plugin.checks import (
    Answer,
    Check,
    check_api,
    check_crd,
    check_dependencies,
    check_gateway,
    check_lease,
    check_model,
    check_operator,
    check_rights,
    unseen,
)
from fairlead.cli.plugin.cluster import UserCluster
from fairlead.cli.plugin.rights import needed_rights
from fairlead.errors import RetryLater

_SELECTOR = "app.kubernetes.io/name=fairlead,app.kubernetes.io/component=operator"
_USUAL_NAMESPACE = "fairlead-system"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_METRICS_PORT = 8080
_TEXT_LIMIT = 300


async def look(cluster: UserCluster, path: str, *, body: Any = None, selector: str = "") -> Answer:
    """One request. An answer in any case."""
    try:
        response = await cluster.request("GET" if body is None else "POST", path, body=body, selector=selector)
    except RetryLater as error:
        return Answer(0, {}, str(error))
    date = response.headers.get("date")
    at = parsedate_to_datetime(date) if date else None
    try:
        found = response.json()
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        found = {}
    text = str(found.get("message", "")) if found else response.text
    return Answer(response.status_code, found, text if response.is_success else text[:_TEXT_LIMIT], at)


async def examine(cluster: UserCluster, operator_namespace: str, lease: str) -> list[Check]:
    """All checks, in the order in which one leans on the other."""
    api = check_api(cluster.server, await look(cluster, "/version"))
    if not api.passed:
        return [api]
    crds = [check_crd(kind, await look(cluster, f"{_CRDS}/{kind.plural}.{GROUP}")) for kind in KINDS]
    return [api, *crds, *await _operator(cluster, operator_namespace, lease), *await _deployments(cluster)]


async def _operator(cluster: UserCluster, namespace: str, lease: str) -> list[Check]:
    """Its Deployment, Lease and rights, and what it sees."""
    answer = await look(cluster, BY_KIND["Deployment"].path(namespace), selector=_SELECTOR)
    if answer.code == 403 and not namespace:
        namespace = _USUAL_NAMESPACE
        answer = await look(cluster, BY_KIND["Deployment"].path(namespace), selector=_SELECTOR)
    found = answer.items[0] if answer.items else {"metadata": {}}
    namespace = str(found["metadata"].get("namespace") or namespace or _USUAL_NAMESPACE)
    held = await look(cluster, LEASE.path(namespace, lease))
    return [
        check_operator(namespace, answer),
        check_lease(lease, held),
        await _rights(cluster, namespace, found),
        *check_dependencies(await _metrics(cluster, namespace, held)),
    ]


async def _rights(cluster: UserCluster, namespace: str, deployment: Any) -> Check:
    pod = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    account = pod.get("serviceAccountName")
    if not account:
        return Check("operator's rights", None, "could not look: its service account is not known")
    user = f"system:serviceaccount:{namespace}:{account}"
    answers = []
    for right in needed_rights():
        answer = await look(cluster, _REVIEWS, body=right.review(user, cluster.namespace))
        if answer.code not in (200, 201):
            return unseen("operator's rights", answer)
        answers.append((right, answer))
    return check_rights(f"{account} in {namespace}", answers)


async def _metrics(cluster: UserCluster, namespace: str, lease: Answer) -> Answer:
    """The metrics of the pod that leads: its name is the start of the Lease's holder."""
    pods = await look(cluster, BY_KIND["Pod"].path(namespace), selector=_SELECTOR)
    if pods.code != 200:
        return pods
    holder = str((lease.body.get("spec") or {}).get("holderIdentity") or "")
    names = sorted((str(item["metadata"]["name"]) for item in pods.items), key=lambda name: not holder.startswith(name))
    if not names:
        return Answer(404, {}, "The operator has no pod.")
    return await look(cluster, f"{BY_KIND['Pod'].path(namespace, names[0])}:{_METRICS_PORT}/proxy/metrics")


async def _deployments(cluster: UserCluster) -> list[Check]:
    """Of each ModelDeployment of the namespace: its model and its gateway."""
    answer = await look(cluster, MODEL_DEPLOYMENT.path(cluster.namespace))
    what = f"ModelDeployments in {cluster.namespace}"
    if answer.code != 200:
        return [unseen(what, answer)]
    found = [parse_model_deployment(item) for item in answer.items]
    checks = [check for item in found for check in (check_model(item), check_gateway(item)) if check]
    return checks or [Check(what, None, "there is none to look at")]
