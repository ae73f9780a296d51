"""Whether the trees of a model that skops has loaded can be walked without leaving their memory.

skops does not trust `sklearn.tree._tree.Tree`, the store of nodes behind trees, forests and gradient boosting: it
checks types, and scikit-learn follows the node numbers in a file without looking at them, so a crafted file crashes the
process or reads what is beside the array (skops-dev/skops#535, scikit-learn/scikit-learn#34558). It runs no code.
This module looks at the numbers: what passes here cannot lead out of its arrays.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from sklearn.tree._tree import Tree

from fairlead_serving.errors import UntrustedTypes

CHECKED_TYPE = "sklearn.tree._tree.Tree"
_LEAF = -1
_TREE_MODELS = (DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor)
_FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
_BOOSTING = (GradientBoostingClassifier, GradientBoostingRegressor)
_UNCHECKED = (IsolationForest, RandomTreesEmbedding)
MAX_OBJECTS = 5_000_000


def check_trees(model: object, file: Path) -> None:
    """Raise UntrustedTypes unless every tree in the file was found in a model that uses it as scikit-learn does."""
    found: set[int] = set()
    for thing in _reachable(model):
        kind = type(thing)
        if isinstance(thing, _UNCHECKED):
            raise UntrustedTypes(f"{file.name}: expected a model of trees that is checked, got {kind.__name__}")
        if kind in _TREE_MODELS and hasattr(thing, "tree_"):
            found.add(id(thing.tree_))
            _check_tree(thing, file)
        elif isinstance(thing, (*_FORESTS, *_BOOSTING)):
            _check_members(thing, file)
    stored = _count_stored(file)
    if len(found) != stored:
        raise UntrustedTypes(
            f"{file.name}: expected all {stored} trees inside scikit-learn's models of trees, found {len(found)} there"
        )


def _check_tree(model: Any, file: Path) -> None:
    tree = model.tree_
    name = f"{file.name}: tree of {type(model).__name__}"
    if type(tree) is not Tree or getattr(model, "n_features_in_", None) != tree.n_features:
        raise UntrustedTypes(f"{name}: expected a tree of the model's own number of columns")
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    count = tree.node_count
    if count < 1 or len(left) != count:
        raise UntrustedTypes(f"{name}: expected at least one node, got {count} of {len(left)}")
    own = np.arange(count)
    inner = left != _LEAF
    # Children come after their parent, so every walk ends at a leaf.
    for child in (left, right):
        if ((child <= own) | (child >= count))[inner].any():
            raise UntrustedTypes(f"{name}: expected children between their parent and node {count - 1}")
    if ((feature < 0) | (feature >= tree.n_features))[inner].any():
        raise UntrustedTypes(f"{name}: expected columns from 0 to {tree.n_features - 1}")


def _check_members(model: Any, file: Path) -> None:
    """Forests and boosting hand rows to their trees unchecked: all must be trees, and as wide as the whole."""
    name = f"{file.name}: {type(model).__name__}"
    members = np.asarray(model.estimators_, dtype=object)
    width = getattr(model, "n_features_in_", None)
    for member in members.reshape(-1):
        if type(member) not in _TREE_MODELS or width is None or getattr(member, "n_features_in_", None) != width:
            raise UntrustedTypes(f"{name}: expected trees of {width} columns, got {type(member).__name__}")
    if isinstance(model, _BOOSTING):
        _check_stages(model, members, width, name)


def _check_stages(model: Any, members: Any, width: Any, name: str) -> None:
    """Every stage adds to one column per tree of the first guess; there must be as many."""
    if type(model.init_) not in (DummyClassifier, DummyRegressor) and model.init_ != "zero":
        raise UntrustedTypes(f"{name}: expected scikit-learn's own first guess, got {type(model.init_).__name__}")
    guess = model._raw_predict_init(np.zeros((1, int(width)), dtype=np.float32))
    if members.ndim != 2 or guess.shape != (1, members.shape[1]):
        raise UntrustedTypes(f"{name}: expected {guess.shape[1:]} trees a stage, got {members.shape[1:]}")


def _reachable(root: object) -> Iterator[Any]:
    """Every object that the model holds, once."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type(None))):
            continue
        seen[id(thing)] = thing
        if len(seen) > MAX_OBJECTS:
            raise UntrustedTypes(f"model: expected at most {MAX_OBJECTS} objects, got more")
        yield thing
        if isinstance(thing, dict):
            waiting += thing.values()
        elif isinstance(thing, (list, tuple, set, frozenset)):
            waiting += thing
        elif isinstance(thing, np.ndarray):
            waiting += thing.reshape(-1).tolist() if thing.dtype == object else []
        else:
            waiting += getattr(thing, "__dict__", {}).values()


def _count_stored(file: Path) -> int:
    """How many trees skops makes from the file, whatever they are called or hidden in. Raises UntrustedTypes."""
    with zipfile.ZipFile(file) as archive:
        waiting = [json.loads(archive.read("schema.json"))]
    trees: set[object] = set()
    callables = 0
    while waiting:
        state = waiting.pop()
        if isinstance(state, list):
            waiting += state
        elif isinstance(state, dict):
            waiting += state.values()
            loader, kind = state.get("__loader__"), f"{state.get('__module__')}.{state.get('__class__')}"
            if loader == "TreeNode" or kind == CHECKED_TYPE:
                # skops makes one object of all states with the same id, and one of each state without an id.
                trees.add(state.get("__id__") or ("without an id", len(trees)))
            callables += loader in _CALLABLES
    if trees and callables:
        raise UntrustedTypes(f"{file.name}: expected trees without stored calls beside them, got {callables} calls")
    return len(trees)


_CALLABLES = ("MethodNode", "OperatorFuncNode", "PartialNode")
"""They could call a tree with the checks of its input turned off."""
