"""A ModelDeployment in a simulated world: whole stories, with the promises checked after every single write."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.property.simulated import Behaviour, SimulatedCluster, SimulatedPods
from tests.unit.builders import UID, Body, child_of, gateway_facts, revision_of, serving_body, serving_world

from fairlead.api.model_deployment import ModelDeploymentStatus, ResolvedModel
from fairlead.api.observed import owner_uid
from fairlead.api.traffic import Traffic
from fairlead.core.effects import Apply, Delete, Effect, Plan, WriteStatus
from fairlead.core.serving.decide import decide_serving
from fairlead.core.world import GatewayFacts, RegistryProblem, Report, ServingWorld, Unanswered
from fairlead.errors import Refused
from fairlead.render.gateway import GATEWAY_SELECTOR
from fairlead.render.status_patch import render_status_patch
from fairlead.shell.loop import MOST_EFFECTS

BEHAVIOURS = {
    "example/churn:1": Behaviour("ready"),
    "example/churn:2": Behaviour("ready", seconds=5),
    "example/slow:1": Behaviour("ready", seconds=2400),
    "example/crash:1": Behaviour("crash"),
    "example/missing:1": Behaviour("missing"),
    "example/huge:1": Behaviour("unschedulable", seconds=0),
    "example/serving:1": Behaviour("ready"),
}


class ServingSimulation:
    """One ModelDeployment `churn`, its children, and the operator's loop without its queue."""

    def __init__(self, **spec: Any) -> None:
        self.cluster = SimulatedCluster()
        self.pods = SimulatedPods(self.cluster, BEHAVIOURS)
        self.model: ResolvedModel | RegistryProblem | Unanswered | None = None
        self.epoch = 1
        self.announced: list[str] = []
        self.settings: dict[str, Any] = {}
        self.requeue: float | None = None
        self.applied = Traffic()
        """What the gateway serves: it reads the status some time after it was written, and keeps what it has."""
        self.cluster.put(serving_body(**spec))

    # -- what the outside world does

    def edit(self, **spec: Any) -> None:
        """The user changes the spec; None removes a field."""
        body = self.body
        merged = {key: value for key, value in {**body["spec"], **spec}.items() if value is not None}
        generation = body["metadata"]["generation"] + (merged != body["spec"])
        self.cluster.put({**body, "spec": merged, "metadata": {**body["metadata"], "generation": generation}})

    def edit_image(self, image: str) -> None:
        """The user asks for another image."""
        self.edit(container={"image": image})

    def take_service_name(self) -> None:
        """Someone deletes our Service and makes one of their own."""
        theirs = {"kind": "Service", "metadata": {"name": "churn"}, "spec": {"theirs": True}}
        self.cluster.put(child_of(self.body, theirs, uid="uid-theirs", ours=False))

    def free_service_name(self) -> None:
        """Someone deletes their Service again."""
        found = self.cluster.get("Service", "churn")
        if found and owner_uid(found) != UID:
            self.cluster.lose("Service", "churn")

    def wipe_status(self) -> None:
        """The status is lost, as after the restore of a backup."""
        self.cluster.put({key: value for key, value in self.body.items() if key != "status"})

    def empty_status(self) -> None:
        """Someone writes an empty status."""
        self.cluster.put({**self.body, "status": {}})

    # -- what can be seen

    @property
    def body(self) -> Body:
        """The custom resource."""
        return self.cluster.objects[("ModelDeployment", "churn")]

    @property
    def status(self) -> ModelDeploymentStatus:
        """Its status."""
        return ModelDeploymentStatus.model_validate(self.body.get("status") or {})

    @property
    def revision(self) -> str:
        """The revision that the spec asks for."""
        return revision_of(self.body, self.model if isinstance(self.model, ResolvedModel) else None)

    def selected(self) -> str:
        """The revision that users are sent to; empty while there is no Service of ours, or nothing to send them to."""
        service = self.cluster.get("Service", "churn")
        arms = self.status.traffic.arms if self.status.traffic else ()
        return arms[0].revision if arms and service and "selector" in service["spec"] else ""

    def condition(self, kind: str) -> tuple[str, str] | None:
        """Status and reason of a condition."""
        found = next((item for item in self.status.conditions if item.type == kind), None)
        return (found.status.value, found.reason) if found else None

    def workloads(self) -> set[str]:
        """The revisions that have a Deployment."""
        return {item["metadata"]["name"] for item in self.cluster.of_kind("Deployment")}

    # -- the operator

    def world(self, refused: str = "") -> ServingWorld:
        """What the operator would gather."""
        objects = [body for ref, body in sorted(self.cluster.objects.items()) if ref[0] != "ModelDeployment"]
        return serving_world(
            self.body,
            objects,
            model=self.model,
            now=self.cluster.now,
            epoch=self.epoch,
            refused=refused,
            **{"gateway": self.gateway(), **self.settings},
        )

    def gateway(self) -> GatewayFacts:
        """Two pods that serve, and tell, what was last read."""
        return gateway_facts(Report(self.applied.generation, self.applied.epoch))

    def tick(self, seconds: int) -> None:
        """Time passes; the gateway reads the status."""
        self.pods.tick(seconds)
        traffic = self.status.traffic
        if traffic and traffic != self.applied:
            old = (self.applied.epoch, self.applied.generation)
            assert (traffic.epoch, traffic.generation) > old, "a gateway refuses what is older than what it serves"
            self.applied = traffic
            self.cluster.changes += 1

    def plan(self) -> Plan:
        """What the operator would do now."""
        return decide_serving(self.world())

    def reconcile(self, most: int = MOST_EFFECTS) -> int:
        """The loop of shell/loop.py; at most so many effects. How many there were; a crash comes after `most`."""
        refused = ""
        for count in range(most):
            plan = decide_serving(self.world(refused))
            self.requeue = plan.requeue_after_seconds
            if not plan.effects:
                return count
            try:
                self.perform(plan.effects[0])
            except Refused as error:
                assert not refused, f"refused twice in one reconcile: {error}"
                refused = str(error)
        assert most < MOST_EFFECTS, f"not settled after {most} effects: {self.cluster.writes[-most:]}"
        return most

    def perform(self, effect: Effect) -> None:
        """One effect, and the promises that hold for it."""
        match effect:
            case Apply():
                self.check_apply(effect.manifest)
                self.cluster.apply(effect.manifest)
            case Delete(ref, uid):
                self.check_delete(ref.kind, ref.name)
                self.cluster.delete(ref.kind, ref.name, uid)
            case WriteStatus(before, after, announcements):
                meta = self.world().resource.meta
                operations = render_status_patch(meta, before=before, after=after)
                self.check_promotion(before, after)
                self.cluster.patch_status("ModelDeployment", "churn", operations)
                self.announced += [item.reason.value for item in announcements]
                self.check_status(after)
            case _:
                raise AssertionError(f"a ModelDeployment asks for no {effect}")

    def settle(self, seconds: int = 60, step: int = 2) -> None:
        """Let time pass, with the operator at work when something has changed or when it asked to look again."""
        self.reconcile()
        due = self._due()
        for _ in range(seconds // step):
            before = self.cluster.changes
            self.tick(step)
            if self.cluster.changes != before or (due is not None and self.cluster.now >= due):
                self.reconcile()
                due = self._due()

    def _due(self) -> datetime | None:
        return None if self.requeue is None else self.cluster.now + timedelta(seconds=self.requeue)

    # -- the promises

    def check_apply(self, manifest: Mapping[str, Any]) -> None:
        """I2, I4, I8 and I10 for a child that is about to be written."""
        kind, meta = manifest["kind"], manifest["metadata"]
        known = self.cluster.get(kind, meta["name"])
        assert known is None or owner_uid(known) == UID, "I8: nothing foreign is taken over"
        assert meta["namespace"] == "team"
        assert [owner["uid"] for owner in meta["ownerReferences"]] == [UID], "a child has no other owner"
        if kind == "Deployment":
            self._check_workload(meta["name"], manifest["spec"]["replicas"])
        if kind == "Service" and meta["name"] == "churn":
            self._check_service(manifest["spec"])

    def _check_workload(self, name: str, replicas: int) -> None:
        status = self.status
        if status.stable and status.stable.revision == name:
            assert replicas >= self.body["spec"].get("replicas", 1), "I2: stable is never shrunk below the spec"
        roles = {item.revision for item in (status.stable, status.previous) if item}
        banned = {item.revision for item in status.quarantine} - roles
        assert name not in banned, "I4: a quarantined revision is not tried again"

    def _check_service(self, spec: Mapping[str, Any]) -> None:
        assert spec["selector"] == GATEWAY_SELECTOR, "users reach a model through the gateway alone"
        traffic = self.status.traffic
        assert traffic and spec["ports"][0]["targetPort"] == traffic.port, "the gateway was told the port before"

    def check_promotion(self, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
        """A revision becomes stable when it has answered; a lost status takes the marks' word for it."""
        old, new = (before or {}).get("stable"), after.get("stable")
        if before is not None and new and (old or {}).get("revision") != new["revision"]:
            assert new["revision"] in self.pods.ever_ready
        if old:
            assert new, "a stable revision is replaced and never taken away"

    def check_delete(self, kind: str, name: str) -> None:
        """I2 and I8 for a child that is about to go."""
        status = self.status
        roles = {item.revision for item in (status.stable, status.candidate, status.previous) if item}
        assert name not in roles, f"{kind} {name} has a role"
        if kind in ("Deployment", "ControllerRevision"):
            served = {arm.revision for arm in self.applied.arms if arm.weight}
            assert name not in served, "I2: what a gateway sends requests to is not deleted"
        owner = self.cluster.objects[(kind, name)]["metadata"]["ownerReferences"]
        assert [item["uid"] for item in owner] == [UID], "nothing foreign is deleted"

    def check_status(self, status: Mapping[str, Any]) -> None:
        """I1 and I9 for a status that was written."""
        arms = status["traffic"]["arms"]
        assert not arms or sum(arm["weight"] for arm in arms) == 100
        assert bool(arms) == (not status["traffic"]["unavailableReason"])
        assert status["observedGeneration"] == self.body["metadata"]["generation"]
        kinds = [item["type"] for item in status["conditions"]]
        assert not {"Reconciling", "Stalled"} <= set(kinds), "Reconciling and Stalled never hold together"
        assert len(kinds) == len(set(kinds))

    def check_settled(self) -> None:
        """I7: once settled, looking again writes nothing, whatever is refused."""
        before = len(self.cluster.writes)
        self.reconcile()
        assert self.cluster.writes[before:] == []
