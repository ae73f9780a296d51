"""A TrainingJob in a simulated world with a registry in memory: the promises are checked after every write."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.property.simulated import SimulatedCluster
from tests.unit.builders import UID, Body, container_status, pod_body, stamp, training_body, training_world

from fairlead.api.names import ANNOTATION_APPLIED
from fairlead.api.observed import owner_uid
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
    Suspend,
    TagRun,
    WriteStatus,
)
from fairlead.core.training.attempts import not_before
from fairlead.core.training.decide import decide_training
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

    def facts(self, status: TrainingJobStatus) -> RegistryFacts | RegistryProblem:
        """What shell/gather.py would ask for in this phase."""
        if status.phase is TrainingPhase.SUCCEEDED:
            return RegistryFacts()
        if self.down:
            return RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")
        run = next((item for item in self.runs if item.attempt == status.current_attempt), None)
        facts = RegistryFacts(run, former_runs=tuple(item for item in self.runs if item is not run))
        if run and status.phase is TrainingPhase.GATING:
            models = tuple(LoggedModel(name, f"models:/{name}") for name in self.logged)
            return replace(facts, logged_models=models, metrics=self.metrics)
        if run and status.phase is TrainingPhase.REGISTERING and self.versions:
            alias = Alias(self.alias, self.writer, trained=self.alias in self.versions)
            return replace(facts, version=Version(self.versions[0], DIGEST), alias=alias)
        return facts

    def write(self) -> None:
        """Every write asks here."""
        if self.down or self.read_only:
            raise RegistryError(Reason.REGISTRY_UNAVAILABLE, "database is locked")

    def _change(self, run_id: str, **fields: Any) -> None:
        run = next(item for item in self.runs if item.run_id == run_id)
        self.runs[self.runs.index(run)] = replace(run, **fields)

    def close(self, run_id: str, status: str) -> None:
        """A run ends."""
        self._change(run_id, status=status)

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """A run gets tags."""
        self._change(run_id, gate=tags["fairlead.gate"])


class TrainingSimulation:
    """One TrainingJob `fit`, its Jobs and pods, and the operator's loop without its queue."""

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

    @property
    def message(self) -> str:
        """What the condition Ready says."""
        return next(item.message for item in self.status.conditions if item.type == "Ready")

    # -- what the outside world does

    def set_spec(self, **fields: Any) -> None:
        """The user changes the spec."""
        self.cluster.put({**self.body, "spec": {**self.body["spec"], **fields}})

    def wait(self, **length: float) -> None:
        """Time passes."""
        self.cluster.now += timedelta(**length)

    @property
    def job(self) -> Body | None:
        """The Job of the present attempt."""
        return self.cluster.get("Job", f"fit-{self.status.current_attempt}")

    @property
    def suspended(self) -> bool:
        """Whether the Job may have no pods."""
        return bool(self.job and self.job["spec"].get("suspend"))

    @property
    def hashing_name(self) -> str:
        """The registering Job of the present attempt."""
        return f"fit-{self.status.current_attempt}-register"

    def run_pod(self, *containers: Body, phase: str = "Running", name: str = "pod", **fields: Any) -> None:
        """The Job has a pod in this state, unless it has ended or is suspended."""
        if self.job and not self.ended() and not self.suspended:
            known = self.cluster.get("Pod", f"{self.job['metadata']['name']}-{name}")
            start = _start_of(known) or self.cluster.now
            runs = () if phase == "Pending" else (container_status("trainer", image_id="sha256:1", started=start),)
            shown = containers or runs
            owner = self.job["metadata"]["uid"]
            pod = pod_body(
                "", *shown, name=f"{self.job['metadata']['name']}-{name}", phase=phase, owner=owner, **fields
            )
            self.cluster.put(pod)

    def stop_pods(self) -> None:
        """The kubelet and the Job controller are done with the pods of a suspended Job; or the node is lost."""
        for pod in self.pods():
            del self.cluster.objects[("Pod", pod["metadata"]["name"])]

    def pods(self) -> list[Body]:
        """The pods of the present attempt."""
        return self._pods_of(self.job)

    def _pods_of(self, job: Body | None) -> list[Body]:
        uid = job["metadata"]["uid"] if job else ""
        return [pod for pod in self.cluster.of_kind("Pod") if owner_uid(pod) == uid]

    def ended(self) -> bool:
        """Whether the Job has ended."""
        conditions = (self.job or {}).get("status", {}).get("conditions", ())
        return any(item["type"] in ("Complete", "Failed") for item in conditions)

    def _end_pod(self, phase: str, **exit_state: Any) -> None:
        start = next((_start_of(pod) for pod in self.pods()), None) or self.cluster.now
        exited = container_status("trainer", started=start, finished=self.cluster.now, **exit_state)
        alive = [pod["metadata"]["name"] for pod in self.pods() if pod["status"]["phase"] != "Failed"]
        for name in alive or ["pod"]:
            self.run_pod(exited, phase=phase, name=name.removeprefix(f"fit-{self.status.current_attempt}-"))

    def end_job(self, kind: str) -> None:
        """The Job ends as Complete or Failed."""
        if self.job and not self.ended() and not self.suspended:
            said = {"type": kind, "status": "True", "reason": "Because", "message": "of it"}
            times = {"startTime": stamp(self.cluster.now), "completionTime": stamp(self.cluster.now)}
            self.cluster.put({**self.job, "status": {**times, "conditions": [said]}})

    def succeed(self, *models: str, **metrics: float) -> None:
        """The trainer logs models and metrics and ends well."""
        if self.job and not self.ended() and not self.suspended:
            self._end_pod("Succeeded", exit_code=0)
            self.registry.logged = list(models)
            self.registry.metrics = metrics
            self.end_job("Complete")

    def fail(self, **exit_state: Any) -> None:
        """The trainer ends badly."""
        if self.job and not self.ended() and not self.suspended:
            self._end_pod("Failed", **{"exit_code": 7, **exit_state})
            self.end_job("Failed")

    def evict(self) -> None:
        """The node takes the pod away: it has failed, and the Job will make another."""
        for pod in self.pods():
            if not self.ended():
                start = _start_of(pod) or self.cluster.now
                exited = container_status("trainer", exit_code=137, started=start, finished=self.cluster.now)
                status = {**pod["status"], "phase": "Failed", "containerStatuses": [exited]}
                self.cluster.put({**pod, "status": status})

    def lose_job(self) -> None:
        """Someone deletes the Job."""
        if self.job:
            self.cluster.lose("Job", self.job["metadata"]["name"])

    def hash(self, fate: str = "") -> None:
        """What becomes of the registering Job, of this one and the next ones, until it is told otherwise."""
        self.hashing = fate or self.hashing
        job = self.cluster.get("Job", self.hashing_name)
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
            pod = pod_body("", shown, name=f"{self.hashing_name}-pod", phase="Failed", owner=job["metadata"]["uid"])
            self.cluster.put(pod)
        said = {"type": end, "status": "True", "reason": "Because", "message": "of it"}
        at = stamp(self.cluster.now)
        status = {"startTime": at, "completionTime": at, "conditions": [said | {"lastTransitionTime": at}]}
        self.cluster.put({**job, "status": status})

    def lose_hashing(self) -> None:
        """Someone deletes the registering Job."""
        if self.cluster.get("Job", self.hashing_name):
            self.cluster.lose("Job", self.hashing_name)

    def hand_over(self) -> None:
        """Someone deletes the alias in MLflow, and the record of who writes it."""
        self.registry.alias = self.registry.writer = ""

    # -- the operator

    def world(self, refused: str = "", problem: RegistryProblem | None = None) -> TrainingWorld:
        """What the operator would gather."""
        asks = (self.job is None or self.status.phase in ("Gating", "Registering", "Failed")) and not self._hashes()
        return training_world(
            self.body,
            [*self.cluster.of_kind("Job"), *self.pods(), *self._pods_of(self.cluster.get("Job", self.hashing_name))],
            registry=(problem or self.registry.facts(self.status)) if asks else RegistryFacts(),
            now=self.cluster.now,
            epoch=self.epoch,
            job_warning=self.warning,
            refused=refused,
        )

    def _hashes(self) -> bool:
        known = self.status.model_version
        unknown = known is not None and not (known.digest or known.version)
        made = self.cluster.get("Job", self.hashing_name) is not None
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

    def next_look(self) -> bool:
        """Reconcile, let the time pass until the operator wants to look again, and reconcile; whether it wanted to."""
        self.reconcile()
        wait = self.plan().requeue_after_seconds
        if wait is not None:
            self.wait(seconds=wait)
            self.reconcile()
        return wait is not None

    def perform(self, effect: Effect) -> None:
        """One effect, and the promises that hold for it."""
        match effect:
            case Apply() if effect.ref.name == self.hashing_name:
                self._apply_registering_job(effect)
            case Apply():
                self._apply_job(effect)
            case Delete(ref, uid):
                if not self.status.ended:
                    assert ref.name == self.hashing_name, "the trainer's Job stays until its TrainingJob has ended"
                self.cluster.delete(ref.kind, ref.name, uid)
            case Suspend(ref, uid, on):
                self._suspend(ref.name, uid, on)
            case WriteStatus(before, after, announcements):
                operations = render_status_patch(self.world().resource.meta, before=before, after=after)
                self._check_times(after)
                self.cluster.patch_status("TrainingJob", "fit", operations)
                self.announced += [item.reason.value for item in announcements]
                self.check_status()
            case _:
                self._perform_on_registry(effect)

    def _perform_on_registry(self, effect: Effect) -> None:
        self.registry.write()
        match effect:
            case OpenRun(_, tags):
                self.cluster.writes.append("open run")
                number = int(tags["fairlead.attempt"])
                assert number == self.status.current_attempt == len(self.registry.runs) + 1, "one run per attempt"
                self.registry.runs.append(
                    Run(f"run-{number}", "1", "http://mlflow/run", "RUNNING", attempt=number),
                )
            case RegisterVersion():
                assert effect.tags["fairlead.model.digest"] == DIGEST, "nothing is registered without its digest"
                self.cluster.writes.append("register")
                self.registry.versions.append(str(len(self.registry.versions) + 1))
                assert self.registry.versions == ["1"], "one version per TrainingJob"
            case ClaimAlias(_, _, writer):
                self.cluster.writes.append("claim alias")
                assert self.registry.writer in ("", writer), "an alias has one writer"
                self.registry.writer = writer
            case SetAlias(_, _, version):
                self.cluster.writes.append("alias")
                assert self.registry.writer == "operator-1/team", "the writer is recorded first"
                assert int(self.registry.alias or 0) < int(version), "an alias only moves forward"
                self.registry.alias = version
            case CloseRun(run_id, status):
                self.cluster.writes.append("close run")
                former = run_id != f"run-{self.status.current_attempt}"
                assert former or self.job is None or self.ended(), "the run stays open while the trainer runs"
                self.registry.close(run_id, status)
            case TagRun(run_id, tags):
                self.cluster.writes.append("tag run")
                self.registry.tag(run_id, tags)
            case _:
                raise AssertionError(f"a TrainingJob asks for no {effect}")

    def _suspend(self, name: str, uid: str, on: bool) -> None:
        job = self.cluster.objects[("Job", name)]
        assert job["metadata"]["uid"] == uid
        assert not self.ended(), "a Job that has ended is left alone"
        assert on is self.body["spec"].get("suspend", False)
        self.cluster.writes.append(f"{'suspend' if on else 'resume'} Job {name}")
        said = {"type": "Suspended", "status": str(on), "lastTransitionTime": stamp(self.cluster.now)}
        status = {**job.get("status", {}), "conditions": [said]}
        self.cluster.put({**job, "spec": {**job["spec"], "suspend": on}, "status": status})

    def _apply_job(self, effect: Apply) -> None:
        meta = effect.manifest["metadata"]
        assert isinstance(meta, dict)
        name = f"fit-{self.status.current_attempt}"
        assert (effect.manifest["kind"], meta["name"], meta["namespace"]) == ("Job", name, "team")
        assert [owner["uid"] for owner in meta["ownerReferences"]] == [UID]
        assert ANNOTATION_APPLIED in meta["annotations"]
        present = [item for item in self.status.attempts if item.number == self.status.current_attempt]
        assert not any(item.start_time for item in present), "a trainer that ran is not started again"
        assert self.job is None, "I5: a Job that exists is not written again"
        assert not self.body["spec"].get("suspend"), "nothing is started while suspended"
        assert self.status.current_attempt <= self.body["spec"].get("policy", {}).get("maxAttempts", 1)
        others = [job.get("status", {}).get("conditions", ()) for job in self.cluster.of_kind("Job")]
        assert all(item and item[-1]["type"] == "Failed" for item in others), "one trainer at a time"
        due = not_before(self.status)
        assert due is None or self.cluster.now >= due, "a pause between two attempts"
        run = next((run for run in self.registry.runs if run.attempt == self.status.current_attempt), None)
        assert run, "the run is open before the first line of training"
        self.cluster.apply(effect.manifest)
        self.jobs_made += 1

    def _check_times(self, after: Mapping[str, Any]) -> None:
        old, new = self.status, TrainingJobStatus.model_validate(after)
        assert new.running_seconds >= old.running_seconds, "time that was spent stays spent"
        assert not (new.running_since and new.pending_since), "a trainer runs, or is waited for"
        assert len({item.number for item in new.attempts}) == len(new.attempts)
        assert old.current_attempt <= new.current_attempt <= old.current_attempt + 1
        ended = [item for item in new.attempts if item.end_time]
        assert all(item.reason for item in ended)

    def _apply_registering_job(self, effect: Apply) -> None:
        assert self.status.phase is TrainingPhase.REGISTERING
        assert self.cluster.get("Job", self.hashing_name) is None, "a Job that exists is not written again"
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
        if self.status.phase is TrainingPhase.SUSPENDED:
            assert kinds == ["Ready"]
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


def _start_of(pod: Body | None) -> datetime | None:
    """When the pod's container started, if it runs."""
    for item in (pod or {}).get("status", {}).get("containerStatuses", ()):
        text = item["state"].get("running", {}).get("startedAt")
        if text:
            return datetime.fromisoformat(text.replace("Z", "+00:00"))
    return None
