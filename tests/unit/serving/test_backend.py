from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from tests.unit.serving.models import COLUMNS, classifier, iris, write_model

from fairlead_serving.backend import Model, Output, seen_outputs
from fairlead_serving.errors import ModelRaised
from fairlead_serving.loading import load_model
from fairlead_serving.mlmodel import read_mlmodel


def load(folder: Path, *, allow_pickle: bool = False, max_bytes: int = 2**30) -> Model:
    return load_model(folder, read_mlmodel(folder), allow_pickle=allow_pickle, max_bytes=max_bytes)


def table() -> dict[str, np.ndarray]:
    features, _ = iris()
    return {name: features[name].to_numpy() for name in COLUMNS}


class Raising(LinearRegression):
    def predict(self, features: Any) -> Any:
        raise KeyError("boom")


def test_a_loaded_model_answers_as_the_one_that_was_saved(iris_folder: Path) -> None:
    features, _ = iris()
    answers = load(iris_folder).predict(table(), ("predict", "probabilities"))
    assert (answers["predict"] == classifier().predict(features)).all()
    assert answers["probabilities"] == pytest.approx(classifier().predict_proba(features))


def test_only_the_asked_outputs_are_computed(iris_folder: Path) -> None:
    assert list(load(iris_folder).predict(table(), ("probabilities",))) == ["probabilities"]


def test_outputs_are_described_by_the_models_classes(tmp_path: Path) -> None:
    features, labels = iris()
    strings = load(write_model(tmp_path / "strings", classifier(strings=True)))
    assert strings.outputs == (Output("predict", "BYTES", (-1,)), Output("probabilities", "FP64", (-1, 3)))
    regression = load(write_model(tmp_path / "regression", LinearRegression().fit(features, labels)))
    assert regression.outputs == (Output("predict", "FP64", (-1,)),)
    ridge = load(write_model(tmp_path / "ridge", RidgeClassifier().fit(features, labels)))
    assert ridge.outputs == (Output("predict", "INT64", (-1,)),)


def test_a_model_trained_on_a_matrix_gets_a_matrix(tmp_path: Path) -> None:
    features, labels = iris()
    model = load(write_model(tmp_path, LogisticRegression(max_iter=500).fit(features.to_numpy(), labels)))
    assert len(model.predict(table(), ("predict",))["predict"]) == len(labels)


def test_whatever_the_model_raises_is_the_models_fault(tmp_path: Path) -> None:
    features, labels = iris()
    model = load(write_model(tmp_path, Raising().fit(features, labels), pickle=True), allow_pickle=True)
    with pytest.raises(ModelRaised, match="predict: KeyError: 'boom'"):
        model.predict(table(), ("predict",))
    with pytest.raises(ModelRaised, match="predict: KeyError: 'boom'") as caught:
        model.score(table())
    assert "raise KeyError" in caught.value.where


def test_the_scoring_method_is_the_one_of_the_mlmodel_file(tmp_path: Path) -> None:
    flavors = {"python_function": {"loader_module": "mlflow.sklearn", "predict_fn": "predict_proba"}}
    folder = write_model(tmp_path, classifier(), flavors=flavors)
    features, _ = iris()
    assert load(folder).score(table()) == pytest.approx(classifier().predict_proba(features))


def test_outputs_are_those_that_were_seen_and_have_a_type() -> None:
    answers = {"predict": np.zeros((3, 2), np.float32), "probabilities": np.zeros(3, np.complex128)}
    assert seen_outputs(answers) == (Output("predict", "FP32", (-1, 2)),)
