"""A newer operator, with other defaults for pods, touches no pod template that is already there."""

import pytest
from tests.apiserver.composition import Composition, MovedClock, Trap
from tests.apiserver.controllers import Controllers
from tests.apiserver.objects import Objects
from tests.cluster import ControlPlane

from fairlead.render import defaults
from fairlead.shell.keys import Key

OLD = {"container": {"image": "registry.example/web:1"}, "replicas": 2}
NEW = {"container": {"image": "registry.example/web:2"}}


async def settle(plane: ControlPlane, objects: Objects, controllers: Controllers) -> list[str]:
    """One life of the operator; its writes."""
    trap = Trap()
    async with Composition(plane, objects.namespace, clock=MovedClock(), registry_url="", trap=trap) as operator:
        await operator.settle(Key("ModelDeployment", objects.namespace, "web"), controllers.all_ready)
    return trap.writes


def variables(objects: Objects, deployment: str) -> dict[str, str]:
    """The environment of the first container."""
    template = objects.get("Deployment", deployment)["spec"]["template"]
    return {item["name"]: item["value"] for item in template["spec"]["containers"][0]["env"]}


async def test_other_defaults_reach_new_revisions_alone(
    control_plane: ControlPlane, objects: Objects, controllers: Controllers, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects.create({"kind": "ModelDeployment", "metadata": {"name": "web"}, "spec": OLD})
    await settle(control_plane, objects, controllers)
    before = objects.workloads()
    monkeypatch.setitem(defaults.POD_ENV, "NEW_DEFAULT", "1")
    monkeypatch.setitem(defaults.POD_LABELS, "team.example/new-default", "1")
    assert await settle(control_plane, objects, controllers) == []
    assert objects.workloads() == before
    # Scaling writes the old Deployment anew: even then with its old template.
    objects.merge("ModelDeployment", "web", {"spec": {"replicas": 3}})
    await settle(control_plane, objects, controllers)
    [scaled] = objects.workloads()
    assert scaled["spec"]["replicas"] == 3
    assert scaled["spec"]["template"] == before[0]["spec"]["template"]
    objects.merge("ModelDeployment", "web", {"spec": NEW})
    await settle(control_plane, objects, controllers)
    [fresh] = objects.workload_names()
    assert variables(objects, fresh)["NEW_DEFAULT"] == "1"
