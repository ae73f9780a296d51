"""From a trainer that ended well to the model that is registered, or to the reason why none is."""

import math
from typing import Any

import pytest
from tests.property.training_simulation import TrainingSimulation
from tests.unit.builders import job_body, training_body, training_world

from fairlead.api.reasons import Reason
from fairlead.api.training_job import TrainingPhase
from fairlead.core.effects import Plan, WriteStatus
from fairlead.core.training.gating import pass_gate
from fairlead.core.world import LoggedModel, RegistryFacts, RegistryProblem, Run

RUN = Run("run-1", "1", "http://mlflow/run", "FINISHED")
GATE = {"rules": [{"metric": "accuracy", "min": 0.9}]}


def models(*names: str) -> tuple[LoggedModel, ...]:
    return tuple(LoggedModel(f"m-{number}", f"models:/m-{number}", name) for number, name in enumerate(names, start=1))


def judged(registry: RegistryFacts | RegistryProblem, **spec: Any) -> Plan:
    status = {"phase": "Gating", "attempt": 1, "run": {"id": "run-1"}}
    body = training_body(status=status, **spec)
    return pass_gate(training_world(body, [job_body(body, ended="Complete")], registry=registry))


def written(plan: Plan) -> Any:
    (effect,) = plan.effects
    assert isinstance(effect, WriteStatus)
    return effect.after


def ready(status: Any) -> tuple[str, str]:
    return status["conditions"][0]["reason"], status["conditions"][0]["message"]


def test_a_model_that_passes_goes_on_to_the_registration_with_the_numbers_latched() -> None:
    facts = RegistryFacts(RUN, models("model"), metrics={"accuracy": 0.95, "loss": 0.1})
    status = written(judged(facts, gate=GATE))
    assert status["phase"] == "Registering"
    assert status["modelVersion"]["modelId"] == "m-1"
    assert status["metrics"] == {"accuracy": 0.95, "loss": 0.1}
    rule = {"metric": "accuracy", "min": 0.9, "value": 0.95, "passed": True, "reason": ""}
    assert status["gate"] == {"passed": True, "rules": [rule]}
    expected = "the gate has passed (accuracy 0.95, expected at least 0.9); registering m-1 as churn"
    assert ready(status) == ("Registering", expected)


def test_without_a_gate_metrics_are_kept_and_nothing_is_judged() -> None:
    status = written(judged(RegistryFacts(RUN, models("model"), metrics={"accuracy": 0.1, "loss": math.nan})))
    assert (status["phase"], status["metrics"]) == ("Registering", {"accuracy": 0.1})
    assert "gate" not in status
    assert ready(status) == ("Registering", "registering m-1 as churn")


def test_a_model_below_the_gate_has_failed_and_the_numbers_say_why() -> None:
    facts = RegistryFacts(RUN, models("model"), metrics={"accuracy": 0.71})
    status = written(judged(facts, gate=GATE))
    assert status["phase"] == "Failed"
    assert ready(status) == ("GateFailed", "accuracy 0.71, expected at least 0.9")
    assert status["gate"]["rules"][0]["value"] == 0.71
    assert status["metrics"] == {"accuracy": 0.71}
    assert "modelVersion" not in status


@pytest.mark.parametrize(("metrics", "reason"), [({}, "MetricMissing"), ({"accuracy": math.nan}, "MetricNotFinite")])
def test_a_metric_without_a_number_has_a_word_of_its_own(metrics: dict[str, float], reason: str) -> None:
    status = written(judged(RegistryFacts(RUN, models("model"), metrics=metrics), gate=GATE))
    assert (status["phase"], ready(status)[0]) == ("Failed", reason)


def test_one_model_of_several_is_chosen_by_its_name() -> None:
    register = {"model": "churn", "artifact": "tree"}
    status = written(judged(RegistryFacts(RUN, models("scaler", "tree")), register=register))
    assert (status["phase"], status["modelVersion"]["modelId"]) == ("Registering", "m-2")


@pytest.mark.parametrize(
    ("names", "artifact", "reason", "said"),
    [
        ([], None, "NoModelLogged", "its MLflow run run-1 has no logged model"),
        (["tree", "net"], "forest", "NoModelLogged", 'has no logged model named "forest"; it has net, tree'),
        (["tree", "net"], None, "AmbiguousModel", "expected one logged model in MLflow run run-1, got 2: m-1 (tree)"),
        (["tree", "tree"], "tree", "AmbiguousModel", 'expected one logged model named "tree" in MLflow run run-1, got'),
    ],
)
def test_no_model_and_several_are_failures_that_say_what_there_is(
    names: list[str], artifact: str | None, reason: str, said: str
) -> None:
    register = {"model": "churn"} | ({"artifact": artifact} if artifact else {})
    status = written(judged(RegistryFacts(RUN, models(*names)), register=register))
    assert status["phase"] == "Failed"
    assert ready(status)[0] == reason
    assert said in ready(status)[1]


def test_a_registry_that_gives_no_answer_is_waited_for() -> None:
    plan = judged(RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer"))
    assert (written(plan)["phase"], ready(written(plan))[0]) == ("Gating", "RegistryUnavailable")
    assert plan.requeue_after_seconds == 5.0


def test_the_run_of_a_model_below_the_gate_is_tagged_with_the_reason_and_ends_well() -> None:
    world = TrainingSimulation(gate=GATE)
    world.reconcile()
    world.run_pod()
    world.reconcile()
    world.succeed("m-1", accuracy=0.5)
    world.registry.read_only = True
    world.reconcile()
    assert (world.status.phase, world.registry.runs[0].gate) == (TrainingPhase.FAILED, "")
    world.registry.read_only = False
    world.reconcile()
    assert (world.registry.runs[0].gate, world.registry.runs[0].status) == ("failed", "FINISHED")
    assert world.cluster.writes[-2:] == ["tag run", "close run"]
    world.check_settled()
    assert world.registry.versions == []
