"""Whatever happens to a ModelDeployment, in whatever order: the promises hold after every write, and it settles."""

from collections.abc import Callable, Iterator

from hypothesis import given, note
from hypothesis import strategies as st
from tests.property.serving_simulation import BEHAVIOURS, ServingSimulation
from tests.property.simulated import Behaviour

from fairlead.api.model_deployment import ResolvedModel
from fairlead.api.reasons import Reason
from fairlead.core.world import RegistryProblem

Action = tuple[str, Callable[[ServingSimulation], object]]

IMAGES = sorted(BEHAVIOURS.keys() - {"example/serving:1"})
CHILDREN = ("ControllerRevision", "Deployment", "Service", "Pod")
SECONDS = (2, 20, 60, 1000)


def _image(image: str) -> Action:
    return f"image {image}", lambda world: world.edit(container={"image": image}, model=None)


def _becomes(image: str, fate: str) -> Action:
    def change(world: ServingSimulation) -> None:
        world.pods.behaviours[image] = Behaviour(fate)

    return f"pods of {image} {fate}", change


def _replicas(count: int) -> Action:
    return f"replicas {count}", lambda world: world.edit(replicas=count)


def _history(limit: int) -> Action:
    return f"history {limit}", lambda world: world.edit(revisionHistoryLimit=limit)


def _time(seconds: int) -> Action:
    return f"{seconds} s", lambda world: world.tick(seconds)


def _crash_after(writes: int) -> Action:
    return f"crash after {writes}", lambda world: world.reconcile(most=writes)


def _lose(kind: str) -> Action:
    def lose(world: ServingSimulation) -> None:
        for body in world.cluster.of_kind(kind)[:1]:
            world.cluster.lose(kind, body["metadata"]["name"])

    return f"lose a {kind}", lose


def _registry(version: str) -> Action:
    answer = ResolvedModel(name="churn", alias="candidate", version=version)

    def change(world: ServingSimulation) -> None:
        world.model = answer if version else RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")

    return f"registry says {version or 'nothing'}", change


def _model(world: ServingSimulation) -> None:
    world.model = world.model or ResolvedModel(name="churn", alias="candidate", version="1")
    world.edit(container=None, model={"name": "churn", "alias": "candidate"})


def _odd_spellings(world: ServingSimulation) -> None:
    """What the API server gives back in other words."""
    container = {"image": "example/churn:1", "env": [{"name": "EMPTY", "value": ""}]}
    world.edit(container=container, model=None, sharedMemory="1024Mi", resources={"limits": {"cpu": "1000m"}})


def _new_leader(world: ServingSimulation) -> None:
    world.epoch += 1


def _refuse(kind: str) -> Action:
    return f"refuse {kind}", lambda world: world.cluster.refused_kinds.add(kind)


ACTIONS: list[Action] = [
    *(_image(image) for image in IMAGES),
    _becomes("example/churn:1", "crash"),
    _becomes("example/churn:1", "ready"),
    _becomes("example/crash:1", "ready"),
    *(_replicas(count) for count in (1, 3)),
    *(_history(limit) for limit in (0, 1, 10)),
    *(_time(seconds) for seconds in SECONDS),
    *(_crash_after(writes) for writes in (1, 2, 3, 5)),
    *(_lose(kind) for kind in CHILDREN),
    *(_registry(version) for version in ("1", "2", "")),
    ("serve a model", _model),
    ("odd spellings", _odd_spellings),
    ("lose the status", ServingSimulation.wipe_status),
    ("a new leader", _new_leader),
    *(_refuse(kind) for kind in ("Service", "Deployment")),
    ("someone takes the Service's name", ServingSimulation.take_service_name),
    ("someone frees the Service's name", ServingSimulation.free_service_name),
    ("refuse nothing", lambda world: world.cluster.refused_kinds.clear()),
]
STORY = st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from((0, 0, 4, 30))), max_size=12)
"""What happens, and for how many seconds the operator is then at work."""


def live(world: ServingSimulation, story: list[tuple[Action, int]]) -> Iterator[None]:
    """The story, one action after the other; yields after each."""
    for (name, act), seconds in story:
        note(f"{name}, then {seconds} s")
        act(world)
        if "model" not in world.body["spec"]:
            world.model = None  # the gatherer asks the registry only for a model
        if seconds:
            world.settle(seconds)
        yield


@given(st.booleans(), STORY)
def test_the_promises_hold_after_every_write_and_the_world_settles(
    serves: bool, story: list[tuple[Action, int]]
) -> None:
    world = ServingSimulation()
    if serves:
        world.settle(10)
    for _ in live(world, story):
        world.reconcile()
        world.check_settled()


@given(STORY)
def test_once_the_world_is_kind_again_what_the_spec_asks_for_serves(story: list[tuple[Action, int]]) -> None:
    world = ServingSimulation()
    for _ in live(world, story):
        pass
    world.cluster.refused_kinds.clear()
    world.pods.behaviours.update(BEHAVIOURS)
    world.free_service_name()
    world.edit(container={"image": "example/churn:1", "args": ["--kind"]}, model=None, replicas=2)
    world.model = None
    world.settle(120)
    assert world.status.phase == "Stable"
    assert world.selected() == world.revision == world.status.stable.revision  # type: ignore[union-attr]
    assert world.workloads() == {world.revision}
    assert world.condition("RolledOut") == ("True", "RolledOut")
