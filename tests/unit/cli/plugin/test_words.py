"""Everything that a status can say has words."""

import pytest

from fairlead.api.model_deployment import DeploymentPhase
from fairlead.api.reasons import EXPLAINED, Reason
from fairlead.api.request import Verb
from fairlead.api.rollout_status import Outcome
from fairlead.api.traffic import ArmRole
from fairlead.api.training_job import TrainingPhase
from fairlead.cli.plugin.words import ACTIONS, OUTCOMES, PHASES, ROLES, STAGES, TRAINING, VERBS, explain
from fairlead.core.evidence.state import Stage
from fairlead.core.rollout.checks import Action


@pytest.mark.parametrize("phase", DeploymentPhase)
def test_each_phase_of_a_modeldeployment_has_words(phase: DeploymentPhase) -> None:
    assert len(PHASES[phase].split()) >= 3


@pytest.mark.parametrize("phase", TrainingPhase)
def test_each_phase_of_a_trainingjob_has_words(phase: TrainingPhase) -> None:
    assert len(TRAINING[phase].split()) >= 3


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_of_a_rollout_has_words(stage: Stage) -> None:
    assert len(STAGES[stage].split()) >= 3


@pytest.mark.parametrize("action", [*Action, "begin", "promote", "abort", "approve"])
def test_each_action_of_a_decision_has_words(action: str) -> None:
    assert len(ACTIONS[action].split()) >= 3


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_explained_as_on_its_page(reason: Reason) -> None:
    assert explain(str(reason)) is EXPLAINED[reason]


def test_a_reason_of_a_newer_operator_does_not_break_anything() -> None:
    assert "does not know" in explain("FromTheFuture").meaning


def test_the_rest_has_words_too() -> None:
    assert OUTCOMES.keys() == set(Outcome)
    assert ROLES.keys() == set(ArmRole)
    assert VERBS.keys() == set(Verb)
