import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.linear_model import LinearRegression
from tests.unit.serving.models import classifier, iris, matrix_body, write_model

from fairlead_serving.app import build_app
from fairlead_serving.backend import load_model
from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.metrics import Metrics
from fairlead_serving.mlmodel import read_mlmodel
from fairlead_serving.settings import parse_settings

ROW = [5.1, 3.5, 1.4, 0.2]
ENV = {"MODEL_NAME": "iris", "MODEL_VERSION": "3", "SERVED_MODEL_NAME": "flowers", "MAX_BODY_BYTES": "2000"}


class Broken(LinearRegression):
    def predict(self, features: Any) -> Any:
        raise RuntimeError("boom")


class NotANumber(LinearRegression):
    def predict(self, features: Any) -> Any:
        return [float("nan")]


@pytest.fixture
def lifecycle() -> Lifecycle:
    return Lifecycle()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
async def client(lifecycle: Lifecycle, threads: ThreadPoolExecutor) -> AsyncIterator[httpx.AsyncClient]:
    settings = parse_settings(ENV)
    app = build_app(settings, lifecycle, Metrics(settings, lifecycle), threads)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as http:
        yield http


def load(lifecycle: Lifecycle, folder: Path, *, allow_pickle: bool = False) -> None:
    lifecycle.loaded(load_model(folder, read_mlmodel(folder), allow_pickle=allow_pickle, max_bytes=2**30))


async def infer(client: httpx.AsyncClient, content: str | bytes) -> httpx.Response:
    return await client.post("/v2/models/flowers/infer", content=content)


async def count(client: httpx.AsyncClient, code: int, error_class: str) -> float:
    sample = f'fairlead_serving_requests_total{{code="{code}",error_class="{error_class}"}} '
    lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.removeprefix(sample)) for line in lines if line.startswith(sample))


async def test_a_loading_server_lives_but_is_not_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v2/health/live")).status_code == 200
    for path in ("/v2/health/ready", "/v2/models/flowers/ready", "/v2/models/flowers"):
        assert (await client.get(path)).status_code == 503
    answer = await infer(client, matrix_body([ROW]))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert await count(client, 503, "overload") == 1


async def test_a_loaded_server_answers_with_predictions(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    load(lifecycle, iris_folder)
    assert (await client.get("/v2/health/ready")).status_code == 200
    answer = (await infer(client, matrix_body([ROW], id="7"))).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("flowers", "3", "7")
    predict, probabilities = answer["outputs"]
    assert predict == {"name": "predict", "datatype": "INT64", "shape": [1], "data": [0]}
    assert (probabilities["datatype"], probabilities["shape"]) == ("FP64", [1, 3])
    assert sum(probabilities["data"]) == pytest.approx(1)
    assert await count(client, 200, "none") == 1


async def test_only_the_asked_output_comes_back(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    load(lifecycle, iris_folder)
    answer = await infer(client, matrix_body([ROW], outputs=[{"name": "probabilities"}]))
    assert [output["name"] for output in answer.json()["outputs"]] == ["probabilities"]
    unknown = await infer(client, matrix_body([ROW], outputs=[{"name": "x"}]))
    assert (unknown.status_code, unknown.json()["field"]) == (400, "outputs")


async def test_string_classes_come_back_as_bytes(
    client: httpx.AsyncClient, lifecycle: Lifecycle, tmp_path: Path
) -> None:
    load(lifecycle, write_model(tmp_path, classifier(strings=True)))
    predict = (await infer(client, matrix_body([ROW]))).json()["outputs"][0]
    assert (predict["datatype"], predict["data"]) == ("BYTES", ["setosa"])


async def test_a_clients_mistake_is_a_400_with_the_field(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    load(lifecycle, iris_folder)
    answer = await infer(client, matrix_body([ROW[:3]]))
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "inputs[0].shape: expected [rows, 4], got [1, 3]",
        "field": "inputs[0].shape",
        "expected": "[rows, 4]",
        "got": "[1, 3]",
    }
    assert await count(client, 400, "client") == 1
    assert await count(client, 500, "model") == 0


async def test_a_body_above_the_limit_is_a_413(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    load(lifecycle, iris_folder)
    for size, status in ((2000, 400), (2001, 413), (100_000, 413)):
        answer = await infer(client, b"x" * size)
        assert (answer.status_code, answer.json()["field"]) == (status, "body")
    assert await count(client, 413, "client") == 2


@pytest.mark.parametrize("estimator", [Broken, NotANumber])
async def test_a_model_that_fails_on_good_input_is_a_500(
    client: httpx.AsyncClient, lifecycle: Lifecycle, tmp_path: Path, estimator: type[LinearRegression]
) -> None:
    load(lifecycle, write_model(tmp_path, estimator().fit(*iris()), pickle=True), allow_pickle=True)
    answer = await infer(client, matrix_body([ROW]))
    assert answer.status_code == 500
    assert "the model raised on this input" in answer.json()["error"]
    assert await count(client, 500, "model") == 1


@pytest.mark.parametrize("path", ["/v2/models/iris", "/v2/models/flowers/versions/4", "/v2/models/x/versions/3"])
async def test_another_model_or_version_is_a_404(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path, path: str
) -> None:
    load(lifecycle, iris_folder)
    answers = [
        await client.get(path),
        await client.get(f"{path}/ready"),
        await client.post(f"{path}/infer"),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert "expected model flowers version 3, got" in answers[0].json()["error"]
    assert await count(client, 404, "client") == 1


async def test_the_version_may_be_named(client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path) -> None:
    load(lifecycle, iris_folder)
    path = "/v2/models/flowers/versions/3"
    assert (await client.get(f"{path}/ready")).json() == {"name": "flowers", "ready": True}
    assert (await client.post(f"{path}/infer", content=matrix_body([ROW]))).status_code == 200


async def test_the_metadata_says_what_goes_in_and_out(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    load(lifecycle, iris_folder)
    metadata = (await client.get("/v2/models/flowers")).json()
    assert (metadata["name"], metadata["versions"], metadata["parameters"]["model"]) == ("flowers", ["3"], "iris")
    assert metadata["inputs"][0] == {"name": "sepal length (cm)", "datatype": "FP64", "shape": [-1, 1]}
    assert metadata["outputs"][1] == {"name": "probabilities", "datatype": "FP64", "shape": [-1, 3]}
    assert (await client.get("/v2")).json()["name"] == "fairlead-serving"


async def test_a_draining_server_answers_and_closes(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    load(lifecycle, iris_folder)
    assert "connection" not in (await infer(client, matrix_body([ROW]))).headers
    lifecycle.drain()
    assert (await client.get("/v2/health/ready")).status_code == 503
    answer = await infer(client, matrix_body([ROW]))
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


async def test_documentation_is_served(client: httpx.AsyncClient) -> None:
    assert (await client.get("/docs")).status_code == 200
    paths = json.loads((await client.get("/openapi.json")).text)["paths"]
    assert "/v2/models/{name}/versions/{version}/infer" in paths
