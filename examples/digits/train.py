"""Teach a support vector machine to read handwritten digits (scikit-learn's digits: images of 8 x 8 pixels).

The shortest whole trainer: copy this folder to make it your own. MLflow's own variables say where to log.
"""

import json
import os

import mlflow
import sklearn
import skops
from mlflow.models import infer_signature
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

params = {"gamma": "0.001", "seed": "7", **json.loads(os.environ.get("FAIRLEAD_PARAMS", "{}"))}

pixels, digits = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(pixels, digits, random_state=int(params["seed"]), stratify=digits)

with mlflow.start_run():  # the run that MLFLOW_RUN_ID names
    mlflow.log_params(params)
    model = SVC(gamma=float(params["gamma"])).fit(x_train, y_train)
    accuracy = model.score(x_test, y_test)
    mlflow.log_metric("accuracy", accuracy)  # the gate in training.yaml reads this
    mlflow.log_dict({"rows": x_test.tolist(), "predict": model.predict(x_test).tolist()}, "heldout.json")
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(x_train, model.predict(x_train)),
        input_example=x_test[:3],
        pip_requirements=[f"scikit-learn=={sklearn.__version__}", f"skops=={skops.__version__}"],
    )
    print(f"accuracy {accuracy:.4f} on {len(x_test)} held-out images")
