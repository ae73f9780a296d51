"""TrainingJob."""

import pytest

from fairlead.api.training_job import TrainingJobSpec, TrainingJobStatus, TrainingPhase


def test_the_alias_is_candidate_when_none_is_named() -> None:
    spec = TrainingJobSpec.model_validate({"container": {"image": "a"}, "register": {"model": "churn"}})
    assert spec.register_.alias == "candidate"
    assert spec.wire()["register"] == {"model": "churn", "alias": "candidate"}


@pytest.mark.parametrize("phase", list(TrainingPhase))
def test_only_succeeded_and_failed_are_final(phase: TrainingPhase) -> None:
    final = phase in (TrainingPhase.SUCCEEDED, TrainingPhase.FAILED)
    assert TrainingJobStatus(phase=phase).ended is final


def test_a_status_that_was_never_written_is_not_final() -> None:
    assert not TrainingJobStatus().ended


def test_the_present_attempt_is_the_first_one_until_there_is_another() -> None:
    assert TrainingJobStatus().current_attempt == 1
    assert TrainingJobStatus(attempt=3).current_attempt == 3


def test_what_is_not_said_has_safe_limits_and_no_gate() -> None:
    spec = TrainingJobSpec.model_validate({"container": {"image": "a"}, "register": {"model": "churn"}})
    assert (spec.gate, spec.suspend, spec.register_.artifact) == (None, False, None)
    limits = {"maxAttempts": 1, "runDeadline": "24h", "pendingDeadline": "24h", "ttlSecondsAfterFinished": 86400}
    assert spec.policy.wire() == limits
