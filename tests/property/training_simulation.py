"""A TrainingJob in a simulated world with a registry in memory: the promises are checked after every write."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.property.simulated import SimulatedCluster
from tests.unit.builders import UID, Body, container_status, pod_body, stamp, training_body, training_world

from fairlead.api.names import ANNOTATION_APPLIED
from fairlead.api.reasons import Reason
from fairlead.api.training_job import TrainingJobStatus, TrainingPhase
from fairlead.core.effects import (
    Apply,
    ClaimAlias,
    CloseRun,
    Delete,
    Effect,
    OpenRun,
    Plan,
    RegisterVersion,
    SetAlias,
    TagRun,
    WriteStatus,
)
from fairlead.core.training import decide_training
from fairlead.core.world import Alias, LoggedModel, RegistryFacts, RegistryProblem, Run, TrainingWorld, Version
from fairlead.errors import Refused, RegistryError
from fairlead.render.status_patch import render_status_patch
from fairlead.shell.loop import MOST_EFFECTS

DIGEST = "sha256:" + "0123456789abcdef" * 4
HASHED = container_status("register", exit_code=0, exit_message=json.dumps({"digest": DIGEST}))
NO_MODEL = json.dumps({"reason": "ModelNotFound", "message": "no MLmodel file"})


class SimulatedRegistry:
    """Runs, versions and aliases. Like MLflow's, its creating calls make a second one when they are repeated."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.logged: list[str] = []
        self.metrics: dict[str, float] = {}
        self.versions: list[str] = []
        self.alias = ""
        self.writer = ""
        self.down = False
        self.read_only = False

    def facts(self, phase: TrainingPhase | None) -> RegistryFacts | RegistryProblem:
        """What shell/gather.py would ask for in this phase."""
        if phase is TrainingPhase.SUCCEEDED:
            return RegistryFacts()
        if self.down:
            return RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")
        run = self.runs[0] if self.runs else None
        if run and phase is TrainingPhase.GATING:
            models = tuple(LoggedModel(name, f"models:/{name}") for name in self.logged)
            return RegistryFacts(run, models, metrics=self.metrics)
        if run and phase is TrainingPhase.REGISTERING:
            if not self.versions:
                return RegistryFacts(run)
            alias = Alias(self.alias, self.writer, trained=self.alias in self.versions)
            return RegistryFacts(run, version=Version(self.versions[0], DIGEST), alias=alias)
        return RegistryFacts(run)

    def write(self) -> None:
        """Every write asks here."""
        if self.down or self.read_only:
            raise RegistryError(Reason.REGISTRY_UNAVAILABLE, "database is locked")

    def close(self, run_id: str, status: str) -> None:
        """A run ends."""
        run = next(item for item in self.runs if item.run_id == run_id)
        self.runs[self.runs.index(run)] = replace(run, status=status)

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """A run gets tags."""
        run = next(item for item in self.runs if item.run_id == run_id)
        self.runs[self.runs.index(run)] = replace(run, gate=tags["fairlead.gate"])


class TrainingSimulation:
    """One TrainingJob `fit`, its Job and pod, and the operator's loop without its queue."""

    def __init__(self, **spec: Any) -> None:
        self.cluster = SimulatedCluster()
        self.registry = SimulatedRegistry()
        self.epoch = 1
        self.warning = ""
        self.announced: list[str] = []
        self.jobs_made = 0
        self.hashing = "tells"
        self.latched: Body | None = None
        self.cluster.put(training_body(**spec))

    @property
    def body(self) -> Body:
        """The custom resource."""
        return self.cluster.objects[("TrainingJob", "fit")]

    @property
    def status(self) -> TrainingJobStatus:
        """Its status."""
        return TrainingJobStatus.model_validate(self.body.get("status") or {})

    def condition(self, kind: str) -> tuple[str, str] | None:
        """Status and reason of a condition."""
        found = next((item for item in self.status.conditions if item.type == kind), None)
        return (found.status.value, found.reason) if found else None

    # -- what the outside world does

    @property
    def job(self) -> Body | None:
        """The Job of the first attempt."""
        return self.cluster.get("Job", "fit-1")

    def run_pod(self, *containers: Body, phase: str = "Running", **fields: Any) -> None:
        """The Job has a pod in this state, unless it has ended."""
        if self.job and not self.ended():
            shown = containers or (container_status("trainer", image_id="sha256:1"),)
            owner = self.job["metadata"]["uid"]
            self.cluster.put(pod_body("", *shown, name="fit-1-pod", phase=phase, owner=owner, **fields))

    def ended(self) -> bool:
        """Whether the Job has ended."""
        return bool(self.job and (self.job.get("status") or {}).get("conditions"))

    def end_job(self, kind: str) -> None:
        """The Job ends as Complete or Failed."""
        if self.job and not self.ended():
            said = {"type": kind, "status": "True", "reason": "Because", "message": "of it"}
            times = {"startTime": stamp(self.cluster.now), "completionTime": stamp(self.cluster.now)}
            self.cluster.put({**self.job, "status": {**times, "conditions": [said]}})

    def succeed(self, *models: str, **metrics: float) -> None:
        """The trainer logs models and metrics and ends well."""
        if self.job and not self.ended():
            self.run_pod(container_status("trainer", exit_code=0), phase="Succeeded")
            self.registry.logged = list(models)
            self.registry.metrics = metrics
            self.end_job("Complete")

    def fail(self, **exit_state: Any) -> None:
        """The trainer ends badly."""
        if self.job and not self.ended():
            self.run_pod(container_status("trainer", **{"exit_code": 7, **exit_state}), phase="Failed")
            self.end_job("Failed")

    def lose_job(self) -> None:
        """Someone deletes the Job."""
        if self.job:
            self.cluster.lose("Job", "fit-1")

    def hash(self, fate: str = "") -> None:
        """What becomes of the registering Job, of this one and the next ones, until it is told otherwise."""
        self.hashing = fate or self.hashing
        job = self.cluster.get("Job", "fit-1-register")
        if job is None or job.get("status") or self.hashing == "waits":
            return
        shown, end = {
            "tells": (HASHED, "Complete"),
            "says nothing": (container_status("register", exit_code=0), "Complete"),
            "breaks": (container_status("register", exit_code=1), "Failed"),
            "finds no model": (container_status("register", exit_code=3, exit_message=NO_MODEL), "Failed"),
            "loses its pod": (None, "Complete"),
        }[self.hashing]
        if shown:
            pod = pod_body("", shown, name="fit-1-register-pod", phase="Failed", owner=job["metadata"]["uid"])
            self.cluster.put(pod)
        said = {"type": end, "status": "True", "reason": "Because", "message": "of it"}
        at = stamp(self.cluster.now)
        status = {"startTime": at, "completionTime": at, "conditions": [said | {"lastTransitionTime": at}]}
        self.cluster.put({**job, "status": status})

    def lose_hashing(self) -> None:
        """Someone deletes the registering Job."""
        if self.cluster.get("Job", "fit-1-register"):
            self.cluster.lose("Job", "fit-1-register")

    def pass_minute(self) -> None:
        """A minute passes."""
        self.cluster.now += timedelta(minutes=1)

    def hand_over(self) -> None:
        """Someone deletes the alias in MLflow, and the record of who writes it."""
        self.registry.alias = self.registry.writer = ""

    # -- the operator

    def world(self, refused: str = "", problem: RegistryProblem | None = None) -> TrainingWorld:
        """What the operator would gather."""
        objects = [*self.cluster.of_kind("Job"), *self.cluster.of_kind("Pod")]
        running = self.job is not None and not self.ended()
        asks = not (running or self._hashes())
        return training_world(
            self.body,
            objects,
            registry=(problem or self.registry.facts(self.status.phase)) if asks else RegistryFacts(),
            now=self.cluster.now,
            epoch=self.epoch,
            job_warning=self.warning,
            refused=refused,
        )

    def _hashes(self) -> bool:
        known = self.status.model_version
        unknown = known is not None and not (known.digest or known.version)
        made = self.cluster.get("Job", "fit-1-register") is not None
        return made and unknown and self.status.phase is TrainingPhase.REGISTERING

    def plan(self) -> Plan:
        """What the operator would do now."""
        return decide_training(self.world())

    def reconcile(self, most: int = MOST_EFFECTS) -> int:
        """The loop of shell/loop.py; at most so many effects. How many there were; a crash comes after `most`."""
        refused, problem = "", None
        for count in range(most):
            plan = decide_training(self.world(refused, problem))
            if not plan.effects:
                return count
            try:
                self.perform(plan.effects[0])
            except Refused as error:
                assert not refused, f"refused twice in one reconcile: {error}"
                refused = str(error)
            except RegistryError as error:
                assert not problem, f"the registry failed twice in one reconcile: {error}"
                problem = RegistryProblem(Reason(error.reason), str(error))
        assert most < MOST_EFFECTS, f"not settled after {most} effects: {self.cluster.writes[-most:]}"
        return most

    def perform(self, effect: Effect) -> None:
        """One effect, and the promises that hold for it."""
        match effect:
            case Apply() if effect.ref.name == "fit-1-register":
                self._apply_registering_job(effect)
            case Apply():
                self._apply_job(effect)
            case Delete(ref, uid):
                assert ref.name == "fit-1-register", "the trainer's Job stays"
                self.cluster.delete(ref.kind, ref.name, uid)
            case WriteStatus(before, after, announcements):
                operations = render_status_patch(self.world().resource.meta, before=before, after=after)
                self.cluster.patch_status("TrainingJob", "fit", operations)
                self.announced += [item.reason.value for item in announcements]
                self.check_status()
            case _:
                self._perform_on_registry(effect)

    def _perform_on_registry(self, effect: Effect) -> None:
        match effect:
            case OpenRun():
                self.registry.write()
                self.cluster.writes.append("open run")
                number = len(self.registry.runs) + 1
                self.registry.runs.append(Run(f"run-{number}", "1", "http://mlflow/run", "RUNNING"))
                assert number == 1, "one run per TrainingJob"
            case RegisterVersion():
                assert effect.tags["fairlead.model.digest"] == DIGEST, "nothing is registered without its digest"
                self.registry.write()
                self.cluster.writes.append("register")
                self.registry.versions.append(str(len(self.registry.versions) + 1))
                assert self.registry.versions == ["1"], "one version per TrainingJob"
            case ClaimAlias(_, _, writer):
                self.registry.write()
                self.cluster.writes.append("claim alias")
                assert self.registry.writer in ("", writer), "an alias has one writer"
                self.registry.writer = writer
            case SetAlias(_, _, version):
                self.registry.write()
                self.cluster.writes.append("alias")
                assert self.registry.writer == "operator-1/team", "the writer is recorded first"
                assert int(self.registry.alias or 0) < int(version), "an alias only moves forward"
                self.registry.alias = version
            case CloseRun(run_id, status):
                self.registry.write()
                self.cluster.writes.append("close run")
                assert self.job is None or self.ended(), "the run stays open while the trainer runs"
                self.registry.close(run_id, status)
            case TagRun(run_id, tags):
                self.registry.write()
                self.cluster.writes.append("tag run")
                self.registry.tag(run_id, tags)
            case _:
                raise AssertionError(f"a TrainingJob asks for no {effect}")

    def _apply_job(self, effect: Apply) -> None:
        meta = effect.manifest["metadata"]
        assert isinstance(meta, dict)
        assert (effect.manifest["kind"], meta["name"], meta["namespace"]) == ("Job", "fit-1", "team")
        assert [owner["uid"] for owner in meta["ownerReferences"]] == [UID]
        assert ANNOTATION_APPLIED in meta["annotations"]
        assert self.status.phase is not TrainingPhase.RUNNING, "a trainer that ran is not started again"
        assert self.job is None, "I5: a Job that exists is not written again"
        assert self.registry.runs, "the run is open before the first line of training"
        self.cluster.apply(effect.manifest)
        self.jobs_made += 1

    def _apply_registering_job(self, effect: Apply) -> None:
        assert self.status.phase is TrainingPhase.REGISTERING
        assert self.cluster.get("Job", "fit-1-register") is None, "a Job that exists is not written again"
        assert self.status.model_version and not self.status.model_version.digest
        self.cluster.apply(effect.manifest)
        self.hash()

    def check_status(self) -> None:
        """A final status is latched, and what it says is true."""
        status = self.body["status"]
        kinds = [item["type"] for item in status["conditions"]]
        assert not {"Reconciling", "Stalled"} <= set(kinds)
        if self.latched is not None:
            assert status == self.latched, "an end state is latched"
        if self.status.ended:
            self.latched = status
        if self.status.phase is TrainingPhase.SUCCEEDED:
            found = self.status.model_version
            assert found and (found.version, found.digest) == (self.registry.versions[0], DIGEST)
            if found.alias:
                assert self.registry.alias == found.version
            else:
                assert int(self.registry.alias) > int(found.version)

    def check_settled(self) -> None:
        """I7: once settled, looking again writes nothing, whatever is refused."""
        before = len(self.cluster.writes)
        self.reconcile()
        assert self.cluster.writes[before:] == []
