"""One writer per alias, with a real MLflow: what belongs to someone else stays until it is handed over."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.apiserver.composition import Composition, MovedClock, Trap
from tests.apiserver.controllers import DIGEST, Controllers
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects, conditions
from tests.cluster import ControlPlane

from fairlead.shell.keys import Key

TAG = "fairlead.alias.candidate.writer"
OTHER = "operator-of-another-cluster/team"


@dataclass
class Town:
    """A namespace with an operator, whose TrainingJobs all register the model of the namespace's name."""

    objects: Objects
    controllers: Controllers
    mlflow: Mlflow
    operator: Composition

    @property
    def model(self) -> str:
        """The registered model."""
        return self.objects.namespace

    @property
    def us(self) -> str:
        """Who writes aliases from here; the composition's operator has this id."""
        return f"operator/{self.objects.namespace}"

    async def look(self, name: str) -> dict[str, Any]:
        """One reconcile; the status."""
        await self.operator.reconcile(Key("TrainingJob", self.objects.namespace, name))
        return dict(self.objects.get("TrainingJob", name)["status"])

    async def train(self, name: str) -> dict[str, Any]:
        """A TrainingJob whose trainer logs a model and whose files are hashed; the status after that."""
        spec = {"container": {"image": "registry.example/fit:1"}, "register": {"model": self.model}}
        self.objects.create({"kind": "TrainingJob", "metadata": {"name": name}, "spec": spec})
        await self.look(name)
        self.controllers.job_running(f"{name}-1")
        run_id = (await self.look(name))["run"]["id"]
        self.mlflow.log_model(run_id)
        self.controllers.job_complete(f"{name}-1")
        await self.look(name)
        self.controllers.job_hashed(f"{name}-1-register")
        return await self.look(name)

    def tag(self, writer: str) -> None:
        """Record a writer by hand."""
        self.mlflow.post("registered-models/set-tag", name=self.model, key=TAG, value=writer)

    def writer(self) -> str:
        """Who is recorded."""
        found = self.mlflow.get("registered-models/get", name=self.model)["registered_model"]
        return {item["key"]: item["value"] for item in found.get("tags", ())}.get(TAG, "")

    def reason(self, name: str) -> tuple[str, str]:
        """Reason and message of the condition Ready."""
        found = conditions(self.objects.get("TrainingJob", name))["Ready"]
        return found["reason"], found["message"]


@pytest.fixture
async def town(
    control_plane: ControlPlane, mlflow: Mlflow, objects: Objects, controllers: Controllers
) -> AsyncIterator[Town]:
    """An operator in this process."""
    async with Composition(
        control_plane, objects.namespace, clock=MovedClock(), registry_url=mlflow.url, trap=Trap()
    ) as operator:
        yield Town(objects, controllers, mlflow, operator)


async def test_a_version_says_where_it_comes_from_and_the_alias_who_writes_it(town: Town) -> None:
    status = await town.train("fit")
    (version,) = town.mlflow.versions(town.model)
    tags = {item["key"]: item["value"] for item in version["tags"]}
    assert version["description"] == f"Trained and registered by Fairlead for the TrainingJob {town.model}/fit."
    assert (version["run_id"], tags["fairlead.model.digest"]) == (status["run"]["id"], DIGEST)
    assert town.writer() == town.us
    assert status["modelVersion"]["digest"] == DIGEST


async def test_an_alias_that_was_set_by_hand_stays_until_it_is_handed_over(town: Town) -> None:
    town.mlflow.register(town.model, "candidate")
    status = await town.train("fit")
    reason, message = town.reason("fit")
    assert (status["phase"], reason) == ("Registering", "AliasConflict")
    assert "points at version 1, which no TrainingJob registered" in message
    assert status["modelVersion"]["version"] == "2"
    assert (await town.look("fit"), town.mlflow.aliases(town.model)) == (status, {"candidate": "1"})
    town.tag(town.us)
    assert (await town.look("fit"))["phase"] == "Succeeded"
    assert town.mlflow.aliases(town.model) == {"candidate": "2"}


@pytest.mark.parametrize("hand_over", ["set the tag", "delete the tag", "delete both"])
async def test_an_alias_of_another_writer_stays_until_it_is_handed_over(town: Town, hand_over: str) -> None:
    await town.train("first")
    town.tag(OTHER)
    assert (await town.train("second"))["phase"] == "Registering"
    reason, message = town.reason("second")
    assert (reason, OTHER in message, town.us in message) == ("AliasConflict", True, True)
    assert town.mlflow.aliases(town.model) == {"candidate": "1"}
    if hand_over == "set the tag":
        town.tag(town.us)
    else:
        town.mlflow.delete("registered-models/delete-tag", name=town.model, key=TAG)
    if hand_over == "delete both":
        town.mlflow.delete("registered-models/alias", name=town.model, alias="candidate")
    assert (await town.look("second"))["phase"] == "Succeeded"
    assert (town.mlflow.aliases(town.model), town.writer()) == ({"candidate": "2"}, town.us)


async def test_an_alias_that_someone_took_back_by_hand_moves_on_with_the_next_training(town: Town) -> None:
    await town.train("first")
    await town.train("second")
    town.mlflow.post("registered-models/alias", name=town.model, alias="candidate", version="1")
    assert (await town.train("third"))["modelVersion"]["alias"] == "candidate"
    assert town.mlflow.aliases(town.model) == {"candidate": "3"}


async def test_a_training_that_registers_late_does_not_take_the_alias_back(town: Town) -> None:
    town.mlflow.register(town.model, "other")
    town.tag(OTHER)
    for name in ("late", "soon"):
        assert (await town.train(name))["phase"] == "Registering"
    town.tag(town.us)
    assert (await town.look("soon"))["phase"] == "Succeeded"
    status = await town.look("late")
    assert (status["phase"], status["modelVersion"]["version"]) == ("Succeeded", "2")
    assert "stays at the newer version 3" in town.reason("late")[1]
    assert town.mlflow.aliases(town.model)["candidate"] == "3"
