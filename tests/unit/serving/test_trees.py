import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from tests.unit.serving.models import iris

from fairlead_serving.errors import UntrustedTypes
from fairlead_serving.trees import CHECKED_TYPE, check_trees

FEATURES, LABELS = iris()
ROWS = FEATURES.to_numpy()


def check(model: Any, tmp_path: Path) -> Any:
    """Save, load and check, as the server does."""
    file = tmp_path / "model.skops"
    skops.io.dump(model, file)
    loaded = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
    check_trees(loaded, file)
    return loaded


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(),
        RandomForestClassifier(5),
        ExtraTreesRegressor(5),
        GradientBoostingClassifier(n_estimators=3),
        GradientBoostingRegressor(n_estimators=3, init="zero"),
        AdaBoostClassifier(n_estimators=3),
        BaggingClassifier(n_estimators=3),
        make_pipeline(StandardScaler(), RandomForestClassifier(3)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_of_trees_pass_and_answer_the_same(model: Any, tmp_path: Path) -> None:
    fitted = model.fit(ROWS, LABELS)
    assert (check(fitted, tmp_path).predict(ROWS) == fitted.predict(ROWS)).all()
    assert CHECKED_TYPE in skops.io.get_untrusted_types(file=tmp_path / "model.skops")


def with_nodes(change: Callable[[np.ndarray], None]) -> DecisionTreeClassifier:
    """A tree whose nodes are no longer what training made."""
    model = DecisionTreeClassifier(random_state=0).fit(ROWS, LABELS)
    state = model.tree_.__getstate__()
    state["nodes"] = state["nodes"].copy()
    change(state["nodes"])
    model.tree_.__setstate__(state)
    return model


def set_field(field: str, node: int, value: int) -> Callable[[np.ndarray], None]:
    def change(nodes: np.ndarray) -> None:
        nodes[field][node] = value

    return change


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("left_child", 10**12, "expected children between their parent and node"),
        ("right_child", -7, "expected children between their parent"),
        ("right_child", 0, "expected children between their parent"),
        ("feature", 4, "expected columns from 0 to 3"),
        ("feature", -2, "expected columns from 0 to 3"),
    ],
)
def test_a_node_that_leads_out_of_the_tree_is_refused(tmp_path: Path, field: str, value: int, message: str) -> None:
    with pytest.raises(UntrustedTypes, match=f"tree of DecisionTreeClassifier: {message}"):
        check(with_nodes(set_field(field, 0, value)), tmp_path)


def test_a_tree_without_nodes_is_refused(tmp_path: Path) -> None:
    model = DecisionTreeClassifier().fit(ROWS, LABELS)
    state = model.tree_.__getstate__()
    model.tree_.__setstate__(state | {"nodes": state["nodes"][:0], "values": state["values"][:0], "node_count": 0})
    with pytest.raises(UntrustedTypes, match="expected at least one node"):
        check(model, tmp_path)


def narrow() -> Any:
    """A forest whose trees look at more columns than it takes."""
    forest = RandomForestClassifier(1).fit(ROWS, LABELS)
    forest.n_features_in_ = 2
    return forest


def boosted(**changes: Any) -> Any:
    model = GradientBoostingClassifier(n_estimators=2).fit(ROWS, LABELS)
    vars(model).update(changes)
    return model


def lying() -> Any:
    tree = DecisionTreeClassifier().fit(ROWS, LABELS)
    tree.n_features_in_ = 2
    return tree


def hidden() -> Any:
    model = LogisticRegression(max_iter=500).fit(ROWS, LABELS)
    model.elsewhere_ = DecisionTreeClassifier().fit(ROWS, LABELS).tree_
    return model


def mixed() -> Any:
    forest = RandomForestClassifier(2).fit(ROWS, LABELS)
    forest.estimators_ = [*forest.estimators_, LogisticRegression(max_iter=500).fit(ROWS, LABELS)]
    return forest


def calling() -> Any:
    call = FunctionTransformer(StandardScaler().fit(ROWS).transform)
    return make_pipeline(call, DecisionTreeRegressor()).fit(ROWS, LABELS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lying, "expected a tree of the model's own number of columns"),
        (narrow, "expected trees of 2 columns"),
        (mixed, "expected trees of 4 columns, got LogisticRegression"),
        (lambda: boosted(init_=DecisionTreeClassifier()), "expected scikit-learn's own first guess"),
        (
            lambda: boosted(init_=DummyClassifier().fit(ROWS[:100], LABELS[:100])),
            r"expected \(2,\) trees a stage, got \(3,\)",
        ),
        (hidden, "expected all 1 trees inside scikit-learn's models of trees, found 0"),
        (lambda: IsolationForest(n_estimators=2).fit(ROWS), "expected a model of trees that is checked, got Isolation"),
        (calling, "expected trees without stored calls"),
    ],
)
def test_a_model_that_uses_its_trees_in_another_way_is_refused(
    make: Callable[[], Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UntrustedTypes, match=message):
        check(make(), tmp_path)


def test_a_tree_under_another_name_is_counted(tmp_path: Path) -> None:
    tree = DecisionTreeClassifier().fit(ROWS, LABELS)
    file, more = tmp_path / "model.skops", tmp_path / "more.skops"
    skops.io.dump(tree, file)
    with zipfile.ZipFile(file) as archive:
        schema = json.loads(archive.read("schema.json"))
    schema["more"] = {"__class__": "Loss", "__module__": "x", "__loader__": "TreeNode", "__id__": 0}
    with zipfile.ZipFile(more, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    with pytest.raises(UntrustedTypes, match="expected all 2 trees"):
        check_trees(tree, more)
