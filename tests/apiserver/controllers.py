"""Plays the Deployment and Job controllers and the kubelet, which this tier does not have, by writing their status."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.apiserver.objects import Objects, eventually

from fairlead.api.names import GATEWAY

DIGEST = "sha256:" + "0123456789abcdef" * 4


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _condition(kind: str, status: str = "True", reason: str = "Test", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": _now()}


def waiting(reason: str, message: str) -> dict[str, Any]:
    """The state of a container that the kubelet cannot start."""
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def exited(code: int, reason: str = "Error", message: str = "", *, restarts: int = 0) -> dict[str, Any]:
    """The state of a container that has ended."""
    end = {"exitCode": code, "reason": reason, "message": message, "startedAt": _now(), "finishedAt": _now()}
    return {"state": {"terminated": end}, "restartCount": restarts}


def running() -> dict[str, Any]:
    """The state of a container that runs."""
    return {"state": {"running": {"startedAt": _now()}}, "ready": True, "started": True}


class Controllers:
    """The controllers of one namespace."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def deployment_ready(self, name: str, *, ready: int | None = None) -> None:
        """The Deployment has `ready` ready pods, all that it asks for when absent, and no failure.

        So has the namespace's gateway, without which no model is ready; the operator makes it at the same time.
        """
        self._make_ready(name, ready)
        if name != GATEWAY:
            gateway = eventually("a gateway", lambda: self._objects.find("Deployment", GATEWAY), seconds=10)
            if not _is_ready({"kind": "Deployment", **gateway}):
                self._make_ready(GATEWAY, None)

    def _make_ready(self, name: str, ready: int | None) -> None:
        body = self._objects.get("Deployment", name)
        count = int(body["spec"]["replicas"]) if ready is None else ready
        status = {
            "observedGeneration": body["metadata"]["generation"],
            "replicas": count,
            "updatedReplicas": count,
            "readyReplicas": count,
            "availableReplicas": count,
            "conditions": [_condition("Available")],
        }
        self._objects.merge("Deployment", name, {"status": status}, "status")

    def deployment_refused(self, name: str, message: str) -> None:
        """The API server would not let the ReplicaSet make pods."""
        body = self._objects.get("Deployment", name)
        failure = _condition("ReplicaFailure", reason="FailedCreate", message=message)
        status = {"observedGeneration": body["metadata"]["generation"], "replicas": 0, "conditions": [failure]}
        self._objects.merge("Deployment", name, {"status": status}, "status")

    def all_ready(self) -> bool:
        """Every Deployment that is not ready becomes so; whether there was one."""
        late = [item for item in self._objects.every("Deployment") if not _is_ready(item)]
        for item in late:
            self.deployment_ready(str(item["metadata"]["name"]))
        return bool(late)

    def pod_of(self, kind: str, owner: str) -> str:
        """A pod from the template of a Deployment or Job, with the labels and the controller it would have."""
        parent = self._objects.get(kind, owner)
        template = parent["spec"]["template"]
        reference = {
            "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
            "kind": "Job" if kind == "Job" else "ReplicaSet",
            "name": owner,
            "uid": parent["metadata"]["uid"],
            "controller": True,
        }
        meta = {**template["metadata"], "generateName": f"{owner}-", "ownerReferences": [reference]}
        made = self._objects.create({"kind": "Pod", "metadata": meta, "spec": template["spec"]})
        return str(made["metadata"]["name"])

    def container(
        self, pod: str, state: Mapping[str, Any], *, phase: str = "Pending", condition: str | None = None
    ) -> None:
        """The kubelet tells how the pod's first container stands (`running()`, `waiting(...)`, `exited(...)`)."""
        body = self._objects.get("Pod", pod)
        container = body["spec"]["containers"][0]
        known = {"name": container["name"], "image": container["image"], "imageID": "", "ready": False}
        status: dict[str, Any] = {"phase": phase, "containerStatuses": [{**known, "restartCount": 0, **state}]}
        if condition:
            status["conditions"] = [_condition(condition)]
        self._objects.merge("Pod", pod, {"status": status}, "status")

    def unschedulable(self, pod: str, message: str) -> None:
        """The scheduler finds no node."""
        found = _condition("PodScheduled", "False", "Unschedulable", message)
        self._objects.merge("Pod", pod, {"status": {"phase": "Pending", "conditions": [found]}}, "status")

    def job_running(self, name: str) -> str:
        """The Job's pod runs; the pod's name."""
        pod = self.pod_of("Job", name)
        self.container(pod, running(), phase="Running")
        self._objects.merge("Job", name, {"status": {"startTime": _now(), "active": 1, "ready": 1}}, "status")
        return pod

    def job_complete(self, name: str, message: str = "") -> None:
        """The Job's pod has ended well, with these last words."""
        for pod in self._pods_of(name):
            self.container(pod, exited(0, "Completed", message), phase="Succeeded")
        status = {"active": 0, "ready": 0, "succeeded": 1, "completionTime": _now()}
        self._end(name, status, "SuccessCriteriaMet", "Complete", "CompletionsReached")

    def job_hashed(self, name: str, digest: str = DIGEST) -> None:
        """A registering Job's pod has run, and told the digest."""
        self.job_running(name)
        self.job_complete(name, json.dumps({"digest": digest}))

    def hash_if_asked(self, name: str) -> bool:
        """If there is a registering Job of this name that has not ended, it does; whether there was one."""
        job = self._objects.find("Job", name)
        if job is None or (job.get("status") or {}).get("conditions"):
            return False
        self.job_hashed(name)
        return True

    def job_failed(self, name: str, *, code: int, message: str) -> None:
        """The Job's pod has ended with an exit code and last words."""
        for pod in self._pods_of(name):
            self.container(pod, exited(code, message=message), phase="Failed")
        self._end(name, {"active": 0, "ready": 0, "failed": 1}, "FailureTarget", "Failed", "BackoffLimitExceeded")

    def _pods_of(self, job: str) -> list[str]:
        uid = self._objects.get("Job", job)["metadata"]["uid"]
        pods = self._objects.every("Pod")
        return [item["metadata"]["name"] for item in pods if item["metadata"]["ownerReferences"][0]["uid"] == uid]

    def _end(self, name: str, status: Mapping[str, Any], first: str, last: str, reason: str) -> None:
        """A Job ends in two steps: its fate is sealed, then its pods are gone."""
        sealed = _condition(first, reason=reason)
        self._objects.merge("Job", name, {"status": {"conditions": [sealed]}}, "status")
        ended = [sealed, _condition(last, reason=reason, message=f"Job has {last.lower()}")]
        self._objects.merge("Job", name, {"status": {**status, "conditions": ended}}, "status")


def _is_ready(deployment: Mapping[str, Any]) -> bool:
    meta, spec, status = deployment["metadata"], deployment["spec"], deployment.get("status") or {}
    current = status.get("observedGeneration", 0) >= meta["generation"]
    return bool(current and status.get("readyReplicas", 0) == spec["replicas"])
