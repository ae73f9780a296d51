"""Custom resources as read from the cluster."""

from typing import Any

import pytest

from fairlead.api.resource import InvalidResource, parse_model_deployment, parse_training_job


def _body(spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a", "namespace": "team", "uid": "u", "generation": 2}, "spec": spec, **more}


SERVING = {"model": {"name": "churn", "version": "3"}}
TRAINING = {"container": {"image": "a"}, "register": {"model": "churn"}}


def test_a_model_deployment_is_parsed_with_the_limits_in_force() -> None:
    resource = parse_model_deployment(_body(SERVING))
    assert resource.meta.generation == 2
    assert resource.spec.rollout.progress_deadline == "30m"
    assert resource.spec.rollout.pending_deadline == "15m"
    assert resource.spec.replicas == 1


def test_a_mistyped_limit_leaves_the_default_in_force() -> None:
    resource = parse_model_deployment(_body({**SERVING, "rollout": {"progresDeadline": "off"}}))
    assert resource.spec.rollout.progress_deadline == "30m"


def test_the_first_write_can_tell_that_there_is_no_status_yet() -> None:
    assert not parse_training_job(_body(TRAINING)).has_status
    assert parse_training_job(_body(TRAINING, status={"phase": "Running"})).has_status


def test_the_status_that_a_patch_has_to_find_is_none_empty_or_what_was_read() -> None:
    assert parse_training_job(_body(TRAINING)).stored_status is None
    for empty in ({}, {"attempt": 0, "conditions": []}):
        emptied = parse_training_job(_body(TRAINING, status=empty))
        assert (emptied.stored_status, emptied.has_status) == ({}, False)
    found = parse_training_job(_body(TRAINING, status={"phase": "Running"})).stored_status
    assert found and found["phase"] == "Running"


def test_a_resource_under_deletion_is_told_apart() -> None:
    body = _body(TRAINING)
    body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert parse_training_job(body).meta.deleting


def test_an_object_that_an_older_schema_let_in_is_refused_with_field_expected_and_got() -> None:
    with pytest.raises(InvalidResource, match=r"replicas: Input should be greater than or equal to 1, got 0"):
        parse_model_deployment(_body({**SERVING, "replicas": 0}))


def test_a_status_that_does_not_fit_is_refused_by_its_path_too() -> None:
    with pytest.raises(InvalidResource, match=r"phase: .* got 'Baking'"):
        parse_training_job(_body(TRAINING, status={"phase": "Baking"}))


def test_an_object_without_a_spec_is_invalid_and_not_a_crash() -> None:
    with pytest.raises(InvalidResource, match="container: Field required"):
        parse_training_job(_body({}))
