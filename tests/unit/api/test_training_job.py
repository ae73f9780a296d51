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
