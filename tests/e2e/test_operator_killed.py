"""The operator is killed again and again while it leads a training: nothing is done twice, and nothing is lost."""

import queue
import time

from tests.cluster.audit import mark, writes
from tests.cluster.interface import Cluster
from tests.e2e import trainers
from tests.e2e.killing import Killer, phases
from tests.e2e.registry import Mlflow
from tests.e2e.world import World, training

ALL_SECONDS = 240.0


def test_the_operator_killed_at_every_phase_change_makes_one_job_per_attempt_and_one_version(
    world: World, cluster: Cluster, mlflow: Mlflow
) -> None:
    model = f"{world.namespace}-model"
    before = mark(cluster.audit_log)
    seen = _train_and_kill(world, training(
        "often", model, container={"command": trainers.SUCCEEDS_AT_THE_SECOND_ATTEMPT}, policy={"maxAttempts": 2},
        gate={"rules": [{"metric": "accuracy", "min": 0.9}]},
    ))  # fmt: skip
    assert set(seen) >= {"Pending", "Running", "Gating", "Registering", "Succeeded"}, seen

    found = world.get("tj", "often") or {}
    status = found["status"]
    assert (status["phase"], status["attempt"]) == ("Succeeded", 2), status
    made = [
        item.name for item in writes(cluster.audit_log, before)
        if (item.resource, item.namespace, item.code) == ("jobs", world.namespace, 201)
    ]  # fmt: skip
    assert sorted(made) == ["often-1", "often-2", "often-2-register"], "every Job was created once"
    assert [item["version"] for item in mlflow.versions(model)] == ["1"]
    assert mlflow.aliases(model) == {"candidate": "1"}
    runs = mlflow.runs_of(status["run"]["experimentId"], found["metadata"]["uid"])
    assert sorted(run["info"]["status"] for run in runs) == ["FAILED", "FINISHED"], "one run per attempt"


def _train_and_kill(world: World, job: dict[str, object]) -> list[str]:
    """Apply a TrainingJob and kill the operator whenever its phase changes; the phases, in order."""
    killer = Killer(world.cluster)
    seen: list[str] = []
    limit = time.monotonic() + ALL_SECONDS
    with phases(world, "tj") as told:
        world.apply(job)
        while not seen or seen[-1] not in ("Succeeded", "Failed"):
            assert time.monotonic() < limit, f"{seen}\n{world.describe()}"
            try:
                seen.append(told.get(timeout=0.5))
            except queue.Empty:
                killer.look()
            else:
                killer.kill()  # dead already when two phases came in the moment before the last kill
    world.cluster.kubectl("-n", "fairlead-system", "rollout", "status", "deploy/fairlead", "--timeout=60s")
    assert killer.kills >= len(set(seen)), f"{killer.kills} kills at {seen}"
    return seen
