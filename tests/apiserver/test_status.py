"""A status that is there and empty, as a tool that restores objects may leave it, hinders nothing.

The API server reads the schema's defaults into it, so that it does not look empty.
"""

import httpx
from tests.apiserver.composition import Composition, MovedClock, Trap
from tests.apiserver.controllers import Controllers
from tests.apiserver.objects import Objects, conditions
from tests.cluster import ControlPlane

from fairlead.api.kinds import BY_KIND
from fairlead.shell.keys import Key


def empty_status(api: httpx.Client, objects: Objects, kind: str) -> None:
    """Write `status: {}`."""
    body = {**objects.get(kind, "web"), "status": {}}
    api.put(BY_KIND[kind].path(objects.namespace, "web") + "/status", json=body).raise_for_status()
    assert objects.get(kind, "web")["status"]["conditions"] == []


async def test_an_empty_status_is_written_like_one_that_is_not_there(
    control_plane: ControlPlane, api: httpx.Client, objects: Objects, controllers: Controllers
) -> None:
    spec = {"container": {"image": "registry.example/web:1"}}
    objects.create({"kind": "ModelDeployment", "metadata": {"name": "web"}, "spec": spec})
    empty_status(api, objects, "ModelDeployment")
    key = Key("ModelDeployment", objects.namespace, "web")
    async with Composition(
        control_plane, objects.namespace, clock=MovedClock(), registry_url="", trap=Trap()
    ) as operator:
        await operator.settle(key, controllers.all_ready)
    after = objects.get("ModelDeployment", "web")
    assert (after["status"]["phase"], conditions(after)["RolledOut"]["status"]) == ("Stable", "True")


async def test_a_trainingjob_with_an_empty_status_says_what_it_waits_for(
    control_plane: ControlPlane, api: httpx.Client, objects: Objects
) -> None:
    spec = {"container": {"image": "registry.example/trainer:1"}, "register": {"model": "web"}}
    objects.create({"kind": "TrainingJob", "metadata": {"name": "web"}, "spec": spec})
    empty_status(api, objects, "TrainingJob")
    async with Composition(
        control_plane, objects.namespace, clock=MovedClock(), registry_url="", trap=Trap()
    ) as operator:
        await operator.reconcile(Key("TrainingJob", objects.namespace, "web"))
    assert conditions(objects.get("TrainingJob", "web"))["Ready"]["reason"] == "RegistryNotConfigured"
