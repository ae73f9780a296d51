"""What Argo CD would say of both kinds as a real API server shows them, with the schema's defaults filled in."""

from typing import Any

import httpx
import pytest
from tests.apiserver.composition import Composition, MovedClock, Trap
from tests.apiserver.controllers import Controllers, exited
from tests.apiserver.objects import Objects
from tests.argocd import health_of
from tests.cluster import ControlPlane

from fairlead.shell.keys import Key


class Judged:
    """One resource `web`, an operator that goes on when it is told to, and Argo CD's word for it."""

    def __init__(self, operator: Composition, objects: Objects, kind: str, spec: dict[str, Any]) -> None:
        self.operator = operator
        self.objects = objects
        self.controllers = Controllers(objects)
        self.key = Key(kind, objects.namespace, "web")
        objects.create({"kind": kind, "metadata": {"name": "web"}, "spec": spec})

    @property
    def health(self) -> str:
        """As of now."""
        body = self.objects.get(self.key.kind, "web")
        return health_of({"kind": self.key.kind, **body}).status

    async def settle(self) -> None:
        """Until nothing is left to do, with every pod ready."""
        await self.operator.settle(self.key, self.controllers.all_ready)


@pytest.fixture
def operator(control_plane: ControlPlane, objects: Objects) -> Composition:
    """One without a registry."""
    return Composition(control_plane, objects.namespace, clock=MovedClock(), registry_url="", trap=Trap())


async def test_a_modeldeployment_goes_from_progressing_to_healthy_and_says_so_of_the_spec_that_was_seen(
    operator: Composition, objects: Objects, api: httpx.Client
) -> None:
    async with operator:
        web = Judged(operator, objects, "ModelDeployment", {"container": {"image": "registry.example/web:1"}})
        assert web.health == "Progressing"
        await operator.reconcile(web.key)
        assert web.health == "Progressing"
        await web.settle()
        assert web.health == "Healthy"
        objects.merge("ModelDeployment", "web", {"spec": {"replicas": 2}})
        assert web.health == "Progressing"
        await web.settle()
        assert web.health == "Healthy"


async def test_a_modeldeployment_whose_first_version_crashes_is_degraded(
    operator: Composition, objects: Objects
) -> None:
    async with operator:
        web = Judged(operator, objects, "ModelDeployment", {"container": {"image": "registry.example/web:1"}})
        await operator.reconcile(web.key)
        (name,) = [name for name in objects.names("Deployment") if name.startswith("web-")]
        pod = web.controllers.pod_of("Deployment", name)
        web.controllers.container(pod, exited(1, message="no such file", restarts=2), phase="Running")
        await operator.reconcile(web.key)
        assert web.health == "Degraded"


async def test_a_suspended_training_is_suspended_and_one_that_lacks_a_registry_degraded(
    operator: Composition, objects: Objects
) -> None:
    spec = {"container": {"image": "registry.example/fit:1"}, "register": {"model": "web"}}
    async with operator:
        fit = Judged(operator, objects, "TrainingJob", {**spec, "suspend": True})
        assert fit.health == "Progressing"
        await operator.reconcile(fit.key)
        assert fit.health == "Suspended"
        objects.merge("TrainingJob", "web", {"spec": {"suspend": False}})
        assert fit.health == "Progressing"
        await operator.reconcile(fit.key)
        assert fit.health == "Degraded"
