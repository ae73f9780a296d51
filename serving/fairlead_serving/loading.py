"""From the files of a model to a model that has answered once."""

import logging
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import sklearn

from fairlead_serving.backend import Model, expected_outputs, models_own_code, seen_outputs
from fairlead_serving.errors import LoadError, ModelRaised, PickleNotAllowed, UntrustedTypes
from fairlead_serving.example import Example, read_example, synthesise
from fairlead_serving.features import FeatureSpec
from fairlead_serving.mlmodel import Column, ModelSpec, Serialization
from fairlead_serving.settings import Settings

_log = logging.getLogger(__name__)

_TRUSTED_BESIDES = ("numpy.dtype", "sklearn.utils._bunch.Bunch")
"""numpy's types, which imputers keep, and a dict with attributes, which voting and stacking keep: neither runs code."""


def load_model(folder: Path, spec: ModelSpec, *, allow_pickle: bool, max_bytes: int) -> Model:
    """Load the model of a folder. Raises LoadError, PickleNotAllowed or UntrustedTypes."""
    file = inside(folder, spec.path)
    if spec.serialization is Serialization.SKOPS:
        estimator = _load_skops(file, max_bytes)
    elif allow_pickle:
        estimator = _load_pickle(file)
    else:
        raise PickleNotAllowed(
            f"{spec.path}: expected the skops format, got {spec.serialization}, which runs code when loaded; "
            "save the model with mlflow.sklearn.log_model's default format, or ask the cluster's administrator "
            "for serving.allowPickle"
        )
    for method in ("predict", spec.predict_method):
        if not callable(getattr(estimator, method, None)):
            raise LoadError(f"{spec.path}: expected a model with {method}(), got {type(estimator).__name__}")
    names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    columns = spec.columns or (() if spec.tensor else tuple(Column(name, "any") for name in names))
    return Model(
        estimator=estimator,
        features=FeatureSpec.of(columns, spec.tensor, getattr(estimator, "n_features_in_", None)),
        takes_table=bool(names) or any(column.type in ("string", "boolean", "datetime") for column in columns),
        outputs=expected_outputs(estimator),
        scoring_method=spec.predict_method,
        serialization=spec.serialization,
    )


def inside(folder: Path, path: PurePosixPath) -> Path:
    """A file of the folder. Raises LoadError for a path or link that leads out of it."""
    file = (folder / path).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise LoadError(f"{path}: expected a file in the model's folder, got none")
    return file


def _load_skops(file: Path, max_bytes: int) -> Any:
    import skops.io  # noqa: PLC0415 -- not for pickles

    from fairlead_serving.trees import CHECKED_TYPE, check_trees  # noqa: PLC0415 -- with skops only

    try:
        with zipfile.ZipFile(file) as archive:
            unpacked_bytes = sum(info.file_size for info in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise LoadError(f"{file.name}: expected a skops file, got {error}") from error
    if unpacked_bytes > max_bytes:
        raise LoadError(f"{file.name}: expected at most {max_bytes} bytes unpacked, got {unpacked_bytes}")
    try:
        with models_own_code(f"loading {file.name}"):
            # What the file or MLmodel say may be trusted is not asked: both come with the model.
            wanted = set(skops.io.get_untrusted_types(file=file))
            if not wanted - {CHECKED_TYPE, *_TRUSTED_BESIDES}:
                estimator = skops.io.load(file, trusted=sorted(wanted))
                if CHECKED_TYPE in wanted:
                    check_trees(estimator, file)
                return estimator
    except ModelRaised as error:
        if isinstance(error.__cause__, UntrustedTypes):
            raise error.__cause__ from None
        raise LoadError(str(error)) from error
    raise UntrustedTypes(
        f"{file.name}: expected only types that are known to be safe to load, got {', '.join(sorted(wanted))[:300]}; "
        "serve such a model from a container of your own"
    )


def _load_pickle(file: Path) -> Any:
    import cloudpickle  # type: ignore[import-untyped]  # noqa: PLC0415 -- allowed by the cluster's admin only

    try:
        with models_own_code(f"loading {file.name}"), file.open("rb") as stream:
            return cloudpickle.load(stream)
    except ModelRaised as error:
        raise LoadError(str(error)) from error


def warm_up(model: Model, folder: Path, spec: ModelSpec) -> tuple[Model, Example | None]:
    """Answer once, so that the first user need not wait and a broken model is never ready; with the real outputs.

    Rows are the model's own example, else made up from the signature. Raises LoadError when the model raises on them;
    made-up text, which may be no category of the model, proves nothing.
    """
    example = read_example(inside(folder, spec.example), model.features) if spec.example else None
    given = example or synthesise(model.features)
    if given is None:
        return model, None
    try:
        answers = model.predict(given.features, model.output_names)
        model.score(given.features)
    except ModelRaised as error:
        if example is None and given.proves_nothing:
            _log.warning("warm-up failed on made-up text", extra={"cause": str(error)})
            return model, None
        what = spec.example if example else "rows made up from the signature"
        raise LoadError(f"warm-up on {what}: expected answers, got {error}") from error
    _log.info("warmed up", extra={"rows": given.rows, "example": example is not None})
    features = replace(model.features, missing=_answers_missing(model, given))
    return replace(model, outputs=seen_outputs(answers), features=features), given


def _answers_missing(model: Model, given: Example) -> bool:
    """Whether a missing number is an input like any other, or the client's mistake."""
    tried = given.with_missing_numbers()
    try:
        return tried is not None and bool(model.predict(tried.features, model.output_names))
    except ModelRaised:
        return False


def load_from_disk(settings: Settings, spec: ModelSpec) -> tuple[Model, Example | None]:
    """Load and warm up what the model's folder holds. Raises LoadError."""
    if spec.sklearn_version not in ("", sklearn.__version__):
        versions = {"saved_with": spec.sklearn_version, "loaded_with": sklearn.__version__}
        _log.warning("scikit-learn is of another version than the model's", extra=versions)
    folder = settings.model_dir
    model = load_model(folder, spec, allow_pickle=settings.allow_pickle, max_bytes=settings.max_model_bytes)
    return warm_up(model, folder, spec)
