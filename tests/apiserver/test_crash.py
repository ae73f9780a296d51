"""The operator is killed at every write of a scenario and started anew: what it leaves behind is always the same.

Each scenario names its writes, in order: the list is what the undisturbed operator is seen to write, and every entry of
it is a place where the next life must go on. Killed `before`: the write was never sent. Killed `after`: it was
committed, and nobody heard the answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.apiserver.composition import Composition, Killed, Mode, MovedClock, Trap
from tests.apiserver.controllers import Controllers
from tests.apiserver.end_state import end_state, events
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects
from tests.cluster import ControlPlane

from fairlead.shell.keys import Key

STATUS, EVENT = "PATCH modeldeployments/status", "POST events"
REVISION, DEPLOYMENT, SERVICE = "PATCH controllerrevisions", "PATCH deployments", "PATCH services"
RETIRE = ("DELETE deployments", "DELETE services")
TRAINING, JOB = "PATCH trainingjobs/status", "PATCH jobs"
OPEN_RUN = ("POST experiments/create", "POST runs/create")
HASH = (JOB, TRAINING)
REGISTER = ("POST registered-models/create", "POST model-versions/create")
ALIAS = ("POST registered-models/set-tag", "POST registered-models/alias")
TAG_RUN, CLOSE_RUN = "POST runs/log-batch", "POST runs/update"


@dataclass
class Stage:
    """One run of a scenario: a namespace of its own, the world around the operator, a clock."""

    plane: ControlPlane
    objects: Objects
    controllers: Controllers
    mlflow: Mlflow
    clock: MovedClock

    def operator(self, trap: Trap, *, epoch: int = 1) -> Composition:
        """A new life of the operator, with an empty cache."""
        return Composition(
            self.plane,
            self.objects.namespace,
            clock=self.clock,
            registry_url=self.mlflow.url,
            trap=trap,
            epoch=epoch,
        )

    def key(self, kind: str) -> Key:
        """The custom resource that every scenario calls `web`."""
        return Key(kind, self.objects.namespace, "web")


async def create(stage: Stage) -> Callable[[], bool]:
    """A new ModelDeployment, whose pods become ready."""
    spec = {"container": {"image": "registry.example/web:1"}, "replicas": 2}
    stage.objects.create({"kind": "ModelDeployment", "metadata": {"name": "web"}, "spec": spec})
    return stage.controllers.all_ready


async def change(stage: Stage) -> Callable[[], bool]:
    """One that serves gets another image; the old revision retires after the grace."""
    play = await create(stage)
    async with stage.operator(Trap()) as operator:
        await operator.settle(stage.key("ModelDeployment"), play)
    stage.objects.merge("ModelDeployment", "web", {"spec": {"container": {"image": "registry.example/web:2"}}})
    return play


def _train(stage: Stage, *ends: Callable[[str], None], **more: Any) -> Callable[[], bool]:
    """A TrainingJob, and what becomes of the trainer of each attempt."""
    spec = {
        "container": {"image": "registry.example/trainer:1"},
        "register": {"model": stage.objects.namespace},
        **more,
    }
    stage.objects.create({"kind": "TrainingJob", "metadata": {"name": "web"}, "spec": spec})

    def move(name: str, end: Callable[[str], None]) -> bool:
        if stage.controllers.hash_if_asked(f"{name}-register"):
            return True
        job = stage.objects.find("Job", name)
        if job is None or (job.get("status") or {}).get("conditions"):
            return False
        if not (job.get("status") or {}).get("startTime"):
            stage.controllers.job_running(name)
        else:
            end(name)
        return True

    return lambda: any(move(f"web-{number}", end) for number, end in enumerate(ends, start=1))


async def train(stage: Stage) -> Callable[[], bool]:
    """A TrainingJob whose trainer logs one model and ends well."""

    return _train(stage, _logs_a_model(stage))


def _logs_a_model(stage: Stage) -> Callable[[str], None]:
    def end(job: str) -> None:
        container = stage.objects.get("Job", job)["spec"]["template"]["spec"]["containers"][0]
        run_id = next(item["value"] for item in container["env"] if item["name"] == "MLFLOW_RUN_ID")
        stage.mlflow.log_model(run_id)
        stage.mlflow.log_metrics(run_id, accuracy=0.71)
        stage.controllers.job_complete(job)

    return end


async def stop_at_the_gate(stage: Stage) -> Callable[[], bool]:
    """A TrainingJob whose model does not reach its gate."""
    return _train(stage, _logs_a_model(stage), gate={"rules": [{"metric": "accuracy", "min": 0.9}]})


def _fails(stage: Stage) -> Callable[[str], None]:
    return lambda job: stage.controllers.job_failed(job, code=7, message="no data")


async def fail(stage: Stage) -> Callable[[], bool]:
    """A TrainingJob whose trainer exits with code 7."""
    return _train(stage, _fails(stage))


async def try_again(stage: Stage) -> Callable[[], bool]:
    """A TrainingJob whose first attempt exits with code 7, and whose second one ends well."""
    return _train(stage, _fails(stage), _logs_a_model(stage), policy={"maxAttempts": 2})


async def run_too_long(stage: Stage) -> Callable[[], bool]:
    """A TrainingJob whose trainer hangs past its deadline."""
    return _train(stage, lambda _: stage.clock.pass_by(hours=2), policy={"runDeadline": "1h"})


@dataclass(frozen=True)
class Scenario:
    """What happens, to which kind, and the writes that the operator makes meanwhile.

    It is killed at those that no scenario before it has: `known` at the beginning and `known_again` at the end are not.
    """

    prepare: Callable[[Stage], object]
    kind: str
    writes: tuple[str, ...]
    known: int = 0
    known_again: int = 0

    @property
    def deaths(self) -> range:
        """The numbers of the writes at which the operator is killed."""
        return range(self.known + 1, len(self.writes) - self.known_again + 1)


GATEWAY = ("PATCH serviceaccounts", "PATCH rolebindings", DEPLOYMENT, "PATCH poddisruptionbudgets")
CREATE = (*GATEWAY, STATUS, REVISION, DEPLOYMENT, SERVICE, SERVICE, STATUS, EVENT, REVISION)
COME_UP = (STATUS, EVENT, REVISION, DEPLOYMENT, SERVICE)
SWITCH = (STATUS, EVENT, REVISION, REVISION)
LEAVE = (STATUS, REVISION, *RETIRE)
START = (TRAINING, *OPEN_RUN, TRAINING, JOB, TRAINING, TRAINING, EVENT)
JUDGE = (TRAINING, EVENT, TRAINING, EVENT)
PUBLISH = (*HASH, *REGISTER, *ALIAS, CLOSE_RUN, TRAINING, EVENT)
FAIL = (TRAINING, EVENT)
# Training is told a second time: that event exists, and is counted up.
AGAIN = ("POST runs/create", TRAINING, EVENT, JOB, TRAINING, TRAINING, EVENT, "PATCH events")
REMOVE = "DELETE jobs"
TRAIN = "TrainingJob"
SCENARIOS = {
    "create": Scenario(create, "ModelDeployment", CREATE),
    "change": Scenario(change, "ModelDeployment", (*COME_UP, *SWITCH, *LEAVE)),
    "train": Scenario(train, TRAIN, (*START, *JUDGE, *PUBLISH, REMOVE, REMOVE)),
    "gate": Scenario(stop_at_the_gate, TRAIN, (*START, *JUDGE, TAG_RUN, CLOSE_RUN, REMOVE), known=len(START) + 2),
    "fail": Scenario(fail, TRAIN, (*START, *FAIL, CLOSE_RUN, REMOVE), known=len(START)),
    "again": Scenario(
        try_again,
        TRAIN,
        (*START, *FAIL, CLOSE_RUN, *AGAIN, *JUDGE, *PUBLISH, REMOVE, REMOVE, REMOVE),
        known=len(START),
        known_again=len((*JUDGE, *PUBLISH)) + 3,
    ),
    "deadline": Scenario(run_too_long, TRAIN, (*START, *FAIL, REMOVE, CLOSE_RUN), known=len(START)),
}


@pytest.fixture
def stage(control_plane: ControlPlane, api: httpx.Client, crds: None, mlflow: Mlflow) -> Iterator[Callable[[], Stage]]:
    """Makes stages."""
    made: list[str] = []

    def build() -> Stage:
        name = f"crash-{uuid4().hex[:8]}"
        api.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
        made.append(name)
        objects = Objects(api, name)
        return Stage(control_plane, objects, Controllers(objects), mlflow, MovedClock())

    yield build
    for name in made:
        for plural in ("modeldeployments", "trainingjobs"):
            api.delete(f"/apis/fairlead.dev/v1alpha1/namespaces/{name}/{plural}").raise_for_status()


@dataclass
class Outcome:
    """What a run of a scenario came to."""

    writes: list[str]
    end: dict[str, object]
    events: list[tuple[str, str]]
    killed: bool


async def run(stage: Stage, scenario: Scenario, trap: Trap) -> Outcome:
    """The scenario from its beginning to its end, in one life of the operator or in two."""
    play = await scenario.prepare(stage)
    killed = False
    try:
        async with stage.operator(trap) as operator:
            await operator.settle(stage.key(scenario.kind), play)
    except Killed:
        killed = True
        async with stage.operator(Trap(), epoch=2) as operator:
            await operator.settle(stage.key(scenario.kind), play)
    return Outcome(trap.writes, end_state(stage.objects, stage.mlflow), events(stage.objects), killed)


@pytest.fixture(scope="session")
def references() -> dict[str, Outcome]:
    """The undisturbed run of each scenario; filled by the first test that asks for it."""
    return {}


async def reference_of(name: str, build: Callable[[], Stage], references: dict[str, Outcome]) -> Outcome:
    """The undisturbed run of a scenario."""
    if name not in references:
        references[name] = await run(build(), SCENARIOS[name], Trap())
    return references[name]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_undisturbed_operator_makes_the_writes_that_the_scenario_names(
    name: str, stage: Callable[[], Stage], references: dict[str, Outcome]
) -> None:
    reference = await reference_of(name, stage, references)
    assert tuple(reference.writes) == SCENARIOS[name].writes, f"seen: {reference.writes}"


@pytest.mark.parametrize("name", SCENARIOS)
async def test_two_undisturbed_runs_end_alike(
    name: str, stage: Callable[[], Stage], references: dict[str, Outcome]
) -> None:
    reference = await reference_of(name, stage, references)
    again = await run(stage(), SCENARIOS[name], Trap())
    assert (again.end, again.events) == (reference.end, reference.events)


CASES = [
    pytest.param(name, number, mode, id=f"{name}-killed-{mode}-{number:02d}-{write.replace('/', '.')}")
    for name, scenario in SCENARIOS.items()
    for number, write in enumerate(scenario.writes, start=1)
    if number in scenario.deaths
    for mode in ("before", "after")
]


@pytest.mark.parametrize(("name", "number", "mode"), CASES)
async def test_an_operator_killed_at_a_write_is_followed_by_one_that_comes_to_the_same_end(
    name: str, number: int, mode: Mode, stage: Callable[[], Stage], references: dict[str, Outcome]
) -> None:
    reference = await reference_of(name, stage, references)
    outcome = await run(stage(), SCENARIOS[name], Trap(number, mode))
    assert outcome.killed, f"there was no write {number} in {outcome.writes}"
    assert outcome.end == reference.end
    # An event may die with the operator that was about to write it; none may be told twice, or be of another story.
    assert not [item for item in outcome.events if item not in reference.events]
