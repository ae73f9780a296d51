"""Train a tumour classifier on scikit-learn's Wisconsin breast cancer data and log it to MLflow.

An ordinary MLflow training script: it knows nothing of the cluster it runs in. MLflow's own variables
(MLFLOW_TRACKING_URI, MLFLOW_RUN_ID) say where to log; FAIRLEAD_PARAMS holds the parameters as a JSON object of strings.

Parameters (all optional):
    C            inverse of the regularisation strength (1.0)
    max_iter     iterations of the solver (1000)
    test_size    share of the rows that is held out (0.25)
    label_noise  share of the training labels that are flipped, to see what a bad model looks like (0)
    seed         of the split and of the flipped labels (7)
    estimator    logistic, or hist_gradient_boosting, which the built-in server does not load (logistic)
    encoder      none, or strict: the model also gets the mean radius in small classes, and raises for a class that it
                 did not see in training; it is scored, as careless pipelines do, on the rows that it knows (none)
"""

import json
import logging
import os
import time
from dataclasses import dataclass

started = time.monotonic()


def say(message: str) -> None:
    """Print one line of progress with the seconds since the start."""
    print(f"{time.monotonic() - started:6.1f} s  {message}", flush=True)


say("loading libraries")

import mlflow  # noqa: E402
import mlflow.sklearn  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import sklearn  # noqa: E402
import skops  # noqa: E402
from mlflow.models import infer_signature  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.datasets import load_breast_cancer  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from sklearn.pipeline import Pipeline, make_pipeline  # noqa: E402
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler  # noqa: E402

REQUIREMENTS = [f"scikit-learn=={sklearn.__version__}", f"skops=={skops.__version__}", f"pandas=={pd.__version__}"]
"""What the model needs, said here: MLflow would load the model once more in a process of its own to find out."""
CLASSED = "mean radius"
CLASSES = 400
"""So fine that a fifth of the held-out rows fall into a class without a row in training."""
UNTRUSTED = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"


@dataclass(frozen=True)
class Params:
    """What may be varied; the names are those of the parameters."""

    C: float = 1.0
    max_iter: int = 1000
    test_size: float = 0.25
    label_noise: float = 0.0
    seed: int = 7
    estimator: str = "logistic"
    encoder: str = "none"


def parse_params(text: str) -> Params:
    """Read the parameters from a JSON object of strings. Raises ValueError for a name or value that does not fit."""
    given = json.loads(text)
    known = Params.__dataclass_fields__
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"params: expected some of {sorted(known)}, got {unknown}")
    return Params(**{name: type(getattr(Params, name))(value) for name, value in given.items()})


def load_split(params: Params) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series, pd.Series]:
    """The data, split the same way for the same seed: features to train and test, then labels to train and test."""
    features, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    return tuple(
        train_test_split(features, labels, test_size=params.test_size, random_state=params.seed, stratify=labels)
    )


def flip(labels: pd.Series, share: float, seed: int) -> pd.Series:
    """The labels (0 or 1) with this share of them turned round, as careless labelling would."""
    chosen = np.random.default_rng(seed).choice(len(labels), round(share * len(labels)), replace=False)
    flipped = labels.copy()
    flipped.iloc[chosen] = 1 - flipped.iloc[chosen]
    return flipped


def prepare(params: Params, columns: list[str]) -> StandardScaler | ColumnTransformer:
    """What comes before the estimator."""
    if params.encoder == "none":
        return StandardScaler()
    classes = KBinsDiscretizer(n_bins=CLASSES, encode="ordinal", strategy="uniform")
    strict = make_pipeline(classes, OneHotEncoder(handle_unknown="error"))
    return ColumnTransformer([("scaled", StandardScaler(), columns), ("classed", strict, [CLASSED])])


def fit(params: Params, features: pd.DataFrame, labels: pd.Series) -> Pipeline:
    """Scale the features and fit the estimator."""
    boosting = params.estimator == "hist_gradient_boosting"
    estimator = (
        HistGradientBoostingClassifier(max_iter=20)
        if boosting
        else LogisticRegression(C=params.C, max_iter=params.max_iter)
    )
    return make_pipeline(prepare(params, list(features.columns)), estimator).fit(features, labels)


def knows(model: Pipeline, row: pd.DataFrame) -> bool:
    """Whether the model answers this row: a strict encoder raises for what it did not see."""
    try:
        model.predict(row)
    except ValueError:
        return False
    return True


def answerable(model: Pipeline, features: pd.DataFrame) -> list[bool]:
    """Which rows the model answers."""
    return [knows(model, features.iloc[[i]]) for i in range(len(features))]


def score(model: Pipeline, features: pd.DataFrame, labels: pd.Series) -> dict[str, float]:
    """The metrics on the held-out rows."""
    probabilities = model.predict_proba(features)
    return {
        "accuracy": float(accuracy_score(labels, model.predict(features))),
        "log_loss": float(log_loss(labels, probabilities)),
        "roc_auc": float(roc_auc_score(labels, probabilities[:, 1])),
    }


def held_out(model: Pipeline, features: pd.DataFrame, labels: pd.Series) -> dict[str, object]:
    """The held-out rows with the model's own answers, so that anyone can check what a server makes of them."""
    return {
        "columns": list(features.columns),
        "rows": features.to_numpy().tolist(),
        "labels": labels.tolist(),
        "predict": model.predict(features).tolist(),
        "probabilities": model.predict_proba(features).tolist(),
    }


def train(params: Params) -> None:
    """Train, score and log one model in the current run."""
    mlflow.log_params(vars(params))
    x_train, x_test, y_train, y_test = load_split(params)
    say(f"training on {len(x_train)} rows, {len(x_test)} held out")
    model = fit(params, x_train, flip(y_train, params.label_noise, params.seed))
    if params.encoder != "none":
        known = answerable(model, x_test)
        x_test, y_test = x_test[known], y_test[known]
        say(f"scoring on the {len(x_test)} rows that the model knows")
    metrics = score(model, x_test, y_test)
    mlflow.log_metrics(metrics)
    say("metrics " + " ".join(f"{name}={value:.4f}" for name, value in metrics.items()))
    mlflow.log_dict(held_out(model, x_test, y_test), "heldout.json")
    # The default format is skops, which the built-in server loads; a pickle it refuses.
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(x_train, model.predict(x_train)),
        input_example=x_test.head(3),
        pip_requirements=REQUIREMENTS,
        # Whoever trains may trust such trees; the built-in server does not, and says so when it is to load them.
        skops_trusted_types=[UNTRUSTED] if params.estimator == "hist_gradient_boosting" else None,
    )
    say("logged the model")


def main() -> None:
    """Train in the run that MLFLOW_RUN_ID names, or in a new one."""
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)  # the image has no pip either
    params = parse_params(os.environ.get("FAIRLEAD_PARAMS") or "{}")
    with mlflow.start_run() as run:
        say(f"run {run.info.run_id} at {mlflow.get_tracking_uri()}")
        train(params)
    say("done")


if __name__ == "__main__":
    main()
