"""The answers to POST /invocations beside those of MLflow's own scoring server, for models that MLflow saved."""

import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from tests.unit.serving.models import iris

from fairlead_serving.app import build_app
from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.loading import load_model, warm_up
from fairlead_serving.metrics import Metrics
from fairlead_serving.mlmodel import read_mlmodel
from fairlead_serving.settings import parse_settings
from fairlead_serving.waiting import WaitingLine

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


@dataclass(frozen=True)
class Pair:
    """Our server and MLflow's, with the same model."""

    ours: httpx.AsyncClient
    mlflows: httpx.AsyncClient

    async def both(self, body: Any, content_type: str = "application/json") -> tuple[Any, Any]:
        """Both answers to a body; each has to be a 200."""
        content = body if isinstance(body, str) else json.dumps(body)
        answers = [
            await client.post("/invocations", content=content, headers={"Content-Type": content_type})
            for client in (self.ours, self.mlflows)
        ]
        assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
        return answers[0].json(), answers[1].json()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@asynccontextmanager
async def pair(folder: Path, threads: ThreadPoolExecutor, model: Any, rows: Any, **how: Any) -> AsyncIterator[Pair]:
    """Save a model with MLflow, and serve it in both ways."""
    import mlflow.pyfunc.scoring_server  # noqa: PLC0415 -- takes seconds, and only this module needs it
    import mlflow.sklearn  # noqa: PLC0415

    signature = mlflow.models.infer_signature(rows, model.predict(rows))
    # Named, since MLflow finds out the requirements by loading the model in another process.
    how["pip_requirements"] = ["scikit-learn"]
    mlflow.sklearn.save_model(model, folder, signature=signature, input_example=rows[:2], **how)
    spec, settings, lifecycle = read_mlmodel(folder), parse_settings({"MODEL_NAME": "m"}), Lifecycle()
    loaded = load_model(folder, spec, allow_pickle=how.get("serialization_format") == "cloudpickle", max_bytes=2**30)
    lifecycle.loaded(*warm_up(loaded, folder, spec))
    line = WaitingLine(threads, limit=10)
    ours = build_app(settings, lifecycle, Metrics(settings, lifecycle, lambda: line.in_flight), line)
    mlflows = mlflow.pyfunc.scoring_server.init(mlflow.pyfunc.load_model(str(folder)))
    clients = [httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") for app in (ours, mlflows)]
    async with clients[0], clients[1]:
        yield Pair(*clients)


async def test_a_table_in_every_form_is_answered_as_mlflow_answers(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    features, labels = iris()
    model = LogisticRegression(max_iter=500).fit(features, np.array(["setosa", "versicolor", "virginica"])[labels])
    split = features.iloc[::10].to_dict(orient="split")
    bodies = [
        {"dataframe_split": split},
        {"dataframe_records": features.iloc[::10].to_dict(orient="records")},
        {"inputs": features.iloc[::10].to_dict(orient="list")},
        {"instances": features.iloc[::10].to_dict(orient="records")},
    ]
    async with pair(tmp_path / "m", threads, model, features) as servers:
        answers = [await servers.both(body) for body in bodies]
        answers.append(await servers.both(features.iloc[::10].to_csv(index=False), "text/csv"))
    expected = {"predictions": model.predict(features.iloc[::10]).tolist()}
    assert answers == [(expected, expected)] * 5


async def test_digits_as_a_tensor_in_a_pickled_forest(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    digits = load_digits()
    model = RandomForestClassifier(10, random_state=0).fit(digits.data, digits.target)
    async with pair(
        tmp_path / "m",
        threads,
        model,
        digits.data,
        serialization_format="cloudpickle",
        pyfunc_predict_fn="predict_proba",
    ) as servers:
        for form in ("inputs", "instances"):
            ours, mlflows = await servers.both({form: digits.data[:20].tolist()})
            assert ours == mlflows == {"predictions": model.predict_proba(digits.data[:20]).tolist()}


async def test_digits_as_a_tensor_in_a_forest_without_a_pickle(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    digits = load_digits()
    model = RandomForestClassifier(10, random_state=0).fit(digits.data, digits.target)
    trusted = ["sklearn.tree._tree.Tree"]
    async with pair(tmp_path / "m", threads, model, digits.data, skops_trusted_types=trusted) as servers:
        ours, mlflows = await servers.both({"inputs": digits.data[:20].tolist()})
    assert ours == mlflows == {"predictions": model.predict(digits.data[:20]).tolist()}


async def test_a_regression_is_answered_as_mlflow_answers(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    features, target = load_diabetes(return_X_y=True, as_frame=True)
    model = Ridge().fit(features, target)
    async with pair(tmp_path / "m", threads, model, features) as servers:
        ours, mlflows = await servers.both({"dataframe_split": features[:20].to_dict(orient="split")})
        answer = await servers.ours.get("/v2/models/m")
    # The same sums in another order of the columns in memory differ in the last bit.
    assert ours["predictions"] == pytest.approx(mlflows["predictions"], rel=1e-12)
    assert ours["predictions"] == pytest.approx(model.predict(features[:20]), rel=1e-12)
    assert answer.json()["outputs"] == [{"name": "predict", "datatype": "FP64", "shape": [-1]}]
