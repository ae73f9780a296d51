"""The document for programs."""

import json

from tests.unit.builders import serving_body, training_body
from tests.unit.cli.plugin.statuses import NEW, rolling

from fairlead.api.resource import parse_model_deployment, parse_training_job
from fairlead.cli.plugin.document import deployment_document, training_document


def test_a_deployment_s_document_is_its_status_with_words_beside() -> None:
    body = serving_body(status=rolling(), model={"name": "churn", "alias": "candidate"})
    found = deployment_document(parse_model_deployment(body))
    assert json.loads(json.dumps(found)) == found
    assert (found["kind"], found["name"], found["current"], found["etaSeconds"]) == (
        "ModelDeployment",
        "churn",
        True,
        720,
    )
    assert found["status"]["candidate"]["revision"] == NEW
    assert found["status"]["evidence"]["says"] == "the candidate is judged at its share"


def test_what_the_operator_keeps_for_itself_is_left_out() -> None:
    body = serving_body(status=rolling(), model={"name": "churn", "alias": "candidate"})
    found = deployment_document(parse_model_deployment(body))["status"]["evidence"]
    assert not {"policy", "state"} & found.keys()


def test_a_status_that_has_not_seen_the_spec_is_not_current() -> None:
    body = serving_body(status=rolling(), model={"name": "churn", "alias": "candidate"})
    body["metadata"]["generation"] = 2
    assert deployment_document(parse_model_deployment(body))["current"] is False


def test_a_training_s_document_says_the_same_of_it() -> None:
    found = training_document(parse_training_job(training_body(status={"observedGeneration": 1, "phase": "Running"})))
    assert (found["kind"], found["says"], found["current"]) == ("TrainingJob", "the trainer runs", True)
