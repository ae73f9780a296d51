"""Small builders: custom resources and children as the API server shows them, and the worlds gathered from them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fairlead.api.model_deployment import ModelDeploymentSpec, ResolvedModel
from fairlead.api.names import GATEWAY, LABEL_MODEL_DEPLOYMENT, LABEL_REVISION, attempt_name, revision_name
from fairlead.api.observed import (
    ObservedJob,
    ObservedWorkload,
    owner_uid,
    parse_job,
    parse_pod,
    parse_revision,
    parse_time,
    parse_workload,
)
from fairlead.api.resource import Meta, parse_meta, parse_model_deployment, parse_training_job
from fairlead.api.training_job import RunStatus
from fairlead.core.compare import digest_of, stamped
from fairlead.core.effects import ObjectRef
from fairlead.core.gateway import is_gateway_object
from fairlead.core.world import (
    Allowed,
    Child,
    Children,
    GatewayFacts,
    GatewayWorld,
    Registering,
    RegistryFacts,
    RegistryProblem,
    Report,
    ServingWorld,
    TrainingWorld,
    Unanswered,
)
from fairlead.render.defaults import GatewayDefaults, RenderDefaults
from fairlead.render.gateway import render_gateway
from fairlead.render.registering import render_registering_job
from fairlead.render.serving import render_revision, render_template, render_workload, revision_inputs

Body = dict[str, Any]

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
UID = "11111111-2222-3333-4444-555555555555"
JOB_UID = "99999999-2222-3333-4444-555555555555"
REGISTERING_UID = "88888888-2222-3333-4444-555555555555"
DEFAULTS = RenderDefaults(
    serving_image="example/serving:1", image_pull_policy="IfNotPresent", registry_pod_url="http://mlflow:5000"
)
GATEWAY_DEFAULTS = GatewayDefaults(
    image="example/gateway:1",
    image_pull_policy="IfNotPresent",
    replicas=2,
    resources={"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}},
    cluster_role="fairlead-gateway",
    binds=True,
    evidence_subject="system:serviceaccount:fairlead:fairlead",
)
GRACE_SECONDS = 30.0
PORT = 10000


def stamp(moment: datetime) -> str:
    """A time as the API server writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _resource(kind: str, name: str, spec: Mapping[str, Any], status: Mapping[str, Any] | None, deleting: bool) -> Body:
    meta: Body = {"name": name, "namespace": "team", "uid": UID, "generation": 1, "resourceVersion": "1"}
    if deleting:
        meta["deletionTimestamp"] = stamp(NOW)
    body: Body = {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": dict(spec)}
    return body | ({"status": dict(status)} if status is not None else {})


def serving_body(
    *, name: str = "churn", status: Mapping[str, Any] | None = None, deleting: bool = False, **spec: Any
) -> Body:
    """A ModelDeployment; of one container when `spec` names neither a model nor a container."""
    if not spec.keys() & {"model", "container"}:
        spec["container"] = {"image": "example/churn:1"}
    return _resource("ModelDeployment", name, spec, status, deleting)


def training_body(
    *, name: str = "fit", status: Mapping[str, Any] | None = None, deleting: bool = False, **spec: Any
) -> Body:
    """A TrainingJob that registers the model `churn`."""
    full = {"container": {"image": "example/fit:1"}, "register": {"model": "churn"}, **spec}
    return _resource("TrainingJob", name, full, status, deleting)


def child_of(resource: Body, manifest: Mapping[str, Any], *, uid: str = "", ours: bool = True) -> Body:
    """The manifest as a child that the API server keeps; a foreign one has another owner."""
    kind, meta = manifest["kind"], dict(manifest["metadata"])
    owners = [{"uid": resource["metadata"]["uid"] if ours else "someone-else", "controller": True}]
    meta |= {
        "uid": uid or f"uid-{kind}-{meta['name']}".lower(),
        "namespace": "team",
        "generation": 1,
        "ownerReferences": meta.get("ownerReferences", owners) if ours else owners,
    }
    return {**manifest, "metadata": meta}


def _children(resource: Body, objects: Iterable[Body]) -> dict[ObjectRef, Child]:
    uid = resource["metadata"]["uid"]
    return {
        ObjectRef(item["kind"], item["metadata"]["name"]): Child(item, item["metadata"]["uid"], owner_uid(item) == uid)
        for item in objects
        if item["kind"] != "Pod"
    }


def _ours(children: Children, kind: str) -> list[Body]:
    return [dict(child.manifest) for ref, child in children.items() if child.ours and ref.kind == kind]


def serving_world(
    body: Body,
    objects: Sequence[Body] = (),
    *,
    model: ResolvedModel | RegistryProblem | Unanswered | None = None,
    now: datetime = NOW,
    **changes: Any,
) -> ServingWorld:
    """The world of a ModelDeployment with these children and pods; `changes` are further fields of the world.

    Its gateway is ready and serves what the status says.
    """
    children = _children(body, objects)
    written = (body.get("status") or {}).get("traffic") or {}
    report = Report(written.get("generation", 0), written.get("epoch", 0))
    fields: dict[str, Any] = {
        "defaults": DEFAULTS,
        "allowed": Allowed(),
        "retirement_grace_seconds": GRACE_SECONDS,
        "epoch": 1,
        "port": PORT,
        "gateway": gateway_facts(report),
        **changes,
    }
    return ServingWorld(
        resource=parse_model_deployment(body),
        children=children,
        revisions=tuple(parse_revision(item) for item in _ours(children, "ControllerRevision")),
        workloads={item["metadata"]["name"]: parse_workload(item) for item in _ours(children, "Deployment")},
        pods=tuple(parse_pod(item) for item in objects if item["kind"] == "Pod"),
        model=model,
        now=now,
        **fields,
    )


def gateway_facts(report: Report | None = None, *, ready: int = 2, of: int = 2, **changes: Any) -> GatewayFacts:
    """A gateway with so many ready pods, each of which tells the same; `changes` are further fields of the facts."""
    pods = tuple(parse_pod(pod_body(name=f"gateway-{number}", ready=number < ready)) for number in range(of))
    workload = ObservedWorkload(GATEWAY, current=True, replicas=of, ready=ready, refusal="")
    told = {pod.name: report for pod in pods if pod.ready and report}
    return GatewayFacts(**{"workload": workload, "pods": pods, "reports": told, **changes})


def gateway_world(*owners: Meta, objects: Sequence[Body] = (), **changes: Any) -> GatewayWorld:
    """The world of a gateway with these objects; of one ModelDeployment, `churn`, when no owner is named."""
    children = {
        ObjectRef(item["kind"], item["metadata"]["name"]): Child(item, item["metadata"]["uid"], is_gateway_object(item))
        for item in objects
    }
    owners = owners or (parse_meta(serving_body()),)
    return GatewayWorld(
        **{"namespace": "team", "owners": owners, "children": children, "defaults": GATEWAY_DEFAULTS, **changes}
    )


def owner(name: str, uid: str) -> Meta:
    """A ModelDeployment that needs a gateway."""
    return Meta(name, "team", uid, 1, deleting=False)


def gateway_objects(*owners: Meta, defaults: GatewayDefaults = GATEWAY_DEFAULTS) -> list[Body]:
    """The gateway's objects as the API server keeps them."""
    made = render_gateway("team", owners or (parse_meta(serving_body()),), defaults)
    return [{**item, "metadata": {**item["metadata"], "uid": f"uid-{item['kind']}"}} for item in map(stamped, made)]


def _registering(job: ObservedJob | None, pods: Sequence[Body]) -> Registering | None:
    if job is None:
        return None
    return Registering(job, tuple(parse_pod(item) for item in pods if owner_uid(item) == job.uid))


def training_world(
    body: Body,
    objects: Sequence[Body] = (),
    *,
    registry: RegistryFacts | RegistryProblem | None = None,
    now: datetime = NOW,
    **changes: Any,
) -> TrainingWorld:
    """The world of a TrainingJob with this Job and these pods; `changes` are further fields of the world."""
    children = _children(body, objects)
    present = attempt_name(body["metadata"]["name"], max(1, (body.get("status") or {}).get("attempt", 0)))
    ours = {item["metadata"]["name"]: parse_job(item) for item in _ours(children, "Job")}
    jobs = {False: ours.get(present), True: ours.get(f"{present}-register")}
    pods = [item for item in objects if item["kind"] == "Pod"]
    fields: dict[str, Any] = {
        "defaults": DEFAULTS,
        "allowed": Allowed(),
        "operator_id": "operator-1",
        "epoch": 1,
        "registering": _registering(jobs.get(True), pods),
        **changes,
    }
    return TrainingWorld(
        resource=parse_training_job(body),
        children=children,
        job=jobs.get(False),
        pods=tuple(parse_pod(item) for item in pods if jobs.get(True) is None or owner_uid(item) != jobs[True].uid),
        registry=registry or RegistryFacts(),
        now=now,
        **fields,
    )


def revision_of(body: Body, model: ResolvedModel | None = None) -> str:
    """Name of the revision that a ModelDeployment's spec asks for."""
    spec = ModelDeploymentSpec.model_validate(body["spec"])
    return revision_name(body["metadata"]["name"], digest_of(revision_inputs(spec, model)))


def revision_children(
    body: Body,
    *,
    model: ResolvedModel | None = None,
    role: str = "stable",
    number: int = 1,
    ready: int = 0,
    status: Mapping[str, Any] | None = None,
) -> list[Body]:
    """ControllerRevision and Deployment of the revision that the spec asks for, in step with the operator's own."""
    resource = parse_model_deployment(body)
    meta, spec, name = resource.meta, resource.spec, revision_of(body, model)
    template = render_template(meta, spec, model, revision=name, defaults=DEFAULTS)
    inputs = revision_inputs(spec, model)
    stored = render_revision(meta, name=name, number=number, role=role, inputs=inputs, template=template)
    workload = child_of(body, stamped(render_workload(meta, revision=name, replicas=spec.replicas, template=template)))
    counts = {"observedGeneration": 1, "replicas": spec.replicas, "readyReplicas": ready}
    return [child_of(body, stamped(stored)), {**workload, "status": {**counts, **(status or {})}}]


def container_status(
    name: str = "model",
    *,
    exit_code: int | None = None,
    exit_reason: str = "Error",
    exit_message: str = "",
    restarts: int = 0,
    waiting: str = "",
    waiting_message: str = "",
    image_id: str = "",
    again: bool = False,
    started: datetime | None = None,
    finished: datetime | None = None,
) -> Body:
    """A container that runs, waits (`waiting` is the reason), has exited, or runs `again` after an exit."""
    status: Body = {"name": name, "restartCount": restarts, "imageID": image_id}
    begun = {"startedAt": stamp(started)} if started else {}
    end: Body = {"exitCode": exit_code, "reason": exit_reason, "message": exit_message, **begun}
    exited = {"terminated": end | ({"finishedAt": stamp(finished)} if finished else {})}
    if waiting:
        status["state"] = {"waiting": {"reason": waiting, "message": waiting_message}}
        return status | ({"lastState": exited} if exit_code is not None else {})
    if again:
        return {**status, "state": {"running": begun}, "lastState": exited}
    status["state"] = exited if exit_code is not None else {"running": begun}
    return status


def pod_body(
    revision: str = "",
    *containers: Body,
    name: str = "pod-1",
    phase: str = "Running",
    ready: bool = False,
    unschedulable: str = "",
    scheduled: datetime | None = None,
    created: datetime | None = NOW,
    deleting: bool = False,
    message: str = "",
    owner: str = "",
) -> Body:
    """A pod of a revision, or of the Job with the UID `owner`."""
    labels = {LABEL_MODEL_DEPLOYMENT: "churn", LABEL_REVISION: revision} if revision else {}
    meta: Body = {"name": name, "namespace": "team", "uid": f"uid-{name}", "labels": labels}
    if created:
        meta["creationTimestamp"] = stamp(created)
    if deleting:
        meta["deletionTimestamp"] = stamp(NOW)
    if owner:
        meta["ownerReferences"] = [{"kind": "Job", "uid": owner, "controller": True}]
    elif revision:
        meta["ownerReferences"] = [{"kind": "ReplicaSet", "uid": f"uid-of-{revision}", "controller": True}]
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    if unschedulable:
        waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": unschedulable}
        conditions.append(waits)
    if scheduled:
        conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(scheduled)})
    status: Body = {"phase": phase, "conditions": conditions, "containerStatuses": list(containers)}
    return {"kind": "Pod", "metadata": meta, "status": status | ({"message": message} if message else {})}


def job_body(
    resource: Body,
    *,
    ended: str = "",
    reason: str = "BackoffLimitExceeded",
    ours: bool = True,
    attempt: int = 1,
    suspended: bool = False,
) -> Body:
    """The Job of an attempt; `ended` is Complete, Failed or empty."""
    name = f"{resource['metadata']['name']}-{attempt}"
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"suspend": suspended}}
    body = child_of(resource, manifest, uid=JOB_UID, ours=ours)
    body["status"] = {"startTime": stamp(NOW), "active": 0 if ended else 1}
    if ended:
        said = {"type": ended, "status": "True", "reason": reason, "message": "said so"}
        body["status"]["conditions"] = [said | {"lastTransitionTime": stamp(NOW)}]
    return body


def registering_job_body(
    resource: Body,
    *,
    run_id: str = "run-1",
    model_id: str = "m-1",
    ended: str = "",
    at: datetime = NOW,
    ours: bool = True,
    defaults: RenderDefaults = DEFAULTS,
) -> Body:
    """The registering Job of the first attempt, as the operator makes it; it ended `at`."""
    parsed = parse_training_job(resource)
    manifest = render_registering_job(
        parsed.meta, parsed.spec, run=RunStatus(id=run_id), model_id=model_id, attempt=1, defaults=defaults
    )
    body = child_of(resource, stamped(manifest), uid=REGISTERING_UID, ours=ours)
    body["status"] = {"startTime": stamp(NOW), "active": 0 if ended else 1}
    if ended:
        said = {"type": ended, "status": "True", "reason": "BackoffLimitExceeded", "message": "said so"}
        body["status"]["conditions"] = [said | {"lastTransitionTime": stamp(at)}]
        body["status"] |= {"completionTime": stamp(at)} if ended == "Complete" else {}
    return body


def moment(text: str) -> datetime:
    """An RFC 3339 time that must be one."""
    found = parse_time(text)
    assert found is not None
    return found
