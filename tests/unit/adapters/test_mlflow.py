"""Calls and answers of MLflow 3.17, as a real server gave them; that it still gives them is tested with one."""

import json
from typing import Any

import httpx
import pytest
from tests.unit.shell.in_memory import FakeClock

from fairlead.adapters.mlflow import MlflowRegistry
from fairlead.adapters.mlflow_answers import MlflowAlias, MlflowRun, MlflowVersion
from fairlead.errors import RegistryError

NOW_MILLISECONDS = 1777896000000
MISSING = httpx.Response(404, json={"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"})


class Bench:
    """The adapter over canned answers by path; `sent` keeps path and fields of each call."""

    def __init__(self, answers: dict[str, Any] | None = None, url: str = "http://mlflow:5000/") -> None:
        self.answers = answers or {}
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        self.registry = MlflowRegistry(url, FakeClock(), http)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/2.0/mlflow/")
        fields = dict(request.url.params) if request.method == "GET" else json.loads(request.content)
        self.sent.append((request.method, path, fields))
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


# -- whether it answers


async def test_a_call_that_needs_the_right_to_read_is_the_check() -> None:
    bench = Bench({"registered-models/search": {}})
    await bench.registry.check()
    assert bench.sent == [("GET", "registered-models/search", {"max_results": "1"})]


async def test_the_check_tells_what_came_instead() -> None:
    with pytest.raises(RegistryError, match="MLflow answered 503"):
        await Bench({"registered-models/search": httpx.Response(503, text="no")}).registry.check()


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
        (httpx.ConnectTimeout("slow"), "RegistryUnavailable", "no answer from MLflow at http://mlflow:5000: Connect"),
    ],
)
async def test_an_answer_that_is_no_answer_has_a_word_and_what_was_said(answer: Any, reason: str, said: str) -> None:
    found, text = await failure(Bench({"registered-models/get": answer}))
    assert found == reason
    assert said in text


async def test_a_long_error_is_cut() -> None:
    _, text = await failure(Bench({"registered-models/get": httpx.Response(500, text="x" * 9000)}))
    assert len(text) < 400


# -- runs

EXPERIMENT = {"experiment": {"experiment_id": "5"}}


async def test_a_run_is_found_by_the_tag_in_the_namespace_s_experiment() -> None:
    commit = {"key": "mlflow.source.git.commit", "value": "c0ffee"}
    tags = [{"key": "fairlead.attempt", "value": "2"}, {"key": "fairlead.gate", "value": "failed"}, commit]
    runs = [
        {"info": {"run_id": "q", "status": "FAILED"}, "data": {}},
        {"info": {"run_id": "r", "status": "RUNNING"}, "data": {"tags": tags}},
    ]
    bench = Bench({"experiments/get-by-name": EXPERIMENT, "runs/search": {"runs": runs}})
    url = "http://mlflow:5000/#/experiments/5/runs"
    assert await bench.registry.find_runs("uid-1", "team") == [
        MlflowRun("q", "5", f"{url}/q", "FAILED", attempt=1),
        MlflowRun("r", "5", f"{url}/r", "RUNNING", attempt=2, gate="failed", git_commit="c0ffee"),
    ]
    assert bench.sent[0][2] == {"experiment_name": "fairlead/team"}
    assert bench.sent[1][2]["filter"] == "tags.`fairlead.trainingjob.uid` = 'uid-1'"
    assert bench.sent[1][2]["experiment_ids"] == ["5"]


async def test_without_an_experiment_or_a_run_there_is_none() -> None:
    assert await Bench({"experiments/get-by-name": MISSING}).registry.find_runs("uid-1", "team") == []
    assert await Bench({"experiments/get-by-name": EXPERIMENT}).registry.find_runs("uid-1", "team") == []


async def test_the_metrics_of_a_run_are_numbers_however_they_are_spelled() -> None:
    text = '{"run": {"data": {"metrics": [{"key": "a", "value": 0.5}, {"key": "b", "value": NaN}, '
    text += '{"key": "c", "value": "NaN"}, {"key": "d", "value": "-Infinity"}, {"key": "e", "value": 3}]}}}'
    found = await Bench({"runs/get": httpx.Response(200, text=text)}).registry.run_metrics("r")
    assert {name: str(value) for name, value in found.items()} == {
        "a": "0.5",
        "b": "nan",
        "c": "nan",
        "d": "-inf",
        "e": "3.0",
    }


async def test_a_run_without_metrics_or_one_that_is_gone_has_none() -> None:
    assert await Bench({"runs/get": {"run": {"data": {}}}}).registry.run_metrics("r") == {}
    assert await Bench({"runs/get": MISSING}).registry.run_metrics("r") == {}


async def test_tags_of_a_run_are_written_in_one_request_and_cut_to_what_mlflow_takes() -> None:
    bench = Bench()
    await bench.registry.tag_run("r", {"a": "b", "long": "x" * 9000})
    tags = [{"key": "a", "value": "b"}, {"key": "long", "value": "x" * 4000}]
    assert bench.sent == [("POST", "runs/log-batch", {"run_id": "r", "tags": tags})]


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
        {"info": {"model_id": "m-1", "status": "LOGGED_MODEL_READY", "name": "tree"}},
        {"info": {"model_id": "m-2", "status": "LOGGED_MODEL_PENDING"}},
        {"info": {"model_id": "m-3"}},
    ]
    bench = Bench({"logged-models/search": {"models": infos}})
    assert await bench.registry.logged_models("r", "5") == [("m-1", "models:/m-1", "tree")]
    assert bench.sent[0][2]["filter"] == "source_run_id = 'r'"
    assert await Bench().registry.logged_models("r", "5") == []


async def test_a_version_is_found_by_its_tag_the_first_one_if_there_are_two() -> None:
    def version(number: str, uid: str) -> dict[str, Any]:
        digest = {"key": "fairlead.model.digest", "value": f"sha256:{number}"}
        return {"version": number, "tags": [{"key": "fairlead.trainingjob.uid", "value": uid}, digest]}

    found = [version("10", "uid-1"), version("9", "uid-1"), version("1", "other"), {"version": "2"}]
    bench = Bench({"model-versions/search": {"model_versions": found}})
    assert await bench.registry.find_version("churn", "uid-1") == MlflowVersion("9", "sha256:9")
    assert bench.sent[0][2] == {"filter": "name = 'churn' AND tags.`fairlead.trainingjob.uid` = 'uid-1'"}
    assert await Bench().registry.find_version("churn", "uid-1") is None


async def test_a_version_without_a_digest_has_none() -> None:
    found = {"version": "3", "tags": [{"key": "fairlead.trainingjob.uid", "value": "uid-1"}]}
    bench = Bench({"model-versions/search": {"model_versions": [found]}})
    assert await bench.registry.find_version("churn", "uid-1") == MlflowVersion("3", "")


REGISTERED = {"run_id": "r", "model_id": "m-1", "description": "from here", "tags": {"a": "b"}}


@pytest.mark.parametrize("exists", [True, False])
async def test_a_version_is_registered_and_its_model_made_when_it_is_missing(exists: bool) -> None:
    bench = Bench({"registered-models/get": model() if exists else MISSING})
    await bench.registry.register("churn", **REGISTERED)  # type: ignore[arg-type]
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
            "description": "from here",
            "tags": [{"key": "a", "value": "b"}],
        },
    )


async def test_a_model_that_someone_else_made_at_the_same_moment_is_used() -> None:
    exists = httpx.Response(400, json={"error_code": "RESOURCE_ALREADY_EXISTS"})
    bench = Bench({"registered-models/get": [MISSING, model()], "registered-models/create": exists})
    await bench.registry.register("churn", **REGISTERED)  # type: ignore[arg-type]
    assert bench.sent[-1][1] == "model-versions/create"
    bench = Bench({"registered-models/get": MISSING, "registered-models/create": httpx.Response(500)})
    with pytest.raises(RegistryError):
        await bench.registry.register("churn", **REGISTERED)  # type: ignore[arg-type]


def owned(writer: str) -> dict[str, Any]:
    found = model(("candidate", "7"))
    found["registered_model"]["tags"] = [{"key": "fairlead.alias.candidate.writer", "value": writer}]
    return found


async def test_an_alias_is_read_with_the_writer_that_is_recorded_for_it() -> None:
    bench = Bench({"registered-models/get": owned("us/team")})
    assert await bench.registry.find_alias("churn", "candidate") == MlflowAlias("7", "us/team", trained=False)
    assert await bench.registry.find_alias("churn", "champion") == MlflowAlias()
    assert await Bench({"registered-models/get": MISSING}).registry.find_alias("churn", "a") == MlflowAlias()
    assert len(bench.sent) == 2, "of a version whose writer is known nothing is asked"


@pytest.mark.parametrize(
    ("version", "trained"),
    [
        ({"model_version": {"tags": [{"key": "fairlead.trainingjob.uid", "value": "u"}]}}, True),
        ({"model_version": {}}, False),
        (MISSING, False),
    ],
)
async def test_of_an_alias_that_nobody_writes_it_is_asked_who_made_its_version(version: Any, trained: bool) -> None:
    bench = Bench({"registered-models/get": model(("candidate", "7")), "model-versions/get": version})
    assert await bench.registry.find_alias("churn", "candidate") == MlflowAlias("7", "", trained)
    assert bench.sent[1][2] == {"name": "churn", "version": "7"}


async def test_who_writes_an_alias_is_a_tag_of_the_registered_model() -> None:
    bench = Bench()
    await bench.registry.claim_alias("churn", "candidate", "us/team")
    fields = {"name": "churn", "key": "fairlead.alias.candidate.writer", "value": "us/team"}
    assert bench.sent == [("POST", "registered-models/set-tag", fields)]


async def test_a_version_is_tagged_one_tag_at_a_time_and_cut_to_what_mlflow_takes() -> None:
    bench = Bench()
    await bench.registry.tag_version("churn", "7", {"a": "b", "long": "x" * 9000})
    paths = [(method, path) for method, path, _ in bench.sent]
    assert paths == [("POST", "model-versions/set-tag")] * 2
    assert bench.sent[0][2] == {"name": "churn", "version": "7", "key": "a", "value": "b"}
    assert len(bench.sent[1][2]["value"]) == 4000


async def test_what_somebody_has_deleted_meanwhile_is_no_longer_found() -> None:
    paths = ("model-versions/set-tag", "registered-models/set-tag", "registered-models/alias")
    registry = Bench(dict.fromkeys(paths, MISSING)).registry
    calls = {
        "ModelVersionNotFound": [
            registry.tag_version("churn", "7", {"a": "b"}),
            registry.set_alias("churn", "champion", "7"),
        ],
        "ModelNotFound": [registry.claim_alias("churn", "champion", "us/team")],
    }
    for reason, made in calls.items():
        for call in made:
            with pytest.raises(RegistryError, match="any more") as caught:
                await call
            assert caught.value.reason == reason


async def test_what_vanishes_where_nobody_expects_it_is_an_error_like_any_other() -> None:
    with pytest.raises(RegistryError, match="MLflow no longer knows what /runs/update is about") as caught:
        await Bench({"runs/update": MISSING}).registry.close_run("r", "KILLED")
    assert caught.value.reason == "RegistryUnavailable"


async def test_an_alias_is_set() -> None:
    bench = Bench()
    await bench.registry.set_alias("churn", "candidate", "7")
    assert bench.sent == [("POST", "registered-models/alias", {"name": "churn", "alias": "candidate", "version": "7"})]


@pytest.mark.parametrize(
    ("path", "answer", "ask"),
    [
        ("registered-models/get", {}, lambda it: it.aliases("churn")),
        ("registered-models/get", {"registered_model": []}, lambda it: it.find_alias("churn", "a")),
        ("experiments/get-by-name", {"experiment": {}}, lambda it: it.find_runs("u", "team")),
        ("runs/search", {"runs": [{}]}, lambda it: it.find_runs("u", "team")),
        ("runs/search", {"runs": [{"info": {"run_id": "r"}}]}, lambda it: it.find_runs("u", "team")),
        ("runs/search", {"runs": [{"info": {}}]}, lambda it: it.open_runs("operator-1")),
        ("experiments/search", {"experiments": [{}]}, lambda it: it.open_runs("operator-1")),
        ("logged-models/search", {"models": [{}]}, lambda it: it.logged_models("r", "5")),
        ("model-versions/search", {"model_versions": "none"}, lambda it: it.find_version("churn", "u")),
        ("model-versions/get", {}, lambda it: it.find_alias("churn", "candidate")),
        ("experiments/create", {}, lambda it: it.open_run("team/fit", "team", {})),
    ],
)
async def test_a_form_that_is_not_known_is_a_registry_that_is_not_available(path: str, answer: Any, ask: Any) -> None:
    answers = {
        "experiments/get-by-name": MISSING if path == "experiments/create" else EXPERIMENT,
        "experiments/search": {"experiments": [{"experiment_id": "5"}]},
        "registered-models/get": model(("candidate", "7")),
    }
    with pytest.raises(RegistryError, match=f"/{path} in a form that is not known") as caught:
        await ask(Bench({**answers, path: answer}).registry)
    assert caught.value.reason == "RegistryUnavailable"
