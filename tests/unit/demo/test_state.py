from typing import Any

from tests.demo.state import describe, is_true


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


def test_the_description_prefers_what_stalls() -> None:
    stalled = resource("Failed", ("Ready", "False", "Starting", 2), ("Stalled", "True", "ImagePullFailed", 2))
    assert describe(stalled) == "Failed: ImagePullFailed: why"


def test_the_description_says_a_word_once() -> None:
    assert describe(resource("Succeeded", ("Ready", "True", "Succeeded", 2))) == "Succeeded: why"


def test_a_resource_without_status_was_not_seen_yet() -> None:
    assert describe({"metadata": {"generation": 1}}) == "not seen by the operator yet"
