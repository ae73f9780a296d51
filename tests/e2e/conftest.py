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


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster, up, with Fairlead installed. It stays up after the tests, as after `make demo`."""
    found = local_cluster()
    with locked("platform"):  # tests that may run at the same time are in two processes
        platform.install_all(found)
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
