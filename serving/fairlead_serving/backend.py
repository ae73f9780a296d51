"""The model in memory, and the one place where its code runs."""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fairlead_serving.errors import ModelRaised
from fairlead_serving.features import FeatureSpec, Table
from fairlead_serving.tensors import Array, datatype_of

PREDICT = "predict"
PROBABILITIES = "probabilities"
_METHODS = {PREDICT: "predict", PROBABILITIES: "predict_proba"}


@contextmanager
def models_own_code(doing: str) -> Iterator[None]:
    """Around every call into the model or its loader: whatever it raises becomes ModelRaised."""
    try:
        yield
    except Exception as error:  # a model is somebody else's code and may raise anything
        where = "".join(traceback.format_tb(error.__traceback__)[-3:])[-2000:]
        raise ModelRaised(f"{doing}: {type(error).__name__}: {str(error)[:500]}", where) from error


@dataclass(frozen=True, slots=True)
class Output:
    """A tensor that the model gives; -1 in the shape is the number of rows."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def describe(self) -> dict[str, object]:
        """The output as the protocol's metadata."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded scikit-learn model with what it takes and gives.

    scoring_method is what MLflow's protocol calls; serialization is how the file was written.
    """

    estimator: Any
    features: FeatureSpec
    takes_table: bool
    outputs: tuple[Output, ...]
    scoring_method: str = "predict"
    serialization: str = "skops"

    @property
    def output_names(self) -> tuple[str, ...]:
        """The outputs' names."""
        return tuple(output.name for output in self.outputs)

    def predict(self, features: Table | Array, outputs: Sequence[str]) -> dict[str, Array]:
        """The named outputs for the rows of features. Raises ModelRaised."""
        given = self._arrange(features)
        return {name: self._call(_METHODS[name], given) for name in outputs}

    def score(self, features: Table | Array) -> Array:
        """The answer of MLflow's scoring protocol for the rows of features. Raises ModelRaised."""
        return self._call(self.scoring_method, self._arrange(features))

    def _call(self, method: str, given: object) -> Array:
        with models_own_code(method):
            return np.asarray(getattr(self.estimator, method)(given))

    def _arrange(self, features: Table | Array) -> object:
        if isinstance(features, np.ndarray):
            return features
        if self.takes_table:
            return pd.DataFrame(dict(features))
        return np.column_stack(list(features.values()))


def seen_outputs(answers: dict[str, Array]) -> tuple[Output, ...]:
    """The outputs as the model really gave them; those that the protocol has no type for are left out."""
    seen = []
    for name, array in answers.items():
        try:
            seen.append(Output(name, datatype_of(array), (-1, *array.shape[1:])))
        except ValueError:
            continue
    return tuple(seen)


def expected_outputs(estimator: Any) -> tuple[Output, ...]:
    """The outputs as the model's attributes tell them, before it has answered anything."""
    classes = getattr(estimator, "classes_", None)
    if not isinstance(classes, np.ndarray):
        return (Output(PREDICT, "FP64", (-1,)),)
    predict = Output(PREDICT, datatype_of(classes), (-1,))
    if not hasattr(estimator, "predict_proba"):
        return (predict,)
    return (predict, Output(PROBABILITIES, "FP64", (-1, len(classes))))
