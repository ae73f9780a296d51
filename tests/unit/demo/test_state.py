from typing import Any

from tests.demo.state import answers_users, describe, describe_serving, describe_training, gate, is_true


def resource(phase: str, *conditions: tuple[str, str, str, int]) -> dict[str, Any]:
    return {
        "metadata": {"generation": 2},
        "status": {
            "phase": phase,
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": "why", "observedGeneration": generation}
                for kind, status, reason, generation in conditions
            ],
        },
    }


def test_a_condition_of_an_older_generation_does_not_count() -> None:
    assert is_true(resource("Stable", ("RolledOut", "True", "RolledOut", 2)), "RolledOut")
    assert not is_true(resource("Stable", ("RolledOut", "True", "RolledOut", 1)), "RolledOut")
    assert not is_true(resource("Stable", ("RolledOut", "False", "Starting", 2)), "RolledOut")
    assert not is_true({"metadata": {"generation": 1}}, "RolledOut")


def test_what_is_on_probation_answers_users_and_what_waits_behind_it_does_not() -> None:
    first = resource("Starting", ("RolledOut", "False", "OnProbation", 2))
    assert answers_users(first)
    first["status"]["candidate"] = {"revision": "churn-2"}
    assert not answers_users(first)
    assert answers_users(resource("Stable", ("RolledOut", "True", "RolledOut", 2)))
    assert not answers_users(resource("Stable", ("RolledOut", "True", "RolledOut", 1)))
    assert not answers_users({})


def test_the_description_prefers_what_stalls() -> None:
    stalled = resource("Failed", ("Ready", "False", "Starting", 2), ("Stalled", "True", "ImagePullFailed", 2))
    assert describe(stalled) == "Failed: ImagePullFailed: why"


def test_the_description_says_a_word_once() -> None:
    assert describe(resource("Succeeded", ("Ready", "True", "Succeeded", 2))) == "Succeeded: why"


def test_what_keeps_a_new_revision_from_serving_goes_before_that_the_old_one_does() -> None:
    serving = ("Ready", "True", "Serving", 2)
    assert describe(resource("Starting", serving, ("RolledOut", "False", "Starting", 2))) == "Starting: why"
    assert describe(resource("Stable", serving, ("RolledOut", "True", "RolledOut", 2))) == "Stable: Serving: why"


def test_a_resource_without_status_was_not_seen_yet() -> None:
    assert describe({"metadata": {"generation": 1}}) == "not seen by the operator yet"


def judged(**rule: Any) -> dict[str, Any]:
    job = resource("Gating", ("Ready", "False", "Gating", 2))
    job["status"] |= {"attempt": 1, "gate": {"rules": [{"metric": "accuracy", **rule}]}}
    return job


def test_the_gate_is_told_with_numbers() -> None:
    assert gate(judged(min=0.9, value=0.97902, passed=True)) == "accuracy 0.9790, expected at least 0.9: passed"
    assert gate(judged(min=0.9, max=1, value=0.8, passed=False)) == (
        "accuracy 0.8000, expected at least 0.9 and at most 1: failed"
    )
    assert gate(judged(min=0.9, passed=False)) == "accuracy missing, expected at least 0.9: failed"


def test_an_attempt_is_named_only_when_it_is_not_the_first() -> None:
    job = resource("Running", ("Ready", "False", "Training", 2))
    job["status"]["attempt"] = 1
    assert describe_training(job) == "Running: Training: why"
    job["status"]["attempt"] = 2
    assert describe_training(job) == "Running: Training: why; attempt 2"


def test_a_line_about_serving_names_version_and_revision_of_both_arms() -> None:
    deployment = resource("Starting", ("Ready", "True", "Serving", 2))
    assert describe_serving(deployment) == "Starting: Serving: why; nothing serves yet"
    deployment["status"] |= {
        "stable": {"modelVersion": "1", "revision": "a"},
        "candidate": {"modelVersion": "2", "revision": "b"},
    }
    assert describe_serving(deployment).endswith("stable: version 1, revision a; candidate: version 2, revision b")
