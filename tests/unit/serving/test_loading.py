import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier
from tests.unit.serving.models import classifier, iris, write_model

from fairlead_serving.backend import Model, Output
from fairlead_serving.errors import LoadError, PickleNotAllowed, UntrustedTypes
from fairlead_serving.example import Example
from fairlead_serving.loading import load_from_disk, load_model, warm_up
from fairlead_serving.mlmodel import read_mlmodel
from fairlead_serving.settings import parse_settings


def load(folder: Path, *, allow_pickle: bool = False, max_bytes: int = 2**30) -> Model:
    return load_model(folder, read_mlmodel(folder), allow_pickle=allow_pickle, max_bytes=max_bytes)


class Foreign(LogisticRegression):
    """A type that is not scikit-learn's own."""


class Raising(LinearRegression):
    def predict(self, features: Any) -> Any:
        raise KeyError("boom")


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


def test_types_that_nobody_has_checked_are_refused(tmp_path: Path) -> None:
    features, labels = iris()
    folder = write_model(tmp_path, KNeighborsClassifier(algorithm="kd_tree").fit(features, labels))
    with pytest.raises(UntrustedTypes, match=r"got sklearn\.metrics\._dist_metrics.*KDTree; serve such a model"):
        load(folder)


def test_forests_load_in_the_skops_format_and_as_a_pickle_where_that_is_allowed(tmp_path: Path) -> None:
    features, labels = iris()
    forest = RandomForestClassifier(10, random_state=0).fit(features, labels)
    for pickle in (False, True):
        loaded = load(write_model(tmp_path / str(pickle), forest, pickle=pickle), allow_pickle=pickle)
        table = {name: features[name].to_numpy() for name in features}
        answers = loaded.predict(table, ("predict", "probabilities"))
        assert (answers["predict"] == forest.predict(features)).all()
        assert (answers["probabilities"] == forest.predict_proba(features)).all()


def test_a_forest_whose_nodes_lead_elsewhere_is_refused(tmp_path: Path) -> None:
    forest = RandomForestClassifier(2, random_state=0).fit(*iris())
    tree = forest.estimators_[1].tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    nodes["feature"][0] = 10**6
    tree.__setstate__(state | {"nodes": nodes})
    with pytest.raises(UntrustedTypes, match="expected columns from 0 to 3") as caught:
        load(write_model(tmp_path, forest))
    assert caught.value.reason == "UnsupportedFlavor"


def test_voting_models_load(tmp_path: Path) -> None:
    features, labels = iris()
    members = [("a", LogisticRegression(max_iter=500)), ("b", DecisionTreeClassifier())]
    assert load(write_model(tmp_path, VotingClassifier(members).fit(features, labels))).outputs


def test_a_scoring_method_that_the_model_lacks_is_refused(tmp_path: Path) -> None:
    flavors = {"python_function": {"loader_module": "mlflow.sklearn", "predict_fn": "predict_proba"}}
    folder = write_model(tmp_path, LinearRegression().fit(*iris()), flavors=flavors)
    with pytest.raises(LoadError, match=r"expected a model with predict_proba\(\), got LinearRegression"):
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


def warmed(folder: Path, *, allow_pickle: bool = False) -> tuple[Model, Example | None]:
    return warm_up(load(folder, allow_pickle=allow_pickle), folder, read_mlmodel(folder))


def test_the_warm_up_answers_the_example_and_learns_the_outputs(iris_folder: Path) -> None:
    model, example = warmed(iris_folder)
    assert example is not None
    assert example.rows == 2
    assert model.outputs == (Output("predict", "INT64", (-1,)), Output("probabilities", "FP64", (-1, 3)))


def test_the_outputs_of_several_targets_are_seen_as_they_are(tmp_path: Path) -> None:
    features, labels = iris()
    model = LinearRegression().fit(features, np.column_stack([labels, labels]))
    assert warmed(write_model(tmp_path, model))[0].outputs == (Output("predict", "FP64", (-1, 2)),)


NO_EXAMPLE: dict[str, Any] = {"saved_input_example_info": None}


@pytest.mark.parametrize("document", [{}, NO_EXAMPLE])
def test_a_model_that_raises_in_the_warm_up_is_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    folder = write_model(tmp_path, Raising().fit(*iris()), pickle=True, document=document)
    what = "rows made up from the signature" if document else r"serving_input_example\.json"
    with pytest.raises(LoadError, match=f"warm-up on {what}: expected answers, got .*boom"):
        warmed(folder, allow_pickle=True)


def test_without_an_example_rows_are_made_up(tmp_path: Path) -> None:
    folder = write_model(tmp_path, classifier(), document=NO_EXAMPLE)
    assert read_mlmodel(folder).path == PurePosixPath("model.skops")
    example = warmed(folder)[1]
    assert example is not None
    assert example.rows == 1


@pytest.mark.parametrize("example", ["", "7", '{"dataframe_split": 7}', '{"dataframe_split": {"x": 1}}', "[" * 100_000])
def test_an_example_of_another_form_is_left_aside(iris_folder: Path, tmp_path: Path, example: str) -> None:
    folder = shutil.copytree(iris_folder, tmp_path / "model")
    (folder / "serving_input_example.json").write_text(example)
    made_up = warmed(folder)[1]
    assert made_up is not None
    assert made_up.rows == 1


def test_made_up_text_that_the_model_does_not_know_proves_nothing(tmp_path: Path) -> None:
    colours = pd.DataFrame({"colour": ["red", "blue"]})
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(colours, [0, 1])
    signature = {"inputs": json.dumps([{"type": "string", "name": "colour"}])}
    folder = write_model(tmp_path, model, document=NO_EXAMPLE | {"signature": signature})
    assert warmed(folder)[1] is None


def test_another_version_of_scikit_learn_is_logged(
    iris_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = parse_settings({"MODEL_DIR": str(iris_folder)})
    load_from_disk(settings, read_mlmodel(iris_folder))
    assert "another version" not in caplog.text
    load_from_disk(settings, replace(read_mlmodel(iris_folder), sklearn_version="1.2.0"))
    assert "scikit-learn is of another version than the model's" in caplog.text


@pytest.mark.parametrize("steps", [(), (SimpleImputer(),)])
def test_whether_numbers_may_be_missing_is_found_by_trying(tmp_path: Path, steps: tuple[Any, ...]) -> None:
    model = make_pipeline(*steps, LogisticRegression(max_iter=500)).fit(*iris())
    assert warmed(write_model(tmp_path, model))[0].features.missing is bool(steps)
