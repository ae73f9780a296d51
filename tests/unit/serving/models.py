"""Model folders as MLflow writes them, of small models that are trained here."""

import json
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import skops.io
import yaml
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

COLUMNS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")


def iris() -> tuple[pd.DataFrame, np.ndarray]:
    """Features of four columns, and labels 0, 1, 2."""
    features, labels = load_iris(return_X_y=True, as_frame=True)
    return features, labels.to_numpy()


def classifier(*, strings: bool = False) -> Pipeline:
    """A fitted classifier of the iris data."""
    features, labels = iris()
    answers = np.array(["setosa", "versicolor", "virginica"])[labels] if strings else labels
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(features, answers)


def write_model(
    folder: Path,
    estimator: Any,
    *,
    pickle: bool = False,
    document: dict[str, Any] | None = None,
    flavors: dict[str, Any] | None = None,
) -> Path:
    """Save an estimator with signature and example; document overrides what MLmodel says, flavors single flavors."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "model.pkl" if pickle else "model.skops"
    if pickle:
        (folder / name).write_bytes(cloudpickle.dumps(estimator))
    else:
        skops.io.dump(estimator, folder / name)
    features, _ = iris()
    example = {"dataframe_split": {"columns": list(COLUMNS), "data": features.head(2).to_numpy().tolist()}}
    (folder / "serving_input_example.json").write_text(json.dumps(example))
    signature = [{"type": "double", "name": column, "required": True} for column in COLUMNS]
    content: dict[str, Any] = {
        "flavors": {
            "python_function": {"loader_module": "mlflow.sklearn"},
            "sklearn": {
                "pickled_model": name,
                "serialization_format": "cloudpickle" if pickle else "skops",
                "sklearn_version": "1.9.1",
            },
        },
        "saved_input_example_info": {"serving_input_path": "serving_input_example.json", "type": "dataframe"},
        "signature": {"inputs": json.dumps(signature), "outputs": "[]", "params": None},
    }
    content["flavors"] |= flavors or {}
    (folder / "MLmodel").write_text(yaml.safe_dump(content | (document or {})))
    return folder


def matrix_body(rows: list[list[float]], **more: Any) -> str:
    """An inference request of one tensor."""
    tensor = {"name": "input", "datatype": "FP64", "shape": [len(rows), len(rows[0])], "data": rows}
    return json.dumps({"inputs": [tensor], **more})
