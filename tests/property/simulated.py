"""A small world in memory: objects with the API server's rules that matter here, and toy controllers that play pods.

It is no fake of Kubernetes: it knows just what decisions depend on. What a real API server does is tested with one.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.unit.builders import NOW, Body, stamp

from fairlead.api.observed import owner_uid
from fairlead.errors import ReadAgain, Refused

Ref = tuple[str, str]
"""Kind and name; there is one namespace."""


def _pointer(body: Any, path: str) -> Any:
    """What a JSON pointer names; None for nothing, as the API server's library has it."""
    for part in path.strip("/").split("/"):
        body = body.get(part) if isinstance(body, Mapping) else None
    return body


_FREE_MAPS = frozenset({"labels", "annotations", "nodeSelector", "matchLabels", "selector"})
_SPELLED = {"1024Mi": "1Gi", "1000m": "1", "0.5": "500m"}


def stored_form(value: Any, field: str = "") -> Any:
    """As Go writes it back: structures without what is empty or `readOnly: false`, quantities spelled anew.

    Tried with a server-side dry run on a real API server.
    """
    if isinstance(value, Mapping):
        if field in _FREE_MAPS:
            return dict(value)
        filled = {key: item for key, item in value.items() if item not in ("", [], {})}
        return {key: stored_form(item, key) for key, item in filled.items() if (key, item) != ("readOnly", False)}
    if isinstance(value, list):
        return [stored_form(item) for item in value]
    return _SPELLED.get(value, value) if isinstance(value, str) else value


class SimulatedCluster:
    """Objects by kind and name."""

    def __init__(self) -> None:
        self.objects: dict[Ref, Body] = {}
        self.now = NOW
        self.writes: list[str] = []
        self.refused_kinds: set[str] = set()
        self.changes = 0

    def _next(self) -> int:
        self.changes += 1
        return self.changes

    def get(self, kind: str, name: str) -> Body | None:
        """One object."""
        return self.objects.get((kind, name))

    def of_kind(self, kind: str) -> list[Body]:
        """All of a kind, by name."""
        return [body for ref, body in sorted(self.objects.items()) if ref[0] == kind]

    def put(self, body: Mapping[str, Any]) -> Body:
        """Keep an object as a controller or a user writes it."""
        meta = dict(body["metadata"])
        meta.setdefault("uid", f"uid-{self._next()}")
        meta.setdefault("namespace", "team")
        meta.setdefault("creationTimestamp", stamp(self.now))
        meta["resourceVersion"] = str(self._next())
        kept: Body = {**copy.deepcopy(dict(body)), "metadata": meta}
        self.objects[(kept["kind"], meta["name"])] = kept
        return kept

    def apply(self, manifest: Mapping[str, Any]) -> Body:
        """Server-side apply by the only manager there is: fields that are no longer sent go."""
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if kind in self.refused_kinds:
            raise Refused(f"a policy refuses {kind} {name}", code=403)
        self.writes.append(f"apply {kind} {name}")
        known = self.objects.get((kind, name))
        wanted = copy.deepcopy(dict(manifest))
        if kind in ("Deployment", "Service", "Job"):
            wanted["spec"] = stored_form(wanted["spec"])
        kept = {"uid", "creationTimestamp"}
        old = known["metadata"] if known else {}
        wanted["metadata"] |= {key: value for key, value in old.items() if key in kept}
        same = known is not None and known.get("spec") == wanted.get("spec")
        wanted["metadata"]["generation"] = old.get("generation", 0) + (0 if same else 1)
        if known and "status" in known:
            wanted["status"] = known["status"]
        return self.put(wanted)

    def delete(self, kind: str, name: str, uid: str) -> None:
        """With a UID precondition; the pods of a Deployment or a Job go with it."""
        known = self.objects.get((kind, name))
        if known is None:
            return
        if known["metadata"]["uid"] != uid:
            raise ReadAgain(f"the UID in the precondition ({uid}) is not that of {kind} {name}")
        self.writes.append(f"delete {kind} {name}")
        self.lose(kind, name)

    def lose(self, kind: str, name: str) -> None:
        """Someone deletes an object, its pods with it."""
        body = self.objects.pop((kind, name))
        self.changes += 1
        for pod in self.of_kind("Pod"):
            if owner_uid(pod) == body["metadata"]["uid"]:
                del self.objects[("Pod", pod["metadata"]["name"])]

    def patch_status(self, kind: str, name: str, operations: Sequence[Mapping[str, Any]]) -> Body:
        """JSON Patch with its tests."""
        body = copy.deepcopy(self.objects[(kind, name)])
        for item in operations:
            if item["op"] == "test":
                found = _pointer(body, item["path"])
                if found != item["value"]:
                    raise ReadAgain(f"{item['path']}: expected {item['value']!r}, got {found!r}")
            else:
                assert item["path"] == "/status", f"expected only the status to be written, got {item['path']}"
                body["status"] = copy.deepcopy(item["value"])
        self.writes.append(f"status {kind} {name}")
        return self.put(body)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What pods with an image do: after `seconds`, they get ready, crash, or keep waiting."""

    fate: str
    seconds: int = 2


class SimulatedPods:
    """Toy controllers: Deployments and Jobs get pods, and pods do what their image is known for."""

    def __init__(self, cluster: SimulatedCluster, behaviours: Mapping[str, Behaviour]) -> None:
        self.cluster = cluster
        self.behaviours = dict(behaviours)
        self.ever_ready: set[str] = set()

    def tick(self, seconds: int) -> None:
        """Time passes."""
        self.cluster.now += timedelta(seconds=seconds)
        for workload in self.cluster.of_kind("Deployment"):
            self._run(workload)

    def pods_of(self, owner: Body) -> list[Body]:
        """The pods of a Deployment or Job."""
        return [pod for pod in self.cluster.of_kind("Pod") if owner_uid(pod) == owner["metadata"]["uid"]]

    def _run(self, workload: Body) -> None:
        name, wanted = workload["metadata"]["name"], workload["spec"]["replicas"]
        pods = self.pods_of(workload)
        for pod in pods[wanted:]:
            self.cluster.lose("Pod", pod["metadata"]["name"])
        for number in range(len(pods), wanted):
            self._start(workload, f"{name}-{number}-{len(self.cluster.writes)}")
        pods = [self._live(pod, workload) for pod in self.pods_of(workload)]
        ready = sum(item["status"]["ready"] for item in pods)
        if ready:
            self.ever_ready.add(name)
        counts = {"replicas": len(pods), "readyReplicas": ready}
        seen = {"observedGeneration": workload["metadata"]["generation"], **counts}
        if workload.get("status") != seen:
            self.cluster.put({**workload, "status": seen})

    def _start(self, workload: Body, name: str) -> None:
        labels = dict(workload["spec"]["template"]["metadata"]["labels"])
        owner = [{"uid": workload["metadata"]["uid"], "controller": True}]
        meta = {"name": name, "labels": labels, "ownerReferences": owner}
        self.cluster.put({"kind": "Pod", "metadata": meta, "status": {"ready": False}})

    def _live(self, pod: Body, workload: Body) -> Body:
        """One look at a pod: its status follows from its age and its image."""
        image = workload["spec"]["template"]["spec"]["containers"][0]["image"]
        behaviour = self.behaviours[image]
        age = (self.cluster.now - datetime.fromisoformat(pod["metadata"]["creationTimestamp"])).total_seconds()
        status = pod_status(behaviour.fate if age >= behaviour.seconds else "starting", age)
        return pod if pod["status"] == status else self.cluster.put({**pod, "status": status})


def pod_status(fate: str, age_seconds: float) -> Body:
    """A pod's status; `ready` is a note of the simulation's own."""
    waits = {"name": "model", "state": {"waiting": {"reason": "ContainerCreating"}}}
    conditions = [{"type": "Ready", "status": "True" if fate == "ready" else "False"}]
    container: Body = waits
    if fate == "ready":
        container = {"name": "model", "state": {"running": {}}, "imageID": "sha256:1"}
    elif fate == "crash":
        exited = {"terminated": {"exitCode": 1, "reason": "Error", "message": "boom"}}
        restarts = min(3, int(age_seconds) // 10)
        container = {"name": "model", "state": exited, "lastState": exited, "restartCount": restarts}
    elif fate == "missing":
        pull = {"reason": "ImagePullBackOff", "message": "example/missing: not found"}
        container = {"name": "model", "state": {"waiting": pull}}
    elif fate == "unschedulable":
        text = {"reason": "Unschedulable", "message": "0/1 nodes are available"}
        conditions.append({"type": "PodScheduled", "status": "False", **text})
    return {"phase": "Running", "ready": fate == "ready", "conditions": conditions, "containerStatuses": [container]}
