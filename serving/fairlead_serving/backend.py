"""The model in memory, and the one place where its code runs."""

import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
import pandas as pd

from fairlead_serving.errors import LoadError, ModelRaised, PickleNotAllowed, UntrustedTypes
from fairlead_serving.features import FeatureSpec, Table
from fairlead_serving.mlmodel import Column, ModelSpec, Serialization
from fairlead_serving.tensors import Array, datatype_of

PREDICT = "predict"
PROBABILITIES = "probabilities"
MAX_EXAMPLE_BYTES = 16 * 2**20


class Estimator(Protocol):
    """What every fitted scikit-learn model has."""

    def predict(self, features: object) -> object:
        """One answer per row."""


@contextmanager
def models_own_code(doing: str) -> Iterator[None]:
    """Around every call into the model or its loader: whatever it raises becomes ModelRaised."""
    try:
        yield
    except Exception as error:  # a model is somebody else's code and may raise anything
        raise ModelRaised(f"{doing}: {type(error).__name__}: {str(error)[:500]}") from error


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
    """A loaded scikit-learn model with what it takes and gives."""

    estimator: Any
    features: FeatureSpec
    takes_table: bool
    outputs: tuple[Output, ...]

    @property
    def output_names(self) -> tuple[str, ...]:
        """The outputs' names."""
        return tuple(output.name for output in self.outputs)

    def predict(self, features: Table | Array, outputs: tuple[str, ...]) -> dict[str, Array]:
        """The named outputs for the rows of features. Raises ModelRaised."""
        calls: dict[str, Callable[[object], object]] = {PREDICT: self.estimator.predict}
        if PROBABILITIES in self.output_names:
            calls[PROBABILITIES] = self.estimator.predict_proba
        given = self._arrange(features)
        answers = {}
        for name in outputs:
            with models_own_code(name):
                answers[name] = np.asarray(calls[name](given))
        return answers

    def _arrange(self, features: Table | Array) -> object:
        if isinstance(features, np.ndarray):
            return features
        if self.takes_table:
            return pd.DataFrame(dict(features))
        return np.column_stack(list(features.values()))


def load_model(folder: Path, spec: ModelSpec, *, allow_pickle: bool, max_bytes: int) -> Model:
    """Load the model of a folder. Raises LoadError, PickleNotAllowed or UntrustedTypes."""
    file = _inside(folder, spec.path)
    if spec.serialization is Serialization.SKOPS:
        estimator = _load_skops(file, max_bytes)
    elif allow_pickle:
        estimator = _load_pickle(file)
    else:
        raise PickleNotAllowed(
            f"{spec.path}: expected the skops format, got {spec.serialization}, which runs code when loaded; "
            "save the model with mlflow.sklearn.log_model's default format"
        )
    if not callable(getattr(estimator, "predict", None)):
        raise LoadError(f"{spec.path}: expected a model with predict(), got {type(estimator).__name__}")
    names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    columns = spec.columns or tuple(Column(name, "any") for name in names)
    return Model(
        estimator=estimator,
        features=FeatureSpec(columns=columns, width=getattr(estimator, "n_features_in_", None)),
        takes_table=bool(names),
        outputs=_outputs(estimator),
    )


def _outputs(estimator: Any) -> tuple[Output, ...]:
    classes = getattr(estimator, "classes_", None)
    if not isinstance(classes, np.ndarray):
        return (Output(PREDICT, "FP64", (-1,)),)
    predict = Output(PREDICT, datatype_of(classes), (-1,))
    if not hasattr(estimator, "predict_proba"):
        return (predict,)
    return (predict, Output(PROBABILITIES, "FP64", (-1, len(classes))))


def _inside(folder: Path, path: PurePosixPath) -> Path:
    file = (folder / path).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise LoadError(f"{path}: expected a file in the model's folder, got none")
    return file


def _load_skops(file: Path, max_bytes: int) -> Any:
    import skops.io  # noqa: PLC0415 -- takes seconds, and liveness has to answer meanwhile

    try:
        with zipfile.ZipFile(file) as archive:
            unpacked_bytes = sum(info.file_size for info in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise LoadError(f"{file.name}: expected a skops file, got {error}") from error
    if unpacked_bytes > max_bytes:
        raise LoadError(f"{file.name}: expected at most {max_bytes} bytes unpacked, got {unpacked_bytes}")
    try:
        with models_own_code(f"loading {file.name}"):
            untrusted = skops.io.get_untrusted_types(file=file)
            # What the file or MLmodel say may be trusted is not asked: both come with the model.
            if not untrusted:
                return skops.io.load(file, trusted=[])
    except ModelRaised as error:
        raise LoadError(str(error)) from error
    raise UntrustedTypes(
        f"{file.name}: expected only types that skops trusts, got {', '.join(untrusted)[:300]}; "
        "serve such a model, trees and forests among them, from a container of your own"
    )


def _load_pickle(file: Path) -> Any:
    import cloudpickle  # type: ignore[import-untyped]  # noqa: PLC0415 -- allowed by the cluster's admin only

    try:
        with models_own_code(f"loading {file.name}"), file.open("rb") as stream:
            return cloudpickle.load(stream)
    except ModelRaised as error:
        raise LoadError(str(error)) from error


def warm_up(model: Model, folder: Path, spec: ModelSpec) -> int:
    """Predict on the model's own example; the rows that it had, 0 without one. Raises LoadError."""
    if spec.example is None:
        return 0
    features = _read_example(_inside(folder, spec.example), spec.example)
    if features is None:
        return 0
    try:
        with warnings.catch_warnings():
            answers = _predict_example(model, features)
    except ModelRaised as error:
        raise LoadError(f"warm-up on {spec.example}: expected answers, got {error}") from error
    return len(answers[PREDICT])


def _predict_example(model: Model, features: pd.DataFrame | Array) -> dict[str, Array]:
    if isinstance(features, pd.DataFrame):
        table = {str(name): features[name].to_numpy() for name in features.columns}
        return model.predict(table, model.output_names)
    return model.predict(features, model.output_names)


def _read_example(file: Path, name: PurePosixPath) -> pd.DataFrame | Array | None:
    """The example as table or matrix; None for the forms that are for other kinds of models."""
    if file.stat().st_size > MAX_EXAMPLE_BYTES:
        return None
    try:
        document = json.loads(file.read_bytes())
        if "dataframe_split" in document:
            return pd.DataFrame(**document["dataframe_split"])
        if isinstance(document.get("inputs"), list):
            return np.asarray(document["inputs"])
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise LoadError(f"{name}: expected an example as MLflow writes it, got {str(error)[:200]}") from error
    return None
