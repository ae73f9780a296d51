import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.linear_model import LinearRegression
from tests.unit.serving.models import COLUMNS, classifier, iris, matrix_body, write_model

from fairlead_serving.app import build_app, package_version
from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.loading import load_model, warm_up
from fairlead_serving.metrics import Metrics
from fairlead_serving.mlmodel import read_mlmodel
from fairlead_serving.settings import parse_settings
from fairlead_serving.waiting import WaitingLine

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
    async with serving(lifecycle, threads, {}) as http:
        yield http


def serving(lifecycle: Lifecycle, threads: ThreadPoolExecutor, env: dict[str, str]) -> httpx.AsyncClient:
    settings = parse_settings(ENV | env)
    line = WaitingLine(threads, limit=settings.max_waiting_requests)
    app = build_app(settings, lifecycle, Metrics(settings, lifecycle, lambda: line.in_flight), line)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server")


def load(lifecycle: Lifecycle, folder: Path, *, allow_pickle: bool = False) -> None:
    spec = read_mlmodel(folder)
    model = load_model(folder, spec, allow_pickle=allow_pickle, max_bytes=2**30)
    lifecycle.loaded(*(warm_up(model, folder, spec) if not allow_pickle else (model, None)))


async def infer(client: httpx.AsyncClient, content: str | bytes) -> httpx.Response:
    return await client.post("/v2/models/flowers/infer", content=content)


async def count(client: httpx.AsyncClient, code: int, error_class: str, protocol: str = "oip") -> float:
    labels = f'code="{code}",error_class="{error_class}",model="iris",protocol="{protocol}",version="3"'
    sample = f"fairlead_serving_requests_total{{{labels}}} "
    lines = (await client.get("/metrics")).text.splitlines()
    return next((float(line.removeprefix(sample)) for line in lines if line.startswith(sample)), 0.0)


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
    assert await count(client, 200, "") == 1


async def test_only_the_asked_output_comes_back(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    load(lifecycle, iris_folder)
    answer = await infer(client, matrix_body([ROW], outputs=[{"name": "probabilities"}]))
    assert [output["name"] for output in answer.json()["outputs"]] == ["probabilities"]
    unknown = await infer(client, matrix_body([ROW], outputs=[{"name": "x"}]))
    assert (unknown.status_code, unknown.json()["field"]) == (422, "outputs")


async def test_string_classes_come_back_as_bytes(
    client: httpx.AsyncClient, lifecycle: Lifecycle, tmp_path: Path
) -> None:
    load(lifecycle, write_model(tmp_path, classifier(strings=True)))
    predict = (await infer(client, matrix_body([ROW]))).json()["outputs"][0]
    assert (predict["datatype"], predict["data"]) == ("BYTES", ["setosa"])


async def test_what_the_signature_does_not_allow_is_a_422_with_the_field(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    load(lifecycle, iris_folder)
    answer = await infer(client, matrix_body([ROW[:3]]))
    assert answer.status_code == 422
    assert answer.json() == {
        "error": "inputs[0].shape: expected [rows, 4], got [1, 3]",
        "field": "inputs[0].shape",
        "expected": "[rows, 4]",
        "got": "[1, 3]",
    }
    assert await count(client, 422, "client") == 1
    assert await count(client, 500, "model") == 0
    malformed = await infer(client, "{")
    assert (malformed.status_code, malformed.json()["field"]) == (400, "body")


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
    assert "Traceback" not in answer.text and ".py" not in answer.text
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


@pytest.mark.parametrize(
    ("headers", "got"),
    [
        ({"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": "10"}, "binary tensor"),
        ({"Content-Type": "text/csv"}, "text/csv"),
        ({"Content-Type": "application/json; charset=latin-1"}, "latin-1"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "form"),
    ],
)
async def test_another_content_type_is_a_415(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path, headers: dict[str, str], got: str
) -> None:
    load(lifecycle, iris_folder)
    answer = await client.post("/v2/models/flowers/infer", content=matrix_body([ROW]), headers=headers)
    assert (answer.status_code, await count(client, 415, "client")) == (415, 1)
    assert "JSON" in answer.json()["expected"] or "application/json" in answer.json()["expected"]
    assert got in answer.json()["got"]


async def test_a_tensor_in_binary_is_refused_and_other_parameters_are_tolerated(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    load(lifecycle, iris_folder)
    tensor = {"name": "input", "datatype": "FP64", "shape": [1, 4], "data": ROW, "parameters": {"content_type": "np"}}
    body = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    assert (await infer(client, json.dumps(body))).status_code == 200
    tensor["parameters"] = {"binary_data_size": 32}
    answer = await infer(client, json.dumps(body))
    assert (answer.status_code, answer.json()["field"]) == (415, "inputs[0].parameters.binary_data_size")


async def test_another_path_is_a_404_and_another_method_a_405(client: httpx.AsyncClient) -> None:
    missing = await client.get("/v3")
    assert (missing.status_code, missing.json()["error"]) == (
        404,
        "expected one of the paths that /docs lists, got /v3",
    )
    wrong = await client.get("/invocations")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json() == {"error": "expected POST, got GET"}


class Stuck(LinearRegression):
    def predict(self, features: Any) -> Any:
        RELEASE.wait(20)
        return super().predict(features)


RELEASE = threading.Event()


async def test_a_model_that_is_stuck_ends_in_504_and_429_and_health_answers(
    lifecycle: Lifecycle, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    RELEASE.clear()
    env = {"REQUEST_DEADLINE_SECONDS": "0.3", "MAX_WAITING_REQUESTS": "1"}
    async with serving(lifecycle, threads, env) as client:
        load(lifecycle, write_model(tmp_path, Stuck().fit(*iris()), pickle=True), allow_pickle=True)
        asked = asyncio.gather(*(infer(client, matrix_body([ROW])) for _ in range(5)))
        await asyncio.sleep(0.05)
        assert (await client.get("/v2/health/live")).status_code == 200
        assert "fairlead_serving_in_flight_requests 2.0" in (await client.get("/metrics")).text
        answers = await asked
        assert sorted(answer.status_code for answer in answers) == [429, 429, 429, 504, 504]
        assert {answer.headers.get("retry-after") for answer in answers} == {None, "1"}
        assert await count(client, 504, "timeout") == 2
        assert await count(client, 429, "overload") == 3
        assert "within 0.3 s" in next(answer for answer in answers if answer.status_code == 504).json()["error"]
        RELEASE.set()
        for _ in range(50):
            if (await infer(client, matrix_body([ROW]))).status_code == 200:
                break
        assert "fairlead_serving_in_flight_requests 0.0" in (await client.get("/metrics")).text


async def test_a_body_that_does_not_arrive_is_a_408(
    lifecycle: Lifecycle, threads: ThreadPoolExecutor, iris_folder: Path
) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    load(lifecycle, iris_folder)
    async with serving(lifecycle, threads, {"REQUEST_DEADLINE_SECONDS": "0.1"}) as client:
        answer = await client.post("/v2/models/flowers/infer", content=slow())
        assert (answer.status_code, await count(client, 408, "client")) == (408, 1)


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": list(COLUMNS), "data": [ROW]}},
        {"dataframe_records": [dict(zip(COLUMNS, ROW, strict=True))]},
        {"inputs": [ROW]},
        {"instances": [ROW], "params": {"temperature": 1}},
    ],
)
async def test_mlflows_scoring_protocol_is_answered(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path, body: dict[str, Any]
) -> None:
    load(lifecycle, iris_folder)
    answer = await client.post("/invocations", json=body)
    assert (answer.status_code, answer.json()) == (200, {"predictions": [0]})
    assert await count(client, 200, "", "mlflow") == 1


async def test_comma_separated_values_are_answered(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    load(lifecycle, iris_folder)
    text = f"{','.join(COLUMNS)}\n{','.join(map(str, ROW))}\n"
    answer = await client.post("/invocations", content=text, headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.json()) == (200, {"predictions": [0]})


async def test_mlflows_health_paths_follow_readiness(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    paths = ("/ping", "/health")
    assert [(await client.get(path)).status_code for path in paths] == [503, 503]
    load(lifecycle, iris_folder)
    assert [(await client.get(path)).status_code for path in paths] == [200, 200]
    assert (await client.get("/version")).text == (await client.get("/v2")).json()["version"]
    assert (await client.get("/v2/models")).json() == {"models": ["flowers"]}


async def test_the_pasted_examples_of_the_documentation_work(
    client: httpx.AsyncClient, lifecycle: Lifecycle, iris_folder: Path
) -> None:
    loading = (await client.get("/openapi.json")).json()["paths"]["/invocations"]["post"]
    assert "example" not in loading["requestBody"]["content"]["application/json"]
    load(lifecycle, iris_folder)
    paths = (await client.get("/openapi.json")).json()["paths"]
    for path in ("/v2/models/flowers/infer", "/v2/models/flowers/versions/3/infer", "/invocations"):
        example = paths[path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert (await client.post(path, json=example)).status_code == 200
    page = await client.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "sepal length (cm)" in page.text


def test_the_version_is_that_of_the_image(tmp_path: Path) -> None:
    stamp = tmp_path / "VERSION"
    assert package_version(stamp) == "dev"
    stamp.write_text("1.2.3\n")
    assert package_version(stamp) == "1.2.3"
