import json
from typing import Any

import numpy as np
import pytest
from tests.unit.serving.models import matrix_body

from fairlead_serving.backend import Model, Output
from fairlead_serving.errors import ModelRaised, RequestRefused, SignatureViolated
from fairlead_serving.features import FeatureSpec
from fairlead_serving.inference import infer, score, score_csv


class Given:
    """An estimator that gives the same answer to everything."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def predict(self, rows: Any) -> Any:
        return self.answer


def model(answer: Any) -> Model:
    return Model(Given(answer), FeatureSpec(width=2), takes_table=False, outputs=(Output("predict", "FP64", (-1,)),))


BODY = matrix_body([[1.0, 2.0]], id="x").encode()


def test_the_answer_names_model_version_and_request() -> None:
    answer = json.loads(infer(model(np.array([0.5])), BODY, name="m", version="7"))
    assert answer == {
        "model_name": "m",
        "model_version": "7",
        "id": "x",
        "outputs": [{"name": "predict", "datatype": "FP64", "shape": [1], "data": [0.5]}],
    }


def test_the_scoring_protocol_answers_with_predictions() -> None:
    assert score(model(np.array([[1, 2]])), b'{"inputs": [[1, 2]]}') == b'{"predictions":[[1,2]]}'
    assert score_csv(model(np.array(["a"])), b"x,y\n1,2\n") == b'{"predictions":["a"]}'


@pytest.mark.parametrize("answer", [np.array([np.nan]), np.array([np.inf]), np.array([1j]), np.array([{1}])])
def test_an_answer_that_json_cannot_hold_is_the_models_fault(answer: Any) -> None:
    if answer.dtype != object:  # the protocol shows objects as text
        with pytest.raises(ModelRaised):
            infer(model(answer), BODY, name="m", version="7")
    with pytest.raises(ModelRaised):
        score(model(answer), b'{"inputs": [[1, 2]]}')


def test_mistakes_of_the_client_are_told_apart() -> None:
    with pytest.raises(SignatureViolated):
        infer(model(np.array([1.0])), matrix_body([[1.0]]).encode(), name="m", version="7")
    with pytest.raises(RequestRefused) as caught:
        infer(model(np.array([1.0])), b"{", name="m", version="7")
    assert caught.value.status == 400
