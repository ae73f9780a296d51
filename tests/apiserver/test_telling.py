"""What a real MLflow hears of rollouts that have ended, and what becomes of it while it is away.

The ends are written into the status by hand: how a rollout comes to them is shown elsewhere.
"""

import json
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from tests.apiserver.composition import Composition, Killed, Mode, MovedClock, Trap
from tests.apiserver.controllers import Controllers, exited
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects, eventually
from tests.apiserver.operator_process import StartOperator
from tests.apiserver.registry_proxy import RegistryProxy, registry_proxy
from tests.apiserver.test_models import add_version, expect_served, serve, start
from tests.cluster import ControlPlane
from tests.cluster.progress import last_lines, pause

from fairlead.adapters.mlflow_http import TIMEOUT_SECONDS
from fairlead.shell.keys import Key

NAME = "churn"


@pytest.fixture
def proxy(mlflow: Mlflow) -> Iterator[RegistryProxy]:
    """A way to MLflow that can fail."""
    with registry_proxy(mlflow.url) as made:
        yield made


def status(objects: Objects) -> dict[str, Any]:
    return dict(objects.get("ModelDeployment", NAME).get("status") or {})


def end(objects: Objects, outcome: str, version: str, *, revision: str = "") -> None:
    """A rollout ends: one more line in the history, written until no status that was under way has replaced it."""
    found = status(objects)
    entry = {
        "revision": revision or found["stable"]["revision"],
        "modelVersion": version,
        "outcome": outcome,
        "reason": "Promoted" if outcome == "Promoted" else "ErrorsAboveStable",
        "message": "12 of 60 requests failed",
        "ended": f"2026-01-01T00:00:{len(found.get('history', ())):02}Z",
        "told": False,
    }

    def stays() -> bool:
        history = status(objects).get("history", [])
        if any(item["ended"] == entry["ended"] for item in history):
            return True
        objects.merge("ModelDeployment", NAME, {"status": {"history": [*history, entry]}}, subresource="status")
        pause(0.5)
        return False

    eventually("the end is in the history", stays, seconds=10)


def tags(mlflow: Mlflow, model: str, version: str) -> dict[str, str]:
    found = mlflow.get("model-versions/get", name=model, version=version)["model_version"].get("tags", ())
    return {item["key"]: item["value"] for item in found}


def all_told(objects: Objects) -> bool:
    history = status(objects).get("history", ())
    return bool(history) and all(entry["told"] for entry in history)


def serving(objects: Objects, controllers: Controllers, mlflow: Mlflow, model: str) -> None:
    mlflow.register(model, "candidate")
    serve(objects, NAME, name=model, alias="candidate")
    expect_served(objects, controllers, NAME)


def test_a_promotion_moves_the_alias_and_a_roll_back_tags_its_version(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow
) -> None:
    model = f"{objects.namespace}-told"
    start(start_operator, mlflow.url)
    serving(objects, controllers, mlflow, model)
    end(objects, "Promoted", "1")
    eventually("it is told", lambda: all_told(objects), seconds=20, shows=lambda: status(objects).get("history"))
    assert mlflow.aliases(model)["champion"] == "1"
    assert tags(mlflow, model, "1")["fairlead.rollout"] == "Promoted"
    bad = add_version(mlflow, model)
    end(objects, "RolledBack", bad, revision="churn-bad")
    eventually("the other one, too", lambda: all_told(objects), seconds=20)
    assert mlflow.aliases(model)["champion"] == "1"
    found = tags(mlflow, model, bad)
    assert (found["fairlead.rollout"], found["fairlead.rollout.reason"]) == ("RolledBack", "ErrorsAboveStable")
    assert json.loads(found["fairlead.rollout.record"])["message"] == "12 of 60 requests failed"


def test_an_alias_of_another_writer_stays_and_an_event_says_so(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow
) -> None:
    model = f"{objects.namespace}-theirs"
    start(start_operator, mlflow.url)
    serving(objects, controllers, mlflow, model)
    add_version(mlflow, model)
    mlflow.post("registered-models/alias", name=model, alias="champion", version="2")
    end(objects, "Promoted", "1")
    eventually("it is told", lambda: all_told(objects), seconds=20)
    assert mlflow.aliases(model)["champion"] == "2"
    assert "AliasConflict" in {event["reason"] for event in objects.every("Event")}


def test_while_mlflow_is_away_nothing_waits_and_it_is_caught_up_later(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow, proxy: RegistryProxy
) -> None:
    model = f"{objects.namespace}-away"
    start(start_operator, proxy.url)
    serving(objects, controllers, mlflow, model)
    proxy.stop()
    end(objects, "Promoted", "1")
    objects.merge("ModelDeployment", NAME, {"spec": {"replicas": 3}})
    revision = status(objects)["stable"]["revision"]
    eventually("scaled meanwhile", lambda: objects.get("Deployment", revision)["spec"]["replicas"] == 3, seconds=5)
    assert not all_told(objects)
    proxy.start()
    eventually("it is caught up", lambda: all_told(objects), seconds=70)
    assert mlflow.aliases(model)["champion"] == "1"


def test_a_version_that_somebody_has_deleted_needs_no_telling_and_ends_nobody(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow
) -> None:
    model = f"{objects.namespace}-gone"
    operator = start(start_operator, mlflow.url)
    serving(objects, controllers, mlflow, model)
    gone = add_version(mlflow, model)
    mlflow.delete("model-versions/delete", name=model, version=gone)
    end(objects, "Promoted", gone)
    eventually("it counts as told", lambda: all_told(objects), seconds=20, shows=lambda: last_lines(operator.log))
    assert operator.alive
    assert "champion" not in mlflow.aliases(model)


def test_a_roll_back_waits_for_no_call_to_mlflow_that_hangs_and_its_version_is_tagged_afterwards(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow, proxy: RegistryProxy
) -> None:
    model = f"{objects.namespace}-hangs"
    start(start_operator, proxy.url)
    serving(objects, controllers, mlflow, model)
    good = status(objects)["stable"]["revision"]
    bad = add_version(mlflow, model)
    mlflow.post("registered-models/alias", name=model, alias="candidate", version=bad)
    found = eventually("a candidate", lambda: status(objects).get("candidate"), seconds=10)
    eventually("its Deployment", lambda: found["revision"] in objects.workload_names(), seconds=10)
    proxy.hang()
    end(objects, "Promoted", "1")
    eventually("MLflow is being told", lambda: proxy.requests["model-versions/set-tag"], seconds=10)
    pod, began = controllers.pod_of("Deployment", found["revision"]), time.monotonic()
    controllers.container(pod, exited(7, message="boom", restarts=2), phase="Running")
    eventually("it is quarantined", lambda: status(objects)["quarantine"], seconds=10)
    eventually("its pods are gone", lambda: objects.workload_names() == [good], seconds=10)
    assert time.monotonic() - began < TIMEOUT_SECONDS, "several writes in less time than one call that hangs takes"
    after = status(objects)
    assert after["stable"]["revision"] == good
    assert [(it["outcome"], it["told"]) for it in after["history"]] == [("Promoted", False), ("RolledBack", False)]
    proxy.answer()
    eventually("it is caught up", lambda: all_told(objects), seconds=70)
    assert tags(mlflow, model, bad)["fairlead.rollout.reason"] == "ContainerCrashed"
    assert mlflow.aliases(model) == {"candidate": bad, "champion": "1"}
    assert objects.workload_names() == [good], "it is not tried again"


TAG, CLAIM, ALIAS = "POST model-versions/set-tag", "POST registered-models/set-tag", "POST registered-models/alias"
WRITES = (TAG, TAG, TAG, CLAIM, ALIAS)


async def test_an_operator_killed_at_any_write_to_mlflow_is_followed_by_one_that_comes_to_the_same_end(
    start_operator: StartOperator,
    objects: Objects,
    controllers: Controllers,
    mlflow: Mlflow,
    control_plane: ControlPlane,
) -> None:
    model, clock = f"{objects.namespace}-killed", MovedClock()
    operator = start(start_operator, mlflow.url)
    serving(objects, controllers, mlflow, model)
    operator.stop()
    key = Key("ModelDeployment", objects.namespace, NAME)

    async def live(trap: Trap, epoch: int) -> None:
        async with Composition(
            control_plane, objects.namespace, clock=clock, registry_url=mlflow.url, trap=trap, epoch=epoch
        ) as life:
            await life.tell()
            await life.reconcile(key)

    modes: tuple[Mode, Mode] = ("before", "after")
    for number, mode in product(range(1, len(WRITES) + 1), modes):
        version, trap = add_version(mlflow, model), Trap(number, mode)
        end(objects, "Promoted", version)
        with pytest.raises(Killed):
            await live(trap, 2 * int(version))
        assert tuple(trap.writes) == WRITES[:number]
        assert not all_told(objects)
        await live(Trap(), 2 * int(version) + 1)
        assert all_told(objects)
        assert mlflow.aliases(model) == {"candidate": "1", "champion": version}
        found = tags(mlflow, model, version)
        assert (found["fairlead.rollout"], found["fairlead.rollout.reason"]) == ("Promoted", "Promoted")
        assert json.loads(found["fairlead.rollout.record"])["modelVersion"] == version
        mlflow.delete("registered-models/alias", name=model, alias="champion")
        mlflow.delete("registered-models/delete-tag", name=model, key="fairlead.alias.champion.writer")
