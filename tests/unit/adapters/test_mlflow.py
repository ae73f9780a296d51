"""Calls and answers of MLflow 3.17, as a real server gave them; that it still gives them is tested with one."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.unit.shell.in_memory import FakeClock

from fairlead.adapters import mlflow
from fairlead.adapters.mlflow import MlflowRegistry, MlflowRun
from fairlead.errors import RegistryError

NOW_MILLISECONDS = 1777896000000
MISSING = httpx.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"})


class Bench:
    """The adapter over canned answers by path; `sent` keeps path and fields of each call."""

    def __init__(self, answers: dict[str, Any] | None = None, url: str = "http://mlflow:5000/") -> None:
        self.answers = answers or {}
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self.authorizations: list[str | None] = []
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        self.registry = MlflowRegistry(url, FakeClock(), http)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/2.0/mlflow/")
        fields = dict(request.url.params) if request.method == "GET" else json.loads(request.content)
        self.sent.append((request.method, path, fields))
        self.authorizations.append(request.headers.get("Authorization"))
        found = self.answers.get(path, model() if path == "registered-models/get" else {})
        if isinstance(found, list):
            found = found.pop(0)
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)


def model(*aliases: tuple[str, str]) -> dict[str, Any]:
    named = [{"alias": alias, "version": version} for alias, version in aliases]
    return {"registered_model": {"name": "churn"} | ({"aliases": named} if named else {})}


async def failure(bench: Bench, version: str = "") -> tuple[str, str]:
    with pytest.raises(RegistryError) as caught:
        await (bench.registry.digest_tag("churn", version) if version else bench.registry.aliases("churn"))
    return caught.value.reason, str(caught.value)


# -- registered models


async def test_all_aliases_of_a_model_are_one_request() -> None:
    bench = Bench({"registered-models/get": model(("champion", "2"), ("candidate", "7"))})
    assert await bench.registry.aliases("churn") == {"champion": "2", "candidate": "7"}
    assert bench.sent == [("GET", "registered-models/get", {"name": "churn"})]


async def test_a_model_without_aliases_has_none() -> None:
    assert await Bench().registry.aliases("churn") == {}


async def test_a_version_tells_the_tag_with_its_digest() -> None:
    tags = [{"key": "other", "value": "x"}, {"key": "fairlead.model.digest", "value": "sha256:1"}]
    bench = Bench({"model-versions/get": [{"model_version": {"tags": tags}}, {"model_version": {}}]})
    assert await bench.registry.digest_tag("churn", "3") == "sha256:1"
    assert await bench.registry.digest_tag("churn", "3") == ""
    assert bench.sent[0] == ("GET", "model-versions/get", {"name": "churn", "version": "3"})


async def test_a_model_and_a_version_that_are_missing_are_told_by_name() -> None:
    bench = Bench({"registered-models/get": MISSING, "model-versions/get": MISSING})
    assert await failure(bench) == (
        "ModelNotFound",
        "spec.model.name: expected a registered model of MLflow, got churn",
    )
    assert await failure(bench, "3") == (
        "ModelVersionNotFound",
        "spec.model.version: expected a version of churn, got 3",
    )


@pytest.mark.parametrize("answer", [{}, {"registered_model": None}, {"registered_model": {"aliases": [{}]}}])
async def test_an_answer_in_another_form_is_none(answer: Any) -> None:
    reason, text = await failure(Bench({"registered-models/get": answer}))
    assert (reason, text.split(" is ")[0]) == ("RegistryUnavailable", "MLflow's answer to /registered-models/get")
    assert (await failure(Bench({"model-versions/get": {"model_version": {"tags": 1}}}), "3"))[0] == reason


async def test_each_request_is_observed_with_its_outcome() -> None:
    seen: list[tuple[str, float]] = []
    answers = [{"registered_model": {}}, MISSING, httpx.Response(403), httpx.Response(500), httpx.ReadTimeout("slow")]
    bench = Bench({"registered-models/get": answers})
    http = httpx.AsyncClient(transport=httpx.MockTransport(bench.answer))
    for url in (*["http://mlflow"] * len(answers), ""):
        registry = MlflowRegistry(url, FakeClock(), http, observe=lambda *item: seen.append(item))
        with contextlib.suppress(RegistryError):
            await registry.aliases("churn")
    words = ["ok", "not_found", "forbidden", "unavailable", "unavailable", "not_configured"]
    assert seen == [(word, 0.0) for word in words]


# -- errors


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (httpx.Response(403, text="Invalid Host header"), "RegistryForbidden", "--allowed-hosts"),
        (httpx.Response(401, json={"message": "who are you"}), "RegistryForbidden", "who are you"),
        (httpx.Response(500, text="<html>"), "RegistryUnavailable", "500 to /registered-models/get: <html>"),
        (httpx.Response(404, text="not here"), "RegistryUnavailable", "404"),
        (httpx.Response(400, json={"error_code": "INVALID_PARAMETER_VALUE"}), "RegistryUnavailable", "INVALID_P"),
        (httpx.Response(200, text="<html>"), "RegistryUnavailable", "<html>"),
        (httpx.Response(200, json=["a", "list"]), "RegistryUnavailable", "200"),
        (httpx.Response(200, content=b"x" * (4 * 1024 * 1024 + 1)), "RegistryUnavailable", "more than 4194304 bytes"),
        (httpx.ConnectTimeout("slow"), "RegistryUnavailable", "no answer from MLflow at http://mlflow:5000: Connect"),
    ],
)
async def test_an_answer_that_is_no_answer_has_a_word_and_what_was_said(answer: Any, reason: str, said: str) -> None:
    found, text = await failure(Bench({"registered-models/get": answer}))
    assert found == reason
    assert said in text


async def test_without_a_url_every_question_says_so() -> None:
    bench = Bench(url="")
    assert await failure(bench) == ("RegistryNotConfigured", "the setting registry.url is empty")
    assert bench.sent == []


async def test_a_long_error_is_cut() -> None:
    _, text = await failure(Bench({"registered-models/get": httpx.Response(500, text="x" * 9000)}))
    assert len(text) < 400


async def test_a_registry_that_never_ends_its_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow, "_TIMEOUT_SECONDS", 0.01)

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0)

    bench = Bench({"registered-models/get": httpx.Response(200, content=trickle())})
    assert await failure(bench) == (
        "RegistryUnavailable",
        "no answer from MLflow at http://mlflow:5000: TimeoutError",
    )


async def test_each_request_carries_the_credentials_as_they_are_now() -> None:
    bench, headers = Bench(), iter(["Bearer old", "Bearer new", ""])
    http = httpx.AsyncClient(transport=httpx.MockTransport(bench.answer))
    registry = MlflowRegistry("http://mlflow", FakeClock(), http, authorization=lambda: next(headers))
    for _ in range(3):
        await registry.alias_target("churn", "candidate")
    assert bench.authorizations == ["Bearer old", "Bearer new", None]


# -- runs

EXPERIMENT = {"experiment": {"experiment_id": "5"}}


async def test_a_run_is_found_by_the_tag_in_the_namespace_s_experiment() -> None:
    run = {"runs": [{"info": {"run_id": "r", "status": "RUNNING"}}]}
    bench = Bench({"experiments/get-by-name": EXPERIMENT, "runs/search": run})
    found = await bench.registry.find_run("uid-1", "team")
    assert found == MlflowRun("r", "5", "http://mlflow:5000/#/experiments/5/runs/r", "RUNNING")
    assert bench.sent[0][2] == {"experiment_name": "fairlead/team"}
    assert bench.sent[1][2]["filter"] == "tags.`fairlead.trainingjob.uid` = 'uid-1'"
    assert bench.sent[1][2]["experiment_ids"] == ["5"]


async def test_without_an_experiment_or_a_run_there_is_none() -> None:
    assert await Bench({"experiments/get-by-name": MISSING}).registry.find_run("uid-1", "team") is None
    assert await Bench({"experiments/get-by-name": EXPERIMENT}).registry.find_run("uid-1", "team") is None


async def test_a_run_is_opened_with_its_tags_in_an_experiment_that_is_made_when_it_is_missing() -> None:
    bench = Bench({"experiments/get-by-name": MISSING, "experiments/create": {"experiment_id": "6"}})
    await bench.registry.open_run("team/fit", "team", {"a": "b"})
    assert bench.sent[1] == ("POST", "experiments/create", {"name": "fairlead/team"})
    assert bench.sent[2] == (
        "POST",
        "runs/create",
        {
            "experiment_id": "6",
            "run_name": "team/fit",
            "start_time": NOW_MILLISECONDS,
            "tags": [{"key": "a", "value": "b"}],
        },
    )


async def test_an_experiment_that_exists_is_used() -> None:
    bench = Bench({"experiments/get-by-name": EXPERIMENT})
    await bench.registry.open_run("team/fit", "team", {})
    assert [path for _, path, _ in bench.sent] == ["experiments/get-by-name", "runs/create"]


async def test_an_experiment_that_someone_else_made_at_the_same_moment_is_used() -> None:
    exists = httpx.Response(400, json={"error_code": "RESOURCE_ALREADY_EXISTS"})
    bench = Bench({"experiments/get-by-name": [MISSING, EXPERIMENT], "experiments/create": exists})
    await bench.registry.open_run("team/fit", "team", {})
    assert bench.sent[-1][2]["experiment_id"] == "5"


async def test_an_experiment_that_cannot_be_made_is_an_error() -> None:
    broken = httpx.Response(500, json={})
    bench = Bench({"experiments/get-by-name": MISSING, "experiments/create": broken})
    with pytest.raises(RegistryError):
        await bench.registry.open_run("team/fit", "team", {})


async def test_a_run_ends_with_its_status_and_time() -> None:
    bench = Bench()
    await bench.registry.close_run("r", "FAILED")
    assert bench.sent == [("POST", "runs/update", {"run_id": "r", "status": "FAILED", "end_time": NOW_MILLISECONDS})]


async def test_open_runs_are_those_of_this_operator_in_all_namespaces() -> None:
    tags = [{"key": "x", "value": "y"}, {"key": "fairlead.trainingjob.uid", "value": "uid-1"}]
    bench = Bench(
        {
            "experiments/search": {"experiments": [{"experiment_id": "5"}, {"experiment_id": "6"}]},
            "runs/search": {"runs": [{"info": {"run_id": "r"}, "data": {"tags": tags}}]},
        }
    )
    assert await bench.registry.open_runs("operator-1") == [("r", "uid-1")]
    assert bench.sent[0][2]["filter"] == "name LIKE 'fairlead/%'"
    assert bench.sent[1][2]["experiment_ids"] == ["5", "6"]
    assert "tags.`fairlead.operator.id` = 'operator-1'" in bench.sent[1][2]["filter"]


async def test_without_experiments_no_run_is_looked_for() -> None:
    bench = Bench()
    assert await bench.registry.open_runs("operator-1") == []
    assert len(bench.sent) == 1


# -- models and versions


async def test_only_logged_models_whose_upload_is_complete_count() -> None:
    infos = [
        {"info": {"model_id": "m-1", "status": "LOGGED_MODEL_READY"}},
        {"info": {"model_id": "m-2", "status": "LOGGED_MODEL_PENDING"}},
        {"info": {"model_id": "m-3"}},
    ]
    bench = Bench({"logged-models/search": {"models": infos}})
    assert await bench.registry.logged_models("r", "5") == [("m-1", "models:/m-1")]
    assert bench.sent[0][2]["filter"] == "source_run_id = 'r'"
    assert await Bench().registry.logged_models("r", "5") == []


async def test_a_version_is_found_by_its_tag_the_first_one_if_there_are_two() -> None:
    def version(number: str, uid: str) -> dict[str, Any]:
        return {"version": number, "tags": [{"key": "fairlead.trainingjob.uid", "value": uid}]}

    found = [version("10", "uid-1"), version("9", "uid-1"), version("1", "other"), {"version": "2"}]
    bench = Bench({"model-versions/search": {"model_versions": found}})
    assert await bench.registry.find_version("churn", "uid-1") == "9"
    assert bench.sent[0][2]["filter"] == "name = 'churn' AND tags.`fairlead.trainingjob.uid` = 'uid-1'"
    assert await Bench().registry.find_version("churn", "uid-1") == ""


@pytest.mark.parametrize("exists", [True, False])
async def test_a_version_is_registered_and_its_model_made_when_it_is_missing(exists: bool) -> None:
    bench = Bench({"registered-models/get": model() if exists else MISSING})
    await bench.registry.register("churn", source="models:/m-1", run_id="r", model_id="m-1", tags={"a": "b"})
    assert ("POST", "registered-models/create", {"name": "churn"}) in bench.sent or exists
    assert [path for _, path, _ in bench.sent].count("registered-models/create") == (0 if exists else 1)
    assert bench.sent[-1] == (
        "POST",
        "model-versions/create",
        {
            "name": "churn",
            "source": "models:/m-1",
            "run_id": "r",
            "model_id": "m-1",
            "tags": [{"key": "a", "value": "b"}],
        },
    )


async def test_where_an_alias_points_is_read_and_nowhere_is_empty() -> None:
    bench = Bench({"registered-models/get": model(("candidate", "7"))})
    assert await bench.registry.alias_target("churn", "candidate") == "7"
    assert await bench.registry.alias_target("churn", "champion") == ""
    assert await Bench({"registered-models/get": MISSING}).registry.alias_target("churn", "a") == ""


async def test_an_alias_is_set() -> None:
    bench = Bench()
    await bench.registry.set_alias("churn", "candidate", "7")
    assert bench.sent == [("POST", "registered-models/alias", {"name": "churn", "alias": "candidate", "version": "7"})]


@pytest.fixture
async def opened() -> AsyncIterator[MlflowRegistry]:
    registry = MlflowRegistry("http://mlflow:5000", FakeClock())
    yield registry
    await registry.close()


async def test_a_request_has_a_time_out_and_is_never_redirected(opened: MlflowRegistry) -> None:
    assert opened._http.timeout.read == mlflow._TIMEOUT_SECONDS
    assert not opened._http.follow_redirects
    await opened.close()
    assert opened._http.is_closed
