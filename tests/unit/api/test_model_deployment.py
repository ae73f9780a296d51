"""ModelDeployment."""

from fairlead.api.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus, Rollout


def test_an_empty_rollout_has_limits() -> None:
    spec = ModelDeploymentSpec.model_validate({"model": {"name": "churn", "alias": "candidate"}, "rollout": {}})
    assert spec.rollout == Rollout(pending_deadline="15m", progress_deadline="30m")


def test_the_short_form_says_nothing_of_the_pod() -> None:
    spec = ModelDeploymentSpec.model_validate({"model": {"name": "churn", "alias": "candidate"}})
    assert set(spec.wire()) == {"model", "replicas", "requestTimeout", "paused", "rollout", "revisionHistoryLimit"}


def test_a_request_may_take_a_minute_when_nothing_is_said() -> None:
    spec = ModelDeploymentSpec.model_validate({"model": {"name": "churn", "alias": "candidate"}})
    assert spec.request_timeout == "60s"


def test_the_empty_status_names_no_revision() -> None:
    status = ModelDeploymentStatus()
    assert (status.stable, status.candidate, status.previous, status.traffic) == (None, None, None, None)
