"""The whole cluster for the end-to-end tests: brought up once, with Fairlead and MLflow; a namespace for each test."""

from collections.abc import Iterator

import pytest
from tests import platform
from tests.cluster.interface import Cluster
from tests.cluster.interface import cluster as local_cluster
from tests.cluster.paths import locked
from tests.e2e.registry import Mlflow
from tests.e2e.rollout import Watched
from tests.e2e.world import World, namespaced


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several files run at a time, what takes long must not be left for the end."""

    def minutes(item: pytest.Item) -> float:
        mark = item.get_closest_marker("long")
        return float(mark.args[0]) if mark else 0.0

    items.sort(key=minutes, reverse=True)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Cluster:
    """The cluster, up, with Fairlead installed. It stays up after the tests, as after `make demo`."""
    found = local_cluster()
    # Tests that run at the same time are in several processes. The first one installs: what comes later would meet
    # tests that have taken something of it away.
    done = tmp_path_factory.getbasetemp().parent / "platform" if worker_id != "master" else None
    with locked("platform"):
        if done is None or not done.exists():
            platform.install_all(found)
        if done:
            done.touch()
    return found


@pytest.fixture(scope="session")
def mlflow(cluster: Cluster) -> Mlflow:
    """MLflow as the tests reach it."""
    return Mlflow(platform.mlflow_url(cluster))


@pytest.fixture
def world(cluster: Cluster) -> Iterator[World]:
    """A namespace for one test."""
    with namespaced(cluster) as found:
        yield found


@pytest.fixture
def watched(world: World) -> Watched:
    """The ModelDeployment of a rollout's test; nothing is deployed yet."""
    return Watched(world)
