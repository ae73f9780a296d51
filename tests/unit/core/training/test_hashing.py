"""How the digest of a logged model comes from the registering Job into the status, and what may come between."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.builders import (
    DEFAULTS,
    NOW,
    REGISTERING_UID,
    Body,
    container_status,
    pod_body,
    registering_job_body,
    training_body,
    training_world,
)

from fairlead.api.names import ANNOTATION_APPLIED
from fairlead.api.reasons import Reason
from fairlead.api.training_job import ModelVersionStatus
from fairlead.core.effects import Apply, Delete, ObjectRef, Plan, WriteStatus
from fairlead.core.training.hashing import ask_digest, parse_digest
from fairlead.core.world import Registering, RegistryFacts, RegistryProblem, Version

REF = ObjectRef("Job", "fit-1-register")
DIGEST = "sha256:" + "0123456789abcdef" * 4
KNOWN = ModelVersionStatus(name="churn", model_id="m-1")


def body(**status: Any) -> Body:
    run = {"id": "run-1", "experimentId": "1", "url": ""}
    return training_body(status={"phase": "Registering", "attempt": 1, "run": run, **status})


def ready(reason: str, message: str) -> Body:
    """The condition Ready of a status."""
    since = {"lastTransitionTime": "2026-05-04T11:00:00Z", "observedGeneration": 1}
    return {"type": "Ready", "status": "False", "reason": reason, "message": message, **since}


def asked(*objects: Body, of: Body | None = None, **world: Any) -> Plan:
    return ask_digest(training_world(of or body(), objects, **world), KNOWN)


def job(**fields: Any) -> Body:
    return registering_job_body(body(), **fields)


def pod(*containers: Body, **fields: Any) -> Body:
    return pod_body("", *containers, owner=REGISTERING_UID, **fields)


def ended(code: int, message: str = "", **fields: Any) -> Body:
    """A pod whose container has ended."""
    phase = "Failed" if code else "Succeeded"
    return pod(container_status("register", exit_code=code, exit_message=message), phase=phase, **fields)


def written(plan: Plan) -> Any:
    effect = plan.effects[0]
    assert isinstance(effect, WriteStatus)
    return effect.after


def told(plan: Plan) -> tuple[str, str, str]:
    """Phase, reason and message that the plan writes."""
    status = written(plan)
    return status["phase"], status["conditions"][0]["reason"], status["conditions"][0]["message"]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "done",
        DIGEST,
        "[]",
        "null",
        json.dumps({"digest": 7}),
        json.dumps({"digest": None}),
        json.dumps({"Digest": DIGEST}),
        json.dumps({"digest": DIGEST.upper()}),
        json.dumps({"digest": DIGEST[:-1]}),
        json.dumps({"digest": DIGEST + "0"}),
        json.dumps({"digest": DIGEST + "\n"}),
        json.dumps({"digest": "md5:" + "0" * 32}),
    ],
)
def test_only_a_whole_sha256_in_its_place_is_a_digest(message: str) -> None:
    assert parse_digest(message) is None


def test_a_digest_is_read_from_the_last_words() -> None:
    assert parse_digest(json.dumps({"digest": DIGEST})) == DIGEST
    assert parse_digest(json.dumps({"digest": DIGEST, "files": 3})) == DIGEST


# -- the Job is made


def test_without_a_job_one_is_made_for_the_latched_model_and_run() -> None:
    (effect,) = asked().effects
    assert isinstance(effect, Apply)
    assert (effect.ref, effect.absent) == (REF, True)
    manifest: Any = effect.manifest
    env = {item["name"]: item["value"] for item in manifest["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert (env["MODEL_ID"], env["RUN_ID"]) == ("m-1", "run-1")


def test_a_second_attempt_has_a_job_of_its_own() -> None:
    (effect,) = asked(of=body(attempt=2)).effects
    assert isinstance(effect, Apply)
    assert effect.ref.name == "fit-2-register"


def test_a_registry_that_is_down_is_waited_for_before_the_job_is_made() -> None:
    plan = asked(registry=RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer"))
    assert told(plan) == ("Registering", "RegistryUnavailable", "no answer")
    assert plan.requeue_after_seconds


def test_a_version_that_an_earlier_life_registered_is_taken_up_without_hashing_again() -> None:
    plan = asked(registry=RegistryFacts(version=Version("4", DIGEST)))
    assert len(plan.effects) == 1
    found = written(plan)["modelVersion"]
    assert (found["modelId"], found["version"], found["digest"]) == ("m-1", "4", DIGEST)


def test_a_foreign_job_under_the_name_is_left_alone() -> None:
    plan = asked(job(ours=False))
    assert told(plan)[:2] == ("Registering", "NameConflict")
    assert (len(plan.effects), plan.requeue_after_seconds) == (1, 10.0)


def test_a_job_that_the_api_server_refuses_is_told_and_tried_again() -> None:
    plan = asked(refused="a policy refuses Jobs")
    assert told(plan) == ("Registering", "Rejected", "a policy refuses Jobs")
    assert (len(plan.effects), plan.requeue_after_seconds) == (1, 10.0)


# -- the Job is under way


def test_a_job_under_way_is_waited_for_and_asks_for_a_look_only_until_its_pod_runs() -> None:
    assert told(asked(job())) == ("Registering", "Registering", "hashing the files of logged model m-1")
    assert asked(job()).requeue_after_seconds == 2.0
    assert asked(job(), pod(container_status("register"))).requeue_after_seconds is None


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (pod(container_status("register", waiting="ErrImagePull", waiting_message="not found")), "ImageNotFound"),
        (pod(phase="Pending", unschedulable="0/1 nodes"), "Unschedulable"),
    ],
)
def test_what_keeps_the_pod_from_running_is_told(seen: Body, reason: str) -> None:
    assert told(asked(job(), seen))[:2] == ("Registering", reason)


@pytest.mark.parametrize("reason", ["Error", "OOMKilled"])
def test_a_pod_that_failed_is_left_to_the_job_controller(reason: str) -> None:
    failed = pod(container_status("register", exit_code=3, exit_reason=reason), phase="Failed")
    assert told(asked(job(), failed))[1] == "Registering"


def test_the_job_controller_s_warning_counts_only_while_there_is_no_pod() -> None:
    made = training_world(body(), [job(), pod()]).registering
    assert made
    warned = Registering(made.job, (), "exceeded quota: small")
    assert told(asked(job(), registering=warned))[:2] == ("Registering", "QuotaExceeded")
    warned = Registering(made.job, made.pods, "exceeded quota: small")
    assert told(asked(job(), registering=warned))[1] == "Registering"


def test_a_job_of_other_settings_is_made_anew() -> None:
    before = job(defaults=type(DEFAULTS)("example/serving:0", "IfNotPresent", "http://mlflow:5000"))
    assert asked(before).effects == (Delete(REF, REGISTERING_UID),)
    bare = job()
    del bare["metadata"]["annotations"][ANNOTATION_APPLIED]
    assert asked(bare).effects == (Delete(REF, REGISTERING_UID),)


# -- the Job ended well


def test_the_digest_of_the_pod_that_ended_well_is_latched() -> None:
    pods = [ended(3, "late", name="a"), ended(0, json.dumps({"digest": DIGEST}), name="b")]
    plan = asked(job(ended="Complete"), *pods)
    assert written(plan)["modelVersion"] == {
        "name": "churn",
        "modelId": "m-1",
        "digest": DIGEST,
        "version": "",
        "alias": "",
    }
    assert told(plan)[1] == "Registering"


def test_a_registry_that_is_down_does_not_keep_the_digest_from_being_latched() -> None:
    down = RegistryProblem(Reason.REGISTRY_UNAVAILABLE, "no answer")
    plan = asked(job(ended="Complete"), ended(0, json.dumps({"digest": DIGEST})), registry=down)
    assert written(plan)["modelVersion"]["digest"] == DIGEST


@pytest.mark.parametrize("pods", [[], [pod(container_status("register"))], [ended(1)]])
def test_a_job_whose_pod_is_gone_is_made_anew_when_the_watch_has_had_its_time(pods: list[Body]) -> None:
    for age_seconds, expected in ((0, Plan((), 5.0)), (5, Plan((Delete(REF, REGISTERING_UID),)))):
        done = job(ended="Complete", at=NOW - timedelta(seconds=age_seconds))
        assert asked(done, *pods) == expected


def test_a_job_that_does_not_say_when_it_ended_is_made_anew_too() -> None:
    done = job(ended="Complete")
    del done["status"]["completionTime"]
    assert asked(done).effects == (Delete(REF, REGISTERING_UID),)


def test_last_words_that_are_no_digest_are_quoted_and_tried_again_after_a_minute() -> None:
    plan = asked(job(ended="Complete"), ended(0, "hello"))
    phase, reason, message = told(plan)
    assert (phase, reason, plan.requeue_after_seconds) == ("Registering", "ManifestFailed", 60.0)
    assert 'expected {"digest": "sha256:' in message
    assert "got 'hello'" in message
    late = asked(job(ended="Complete", at=NOW - timedelta(seconds=60)), ended(0, "hello"))
    assert late.effects == (Delete(REF, REGISTERING_UID),)


# -- the Job failed


def said(reason: str) -> str:
    return json.dumps({"reason": reason, "message": "what happened"})


def test_a_model_without_files_is_a_failure_for_good() -> None:
    plan = asked(job(ended="Failed"), ended(3, said("ModelNotFound")))
    assert told(plan) == ("Failed", "ManifestFailed", "ModelNotFound: what happened")
    assert written(plan)["completionTime"]


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (3, said("RegistryUnavailable"), "RegistryUnavailable: what happened"),
        (3, "Traceback", 'container "register" exited with code 3: Traceback'),
        (3, "[]", 'container "register" exited with code 3: []'),
        (1, said("ModelNotFound"), 'container "register" exited with code 1: {"reason"'),
    ],
)
def test_any_other_failure_is_told_and_tried_again_after_a_minute(code: int, message: str, expected: str) -> None:
    plan = asked(job(ended="Failed", at=NOW - timedelta(seconds=20)), ended(code, message))
    phase, reason, text = told(plan)
    assert (phase, reason, plan.requeue_after_seconds) == ("Registering", "ManifestFailed", 40.0)
    assert text.startswith(expected)
    late = asked(job(ended="Failed", at=NOW - timedelta(seconds=60)), ended(code, message))
    assert late.effects == (Delete(REF, REGISTERING_UID),)


def test_the_last_words_are_those_of_the_newest_pod() -> None:
    old = ended(3, said("ModelNotFound"), name="b", created=NOW - timedelta(minutes=1))
    plan = asked(job(ended="Failed"), ended(1, "boom", name="a"), old)
    assert "boom" in told(plan)[2]


def test_a_job_that_failed_without_a_pod_says_what_its_controller_says() -> None:
    assert told(asked(job(ended="Failed")))[2] == "BackoffLimitExceeded: said so"


@pytest.mark.parametrize("word", ["ManifestFailed", "Registering"])
def test_what_was_said_stays_said_while_the_job_is_under_way(word: str) -> None:
    again = body(conditions=[ready(word, "as before")])
    assert told(asked(job(), of=again)) == ("Registering", word, "as before")
    pending = pod(phase="Pending", unschedulable="0/1 nodes")
    assert told(asked(job(), pending, of=again))[1] == "Unschedulable"


def test_a_pod_that_is_no_longer_held_up_is_told_anew() -> None:
    again = body(conditions=[ready("Unschedulable", "0/1 nodes")])
    assert told(asked(job(), pod(container_status("register")), of=again))[1] == "Registering"
