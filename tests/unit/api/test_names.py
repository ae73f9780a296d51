"""Names of children fit what Kubernetes takes."""

from fairlead.api.crd import KINDS
from fairlead.api.names import (
    ANNOTATION_APPLIED,
    ANNOTATION_ROLE,
    LABEL_INSTANCE,
    LABEL_REVISION,
    RESERVED_PREFIXES,
    attempt_name,
    registering_name,
    revision_name,
)
from fairlead.api.training_job import MOST_ATTEMPTS


def _longest(kind: str) -> int:
    return next(item.name_limit for item in KINDS if item.name == kind)


def test_a_revision_is_named_by_its_owner_and_eight_digits() -> None:
    assert revision_name("churn", "0123456789abcdef") == "churn-01234567"


def test_the_longest_name_of_each_kind_still_gives_labels_and_pod_names_that_fit() -> None:
    pod_suffix = len("-0123456789-abcde")
    assert len(revision_name("a" * _longest("ModelDeployment"), "0" * 64)) <= 63
    assert len(revision_name("a" * _longest("ModelDeployment"), "0" * 64)) + pod_suffix <= 253
    assert len(attempt_name("a" * _longest("TrainingJob"), MOST_ATTEMPTS)) + len("-abcde") <= 63
    # The Job controller puts the whole name of a Job into a label of its pods.
    assert len(registering_name("a" * _longest("TrainingJob"), MOST_ATTEMPTS)) <= 63


def test_every_label_and_annotation_of_ours_has_a_reserved_prefix() -> None:
    for name in (LABEL_INSTANCE, LABEL_REVISION, ANNOTATION_APPLIED, ANNOTATION_ROLE):
        assert name.startswith(RESERVED_PREFIXES)
