"""A TrainingJob from its first status to long after its end, with a real API server and a real MLflow.

The Job controller and the kubelet are played, and the clock is moved; what the real Job controller does with Jobs like
ours is tested in test_whole_plane.py.
"""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.apiserver.composition import Composition, MovedClock, Trap
from tests.apiserver.controllers import Controllers, exited
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects, conditions
from tests.cluster import ControlPlane

from fairlead.shell.keys import Key

MOST_LOOKS = 20
ACCURACY = {"rules": [{"metric": "accuracy", "min": 0.9}]}


class Training:
    """The TrainingJob `fit` in a namespace of the test's own, and an operator that goes on when it is told to."""

    def __init__(self, operator: Composition, objects: Objects, mlflow: Mlflow, clock: MovedClock) -> None:
        self.operator = operator
        self.objects = objects
        self.controllers = Controllers(objects)
        self.mlflow = mlflow
        self.clock = clock
        self.key = Key("TrainingJob", objects.namespace, "fit")

    def create(self, **spec: Any) -> None:
        """Make it."""
        full = {"container": {"image": "registry.example/fit:1"}, "register": {"model": self.objects.namespace}, **spec}
        self.objects.create({"kind": "TrainingJob", "metadata": {"name": "fit"}, "spec": full})

    @property
    def status(self) -> dict[str, Any]:
        """As the API server has it."""
        return dict(self.objects.get("TrainingJob", "fit")["status"])

    @property
    def ready(self) -> tuple[str, str]:
        """Reason and message of the condition Ready."""
        found = conditions(self.objects.get("TrainingJob", "fit"))["Ready"]
        return found["reason"], found["message"]

    async def look(self) -> float | None:
        """One reconcile; the seconds until the next one."""
        return await self.operator.reconcile(self.key)

    async def until(self, what: str, done: Callable[[], object]) -> None:
        """Look, and look again when the operator wants to, until something holds: MLflow may be slow."""
        for _ in range(MOST_LOOKS):
            wait = await self.look()
            if done():
                return
            self.clock.pass_by(seconds=min(wait or 1.0, 5.0))
        raise AssertionError(f"{what}: not after {MOST_LOOKS} looks; status: {self.status}")

    async def start(self) -> str:
        """Until the trainer runs; the id of its run."""
        await self.until("a Job", lambda: self.objects.find("Job", "fit-1"))
        self.controllers.job_running("fit-1")
        await self.until("it runs", lambda: self.status["phase"] == "Running")
        return str(self.status["run"]["id"])

    async def finish(self, *models: str, **metrics: float | str) -> None:
        """The trainer logs metrics and models, and ends well; until the operator has judged it."""
        run_id = await self.start()
        self.mlflow.log_metrics(run_id, **metrics)
        for _ in models:
            self.mlflow.log_model(run_id)
        self.controllers.job_complete("fit-1")
        await self.until("it is judged", lambda: self.status["phase"] in ("Registering", "Failed"))
        if self.status["phase"] == "Failed":
            await self.until("its run says so", lambda: self._run()["info"]["status"] == "FINISHED")

    def _run(self) -> dict[str, Any]:
        """The one run."""
        (run,) = self.mlflow.runs(f"fairlead/{self.objects.namespace}")
        return run

    async def publish(self) -> None:
        """Until the model is registered, with a registering pod that does its work."""
        await self.until("a digest", lambda: self.controllers.hash_if_asked("fit-1-register"))
        await self.until("the end", lambda: self.ready[0] == "Succeeded")


@pytest.fixture
async def training(control_plane: ControlPlane, objects: Objects, mlflow: Mlflow) -> AsyncIterator[Training]:
    """An operator without a queue and without a TrainingJob yet."""
    clock = MovedClock()
    async with Composition(
        control_plane, objects.namespace, clock=clock, registry_url=mlflow.url, trap=Trap()
    ) as operator:
        yield Training(operator, objects, mlflow, clock)


@pytest.mark.parametrize(
    ("metrics", "reason", "said"),
    [
        ({"accuracy": 0.71}, "GateFailed", "accuracy 0.71, expected at least 0.9"),
        ({"accuracy": "NaN"}, "MetricNotFinite", "accuracy is not a finite number, expected at least 0.9"),
        ({"accuracy": "Infinity"}, "MetricNotFinite", "accuracy is not a finite number, expected at least 0.9"),
        ({"accuracy": "-Infinity"}, "MetricNotFinite", "accuracy is not a finite number, expected at least 0.9"),
        ({"f1": 0.99}, "MetricMissing", "accuracy was not logged, expected at least 0.9"),
    ],
)
async def test_a_model_that_does_not_pass_is_not_registered_and_the_run_says_why(
    metrics: dict[str, float | str], reason: str, said: str, training: Training
) -> None:
    training.create(gate=ACCURACY)
    await training.finish("model", **metrics)
    assert training.ready == (reason, said)
    assert training.status["gate"]["passed"] is False
    (run,) = training.mlflow.runs(f"fairlead/{training.objects.namespace}")
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert (tags["fairlead.gate"], tags["fairlead.gate.reason"]) == ("failed", f"{reason}: {said}")
    assert run["info"]["status"] == "FINISHED"
    assert training.mlflow.versions(training.objects.namespace) == []


async def test_a_value_on_the_bound_passes_and_metrics_that_are_no_numbers_are_not_shown(training: Training) -> None:
    training.create(gate=ACCURACY)
    await training.finish("model", accuracy=0.9, loss="NaN", steps=7)
    assert training.status["metrics"] == {"accuracy": 0.9, "steps": 7}
    assert training.status["gate"]["rules"][0]["value"] == 0.9
    await training.publish()
    assert training.ready[0] == "Succeeded"


async def test_of_a_metric_that_was_logged_often_the_last_value_counts(training: Training) -> None:
    training.create(gate=ACCURACY)
    run_id = await training.start()
    for step, value in enumerate((0.99, 0.5, 0.95)):
        training.mlflow.post(
            "runs/log-metric", run_id=run_id, key="accuracy", value=value, timestamp=1000 + step, step=step
        )
    training.mlflow.log_model(run_id)
    training.controllers.job_complete("fit-1")
    await training.until("it is judged", lambda: training.status["phase"] == "Registering")
    assert training.status["metrics"] == {"accuracy": 0.95}


async def test_a_trainer_that_runs_out_of_memory_says_its_limit(training: Training) -> None:
    training.create(compute={"resources": {"limits": {"memory": "64Mi"}}})
    await training.start()
    training.controllers.job_failed("fit-1", code=137, message="")
    (pod,) = training.objects.names("Pod")
    training.controllers.container(pod, exited(137, "OOMKilled"), phase="Failed")
    await training.look()
    assert training.ready == (
        "OutOfMemory",
        'container "trainer" exited with code 137; it was ended at its memory limit of 64Mi',
    )
    assert training.status["attempts"][0]["exitCode"] == 137


async def test_a_suspended_training_lets_its_job_go_and_takes_it_up_again(training: Training) -> None:
    training.create()
    await training.start()
    uid = training.objects.get("Job", "fit-1")["metadata"]["uid"]
    training.objects.merge("TrainingJob", "fit", {"spec": {"suspend": True}})
    await training.look()
    assert training.objects.get("Job", "fit-1")["spec"]["suspend"] is True
    assert training.ready[0] == "Suspended"
    assert set(conditions(training.objects.get("TrainingJob", "fit"))) == {"Ready"}
    training.objects.merge("TrainingJob", "fit", {"spec": {"suspend": False}})
    await training.look()
    job = training.objects.get("Job", "fit-1")
    assert (job["spec"]["suspend"], job["metadata"]["uid"]) == (False, uid)
    assert training.status["attempt"] == 1


async def test_jobs_whose_time_is_up_are_removed_and_nothing_trains_again(training: Training) -> None:
    training.create(policy={"ttlSecondsAfterFinished": 3600, "maxAttempts": 3})
    await training.finish("model")
    await training.publish()
    document = training.objects.get("TrainingJob", "fit")
    assert training.objects.names("Job") == ["fit-1", "fit-1-register"]
    wait = await training.look()
    assert wait is not None and 3500 < wait <= 3600
    training.clock.pass_by(seconds=wait + 1)
    assert await training.look() is None
    assert training.objects.names("Job") == []
    # What a GitOps controller does: it applies the same document again and again.
    kept = {"metadata": {"labels": {"applied": "again"}}, "spec": document["spec"]}
    training.objects.merge("TrainingJob", "fit", json.loads(json.dumps(kept)))
    training.clock.pass_by(days=30)
    assert await training.look() is None
    assert training.objects.names("Job") == []
    assert training.status == document["status"]
    assert len(training.mlflow.runs(f"fairlead/{training.objects.namespace}")) == 1


async def test_a_shorter_time_to_live_holds_at_once(training: Training) -> None:
    training.create()
    await training.start()
    training.controllers.job_failed("fit-1", code=7, message="no data")
    await training.look()
    training.objects.merge("TrainingJob", "fit", {"spec": {"policy": {"ttlSecondsAfterFinished": 0}}})
    await training.look()
    assert training.objects.names("Job") == []
    assert training.ready[0] == "TrainerFailed"
