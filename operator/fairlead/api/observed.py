"""What Fairlead reads of objects that Kubernetes' own controllers keep: parsed once, missing parts as their default."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairlead.api.manifests import Manifest
from fairlead.api.names import ANNOTATION_QUARANTINE, ANNOTATION_ROLE, LABEL_REVISION

_TEXT_LIMIT = 1024


def clean_text(text: str, limit: int = _TEXT_LIMIT) -> str:
    """The last `limit` characters, without control characters but the line feed: a user's process may have said it."""
    kept = "".join(char for char in text if char == "\n" or char.isprintable()).strip()
    return kept[-limit:]


def parse_time(text: str | None) -> datetime | None:
    """An RFC 3339 time of the API server."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """One container of a pod. `exit_*` speak of its latest exit, if it ever exited."""

    name: str
    running: bool
    restarts: int
    waiting_reason: str
    waiting_message: str
    exit_code: int | None
    exit_reason: str
    exit_message: str
    image_id: str
    started: datetime | None = None
    finished: datetime | None = None
    memory_limit: str = ""

    @property
    def exits(self) -> int:
        """How often it has exited: each restart followed one, and one more when it is down after an exit."""
        return self.restarts + (1 if not self.running and self.exit_code is not None else 0)


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """A pod of a revision or of a Job."""

    name: str
    revision: str
    phase: str
    ready: bool
    deleting: bool
    created: datetime | None
    scheduled: datetime | None
    """When it got its node; None while it has none."""
    unschedulable: str
    message: str
    containers: tuple[ObservedContainer, ...]


@dataclass(frozen=True, slots=True)
class ObservedWorkload:
    """A Deployment. `ready` counts only when the controller has seen the latest spec (`current`)."""

    name: str
    current: bool
    replicas: int
    ready: int
    refusal: str
    wanted: int = 1
    """What its spec asks for."""


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """A Job."""

    name: str
    uid: str
    active: int
    suspended: bool
    suspended_since: datetime | None
    complete: bool
    failed: bool
    failure: str
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class ObservedRevision:
    """A ControllerRevision: inputs and rendered pod template never change."""

    name: str
    number: int
    role: str
    inputs: Mapping[str, Any]
    template: Manifest
    quarantine: str = ""
    """Why it is not tried again, in one word."""


def _container(status: Mapping[str, Any], limits: Mapping[str, Mapping[str, Any]]) -> ObservedContainer:
    state = status.get("state") or {}
    exit_state = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    waiting = state.get("waiting") or {}
    return ObservedContainer(
        name=status.get("name", ""),
        running="running" in state,
        restarts=status.get("restartCount", 0),
        waiting_reason=waiting.get("reason", ""),
        waiting_message=clean_text(waiting.get("message", "")),
        exit_code=exit_state.get("exitCode"),
        exit_reason=exit_state.get("reason", ""),
        exit_message=clean_text(exit_state.get("message", "")),
        image_id=status.get("imageID", ""),
        started=parse_time((state.get("running") or exit_state).get("startedAt")),
        finished=parse_time(None if "running" in state else exit_state.get("finishedAt")),
        memory_limit=str(limits.get(status.get("name", ""), {}).get("memory", "")),
    )


def parse_pod(body: Mapping[str, Any]) -> ObservedPod:
    """A Pod."""
    meta, status = body["metadata"], body.get("status") or {}
    conditions = {item["type"]: item for item in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled", {})
    waits = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    declared = (body.get("spec") or {}).get("containers") or ()
    limits = {item["name"]: (item.get("resources") or {}).get("limits") or {} for item in declared}
    states = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return ObservedPod(
        name=meta["name"],
        revision=(meta.get("labels") or {}).get(LABEL_REVISION, ""),
        phase=status.get("phase", "Pending"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        deleting="deletionTimestamp" in meta,
        created=parse_time(meta.get("creationTimestamp")),
        scheduled=parse_time(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None,
        unschedulable=clean_text(scheduled.get("message", "")) if waits else "",
        message=clean_text(status.get("message", "")),
        containers=tuple(_container(item, limits) for item in states),
    )


def parse_workload(body: Mapping[str, Any]) -> ObservedWorkload:
    """A Deployment."""
    meta, status = body["metadata"], body.get("status") or {}
    refusals = [
        clean_text(item.get("message", ""))
        for item in status.get("conditions") or ()
        if item["type"] == "ReplicaFailure" and item["status"] == "True"
    ]
    return ObservedWorkload(
        name=meta["name"],
        current=status.get("observedGeneration", 0) >= meta.get("generation", 0),
        replicas=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        refusal=refusals[0] if refusals else "",
        wanted=(body.get("spec") or {}).get("replicas", 1),
    )


def parse_job(body: Mapping[str, Any]) -> ObservedJob:
    """A Job."""
    meta, status = body["metadata"], body.get("status") or {}
    holds = {item["type"]: item for item in status.get("conditions") or () if item["status"] == "True"}
    failure = holds.get("Failed", {})
    return ObservedJob(
        name=meta["name"],
        uid=meta["uid"],
        active=status.get("active", 0),
        suspended=bool((body.get("spec") or {}).get("suspend")),
        suspended_since=parse_time(holds.get("Suspended", {}).get("lastTransitionTime")),
        complete="Complete" in holds,
        failed="Failed" in holds,
        failure=clean_text(f"{failure.get('reason', '')}: {failure.get('message', '')}") if failure else "",
        started=parse_time(status.get("startTime")),
        finished=parse_time(status.get("completionTime") or failure.get("lastTransitionTime")),
    )


def parse_revision(body: Mapping[str, Any]) -> ObservedRevision:
    """A ControllerRevision that Fairlead wrote."""
    meta, data = body["metadata"], body.get("data") or {}
    return ObservedRevision(
        name=meta["name"],
        number=body.get("revision", 0),
        role=(meta.get("annotations") or {}).get(ANNOTATION_ROLE, ""),
        inputs=data.get("inputs") or {},
        template=data.get("template") or {},
        quarantine=(meta.get("annotations") or {}).get(ANNOTATION_QUARANTINE, ""),
    )


def _controller(body: Mapping[str, Any]) -> Mapping[str, Any]:
    references = body["metadata"].get("ownerReferences") or ()
    return next((item for item in references if item.get("controller")), {})


def owner_uid(body: Mapping[str, Any]) -> str:
    """The UID of the object's controller; empty when it has none."""
    return str(_controller(body).get("uid", ""))


def controller_kind(body: Mapping[str, Any]) -> str:
    """The kind of the object's controller; empty when it has none: somebody made it by hand."""
    return str(_controller(body).get("kind", ""))
