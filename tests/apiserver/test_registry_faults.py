"""Any one request to MLflow goes wrong, in any of four ways: a TrainingJob ends as if it had not, and without a storm.

A proxy stands between the operator and a real MLflow during whole trainings, from the run that is opened to the run
that is closed. Each request of an undisturbed one goes wrong once in one of a few others, every third of them in each.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from tests.apiserver.composition import Composition, MovedClock, Trap
from tests.apiserver.controllers import DIGEST, Controllers
from tests.apiserver.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects
from tests.cluster import ControlPlane

from fairlead.shell.keys import Key

STRIDE = 3
TIMEOUT_SECONDS = 1.0
"""Of one request: far more than MLflow on loopback takes."""
SILENT_SECONDS = 1.2
MORE_REQUESTS = 8
"""What a fault may cost: the step is taken again, and what is known is asked for again before it."""


def play(objects: Objects, mlflow: Mlflow) -> Callable[[], bool]:
    """The cluster's part: the trainer logs a model and ends well, the registering pod tells a digest."""
    controllers = Controllers(objects)

    def move() -> bool:
        job = objects.find("Job", "fit-1")
        if job is None or controllers.hash_if_asked("fit-1-register"):
            return job is not None
        status = job.get("status") or {}
        if status.get("conditions"):
            return False
        if not status.get("startTime"):
            controllers.job_running("fit-1")
            return True
        environment = {item["name"]: item.get("value") for item in container(job)["env"]}
        mlflow.log_model(str(environment["MLFLOW_RUN_ID"]))
        controllers.job_complete("fit-1")
        return True

    return move


def container(job: dict[str, object]) -> dict[str, list[dict[str, str]]]:
    """The only container of a Job."""
    found = job["spec"]["template"]["spec"]["containers"][0]  # type: ignore[index]
    return dict(found)


@pytest.fixture
def namespaces(api: httpx.Client, crds: None) -> Iterator[Callable[[], Objects]]:
    """Makes namespaces."""
    made: list[str] = []

    def build() -> Objects:
        made.append(f"faults-{uuid4().hex[:8]}")
        api.post("/api/v1/namespaces", json={"metadata": {"name": made[-1]}}).raise_for_status()
        return Objects(api, made[-1])

    yield build
    for name in made:
        api.delete(f"/apis/fairlead.dev/v1alpha1/namespaces/{name}/trainingjobs").raise_for_status()


@dataclass(frozen=True)
class Trainings:
    """Makes trainings in namespaces of their own."""

    plane: ControlPlane
    mlflow: Mlflow
    namespace: Callable[[], Objects]

    async def run(self, fault: Fault, targets: Sequence[str] = ()) -> tuple[FaultProxy, str]:
        """A whole training behind a proxy; the proxy, and what is wrong with the end (empty: nothing)."""
        objects = self.namespace()
        spec = {"container": {"image": "registry.example/fit:1"}, "register": {"model": objects.namespace}}
        objects.create({"kind": "TrainingJob", "metadata": {"name": "fit"}, "spec": spec})

        def stage() -> str:
            return str((objects.get("TrainingJob", "fit").get("status") or {}).get("phase"))

        async with (
            fault_proxy(
                self.mlflow.url, fault, stage, targets=frozenset(targets), silent_seconds=SILENT_SECONDS
            ) as proxy,
            Composition(
                self.plane,
                objects.namespace,
                clock=MovedClock(),
                registry_url=proxy.url,
                trap=Trap(),
                registry_timeout_seconds=TIMEOUT_SECONDS,
            ) as operator,
        ):
            await operator.settle(Key("TrainingJob", objects.namespace, "fit"), play(objects, self.mlflow))
        return proxy, wrong(objects, self.mlflow)


def wrong(objects: Objects, mlflow: Mlflow) -> str:
    """How the end differs from the only right one."""
    status, model = objects.get("TrainingJob", "fit")["status"], objects.namespace
    tags = [{tag["key"]: tag["value"] for tag in item["tags"]} for item in mlflow.versions(model)]
    found = {
        "phase": status["phase"],
        "version": (status.get("modelVersion") or {}).get("version"),
        "runs": [run["info"]["status"] for run in mlflow.runs(f"fairlead/{model}")],
        "digests": [item.get("fairlead.model.digest") for item in tags],
        "aliases": mlflow.aliases(model),
    }
    right = {
        "phase": "Succeeded",
        "version": "1",
        "runs": ["FINISHED"],
        "digests": [DIGEST],
        "aliases": {"candidate": "1"},
    }
    return "; ".join(f"{key}: expected {right[key]}, got {found[key]}" for key in found if found[key] != right[key])


@pytest.fixture
def trainings(control_plane: ControlPlane, mlflow: Mlflow, namespaces: Callable[[], Objects]) -> Trainings:
    """Behind proxies."""
    return Trainings(control_plane, mlflow, namespaces)


@pytest.fixture(scope="module")
def calm_runs() -> list[FaultProxy]:
    """The undisturbed training; made by the first test that asks for it."""
    return []


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
async def test_whichever_request_goes_wrong_the_training_ends_as_if_it_had_not(
    fault: Fault, trainings: Trainings, calm_runs: list[FaultProxy]
) -> None:
    if not calm_runs:
        undisturbed, said = await trainings.run(fault)
        assert not said, said
        calm_runs.append(undisturbed)
    (calm,) = calm_runs
    for first in range(STRIDE):
        targets = calm.met[first::STRIDE]
        proxy, said = await trainings.run(fault, targets)
        assert not said, f"{said}; struck: {targets}"
        assert set(targets) <= set(proxy.met), "each of them has gone wrong once"
        allowed = calm.count + MORE_REQUESTS * len(targets)
        assert proxy.count <= allowed, f"{proxy.count} requests for {len(targets)} faults, {calm.count} without any"
