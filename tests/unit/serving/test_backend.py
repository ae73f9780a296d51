import json
import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.tree import DecisionTreeClassifier
from tests.unit.serving.models import COLUMNS, classifier, iris, write_model

from fairlead_serving.backend import Model, Output, load_model, warm_up
from fairlead_serving.errors import LoadError, ModelRaised, PickleNotAllowed, UntrustedTypes
from fairlead_serving.mlmodel import read_mlmodel


def load(folder: Path, *, allow_pickle: bool = False, max_bytes: int = 2**30) -> Model:
    return load_model(folder, read_mlmodel(folder), allow_pickle=allow_pickle, max_bytes=max_bytes)


def table() -> dict[str, np.ndarray]:
    features, _ = iris()
    return {name: features[name].to_numpy() for name in COLUMNS}


class Foreign(LogisticRegression):
    """A type that is not scikit-learn's own."""


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


def test_a_pickle_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    folder = write_model(tmp_path, classifier(), pickle=True)
    with pytest.raises(PickleNotAllowed, match="expected the skops format, got cloudpickle") as caught:
        load(folder)
    assert caught.value.reason == "UnsupportedFlavor"
    assert load(folder, allow_pickle=True).output_names == ("predict", "probabilities")


def test_a_type_of_somebody_elses_is_refused(tmp_path: Path) -> None:
    features, labels = iris()
    folder = write_model(tmp_path, Foreign(max_iter=500).fit(features, labels))
    with pytest.raises(UntrustedTypes, match=r"got .*Foreign"):
        load(folder)


def test_a_tree_is_refused_since_its_nodes_are_read_unchecked(tmp_path: Path) -> None:
    folder = write_model(tmp_path, DecisionTreeClassifier().fit(*iris()))
    with pytest.raises(UntrustedTypes, match=r"got sklearn\.tree\._tree\.Tree; serve such a model"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04"])
def test_a_broken_file_is_refused(iris_folder: Path, tmp_path: Path, content: bytes) -> None:
    folder = shutil.copytree(iris_folder, tmp_path / "model")
    (folder / "model.skops").write_bytes(content)
    with pytest.raises(LoadError, match=r"model\.skops: expected a skops file"):
        load(folder)


def test_an_archive_of_something_else_is_refused(iris_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(iris_folder, tmp_path / "model")
    with zipfile.ZipFile(folder / "model.skops", "w") as archive:
        archive.writestr("schema.json", "{}")
    with pytest.raises(LoadError, match=r"loading model\.skops"):
        load(folder)


def test_an_archive_that_unpacks_to_too_much_is_refused(iris_folder: Path) -> None:
    with pytest.raises(LoadError, match="expected at most 100 bytes unpacked"):
        load(iris_folder, max_bytes=100)


def test_a_link_out_of_the_folder_is_not_followed(iris_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(iris_folder, tmp_path / "model")
    (folder / "model.skops").rename(tmp_path / "outside.skops")
    (folder / "model.skops").symlink_to(tmp_path / "outside.skops")
    with pytest.raises(LoadError, match="expected a file in the model's folder"):
        load(folder)


def test_something_without_predict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="expected a model with predict"):
        load(write_model(tmp_path, [1, 2, 3]))


def test_whatever_the_model_raises_is_the_models_fault(tmp_path: Path) -> None:
    features, labels = iris()
    model = load(write_model(tmp_path, Raising().fit(features, labels), pickle=True), allow_pickle=True)
    with pytest.raises(ModelRaised, match="predict: KeyError: 'boom'"):
        model.predict(table(), ("predict",))


def test_the_warm_up_predicts_on_the_example(iris_folder: Path) -> None:
    assert warm_up(load(iris_folder), iris_folder, read_mlmodel(iris_folder)) == 2


def test_a_model_that_fails_on_its_own_example_is_refused(tmp_path: Path) -> None:
    features, labels = iris()
    folder = write_model(tmp_path, Raising().fit(features, labels), pickle=True)
    with pytest.raises(LoadError, match=r"warm-up on serving_input_example\.json: expected answers, got .*boom"):
        warm_up(load(folder, allow_pickle=True), folder, read_mlmodel(folder))


@pytest.mark.parametrize("example", [{"inputs": [[5.1, 3.5, 1.4, 0.2]]}, {"inputs": {"a": [1]}}, {"instances": []}])
def test_an_example_of_another_form_is_used_or_left_aside(
    iris_folder: Path, tmp_path: Path, example: dict[str, Any]
) -> None:
    features, labels = iris()
    folder = write_model(tmp_path, LogisticRegression(max_iter=500).fit(features.to_numpy(), labels))
    (folder / "serving_input_example.json").write_text(json.dumps(example))
    assert warm_up(load(folder), folder, read_mlmodel(folder)) == (1 if isinstance(example.get("inputs"), list) else 0)


@pytest.mark.parametrize("example", ["", "7", '{"dataframe_split": 7}', '{"dataframe_split": {"x": 1}}', "[" * 100_000])
def test_a_broken_example_is_refused(iris_folder: Path, tmp_path: Path, example: str) -> None:
    folder = shutil.copytree(iris_folder, tmp_path / "model")
    (folder / "serving_input_example.json").write_text(example)
    with pytest.raises(LoadError, match="expected an example as MLflow writes it"):
        warm_up(load(folder), folder, read_mlmodel(folder))


def test_a_model_without_example_is_not_warmed_up(tmp_path: Path) -> None:
    folder = write_model(tmp_path, classifier(), document={"saved_input_example_info": None})
    assert read_mlmodel(folder).path == PurePosixPath("model.skops")
    assert warm_up(load(folder), folder, read_mlmodel(folder)) == 0
