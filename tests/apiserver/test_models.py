"""What a real MLflow says of a model is told within five seconds, and no longer than it holds.

A model is asked for once, however many serve it; what serves is not touched, whatever MLflow does.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.apiserver.controllers import Controllers
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects, conditions, eventually
from tests.apiserver.operator_process import OperatorProcess, StartOperator
from tests.apiserver.registry_proxy import RegistryProxy, registry_proxy
from tests.cluster import mark
from tests.cluster.progress import pause

SHOWN_SECONDS = 5.0
POLL_SECONDS = 1
POLLED_SECONDS = SHOWN_SECONDS + 1.2 * POLL_SECONDS
WORKERS = 2
PROMPT_SECONDS = 4.0
"""If reconciles waited for a registry that hangs, each for 3 s, the questions of the test would keep both workers busy
for longer than this."""
GET_MODEL, GET_VERSION = "registered-models/get", "model-versions/get"


@pytest.fixture
def proxy(mlflow: Mlflow) -> Iterator[RegistryProxy]:
    """A way to MLflow that can fail."""
    with registry_proxy(mlflow.url) as made:
        yield made


def serve(objects: Objects, name: str, /, **model: str) -> None:
    """A ModelDeployment of a model."""
    objects.create({"kind": "ModelDeployment", "metadata": {"name": name}, "spec": {"model": model}})


def told(objects: Objects, name: str, kind: str = "ModelResolved") -> tuple[str, str]:
    """Status and reason of a condition."""
    found = conditions(objects.get("ModelDeployment", name)).get(kind, {})
    return str(found.get("status")), str(found.get("reason"))


def expect(objects: Objects, expected: dict[str, str], seconds: float) -> None:
    """Each ModelDeployment's ModelResolved has this reason within so many seconds."""

    def shown() -> dict[str, str]:
        return {name: told(objects, name)[1] for name in expected}

    eventually("each reason", lambda: shown() == expected, seconds=seconds, shows=shown)


def expect_served(objects: Objects, controllers: Controllers, *names: str) -> None:
    """Their pods come up, and what they ask for serves."""

    def serves() -> bool:
        controllers.all_ready()
        return all(told(objects, name, "RolledOut")[0] == "True" for name in names)

    eventually("all are rolled out", serves, seconds=30, shows=lambda: [told(objects, name) for name in names])


def start(start_operator: StartOperator, url: str, **registry: Any) -> OperatorProcess:
    """An operator that polls each second, and leads."""
    operator = start_operator(registry={"url": url, "pollSeconds": POLL_SECONDS, **registry}, concurrency=WORKERS)
    eventually("it leads", lambda: operator.leading, seconds=10)
    return operator


def add_version(mlflow: Mlflow, model: str, **tags: str) -> str:
    """Another version of a model; its number."""
    run_id = mlflow.get(GET_VERSION, name=model, version="1")["model_version"]["run_id"]
    model_id = mlflow.log_model(run_id)
    source = {"source": f"models:/{model_id}", "run_id": run_id, "model_id": model_id}
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    made = mlflow.post("model-versions/create", name=model, tags=listed, **source)
    return str(made["model_version"]["version"])


def test_what_is_missing_in_the_registry_is_told_and_heals(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow
) -> None:
    here, absent, foreign = objects.namespace, f"{objects.namespace}-later", "foreign"
    mlflow.register(here, "champion")
    rules = [{"namespaces": ["test-*"], "models": ["{namespace}*"]}]
    start(start_operator, mlflow.url, allow=rules)
    serve(objects, "model", name=absent, alias="champion")
    serve(objects, "alias", name=here, alias="candidate")
    serve(objects, "version", name=here, version="2")
    serve(objects, "pinned", name=here, version="1")
    serve(objects, "foreign", name=foreign, alias="champion")
    missing = {"model": "ModelNotFound", "alias": "ModelAliasNotFound", "version": "ModelVersionNotFound"}
    expect(objects, {**missing, "pinned": "ModelResolved", "foreign": "ModelNotAllowed"}, SHOWN_SECONDS)
    text = conditions(objects.get("ModelDeployment", "foreign"))["ModelResolved"]["message"]
    assert "registry.allow" in text
    eventually("a Deployment", objects.workload_names, seconds=SHOWN_SECONDS)
    assert [name.rpartition("-")[0] for name in objects.workload_names()] == ["pinned"]

    mlflow.register(absent, "champion")
    digest = "sha256:" + "a" * 64
    version = add_version(mlflow, here, **{"fairlead.model.digest": digest})
    mlflow.post("registered-models/alias", name=here, alias="candidate", version=version)
    expect(objects, dict.fromkeys(missing, "ModelResolved"), POLLED_SECONDS)
    expect_served(objects, controllers, "model", "alias", "version", "pinned")
    status = objects.get("ModelDeployment", "alias")["status"]
    assert (status["model"]["version"], status["stable"]["digest"]) == (version, digest)
    template = objects.get("Deployment", status["stable"]["revision"])["spec"]["template"]["spec"]
    assert {"name": "MODEL_DIGEST", "value": digest} in template["containers"][0]["env"]


def test_a_host_that_mlflow_does_not_allow_is_forbidden(
    start_operator: StartOperator, objects: Objects, mlflow: Mlflow
) -> None:
    start(start_operator, mlflow.url.replace("127.0.0.1", "localhost"))
    serve(objects, "web", name=objects.namespace, alias="champion")
    expect(objects, {"web": "RegistryForbidden"}, SHOWN_SECONDS)


def test_one_model_is_one_request_per_interval_however_many_serve_it_and_costs_no_write(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow, proxy: RegistryProxy
) -> None:
    mlflow.register(objects.namespace, "champion")
    names = [f"web-{number}" for number in range(6)]
    operator = start(start_operator, proxy.url)
    for name in names:
        serve(objects, name, name=objects.namespace, alias="champion")
    expect_served(objects, controllers, *names)
    pause(3)
    assert proxy.requests[GET_VERSION] == 1
    before, since, began = proxy.requests[GET_MODEL], mark(operator.plane.audit_log), time.monotonic()
    pause(6 * POLL_SECONDS)
    polls, seconds = proxy.requests[GET_MODEL] - before, time.monotonic() - began
    assert 3 <= polls <= seconds / (0.8 * POLL_SECONDS) + 1, "one per interval, 20 % more or less"
    assert operator.writes(since) == []


def test_an_outage_touches_nothing_that_serves_and_is_over_when_mlflow_is_back(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow, proxy: RegistryProxy
) -> None:
    mlflow.register(objects.namespace, "champion")
    start(start_operator, proxy.url)
    serve(objects, "web", name=objects.namespace, alias="champion")
    expect_served(objects, controllers, "web")
    old = objects.get("ModelDeployment", "web")["status"]["stable"]
    proxy.stop()
    serve(objects, "new", name=f"{objects.namespace}-new", version="1")
    expect(objects, {"web": "RegistryUnavailable", "new": "RegistryUnavailable"}, POLLED_SECONDS)
    assert told(objects, "web", "Ready") == ("True", "Serving")
    assert objects.workload_names() == [old["revision"]]
    version = add_version(mlflow, objects.namespace)
    mlflow.post("registered-models/alias", name=objects.namespace, alias="champion", version=version)
    proxy.start()
    expect(objects, {"web": "ModelResolved", "new": "ModelNotFound"}, 2 * SHOWN_SECONDS)
    expect_served(objects, controllers, "web")
    assert objects.get("ModelDeployment", "web")["status"]["stable"]["modelVersion"] == version


def test_an_alias_that_is_deleted_goes_on_serving_and_one_that_moves_brings_a_new_revision(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow
) -> None:
    mlflow.register(objects.namespace, "champion")
    start(start_operator, mlflow.url)
    serve(objects, "web", name=objects.namespace, alias="champion")
    expect_served(objects, controllers, "web")
    old = objects.get("ModelDeployment", "web")["status"]["stable"]["revision"]
    mlflow.delete("registered-models/alias", name=objects.namespace, alias="champion")
    expect(objects, {"web": "ModelAliasNotFound"}, POLLED_SECONDS)
    assert told(objects, "web", "Ready") == ("True", "Serving")
    version = add_version(mlflow, objects.namespace)
    mlflow.post("registered-models/alias", name=objects.namespace, alias="champion", version=version)
    expect(objects, {"web": "ModelResolved"}, POLLED_SECONDS)
    expect_served(objects, controllers, "web")
    status = objects.get("ModelDeployment", "web")["status"]
    assert status["stable"]["modelVersion"] == version
    assert status["stable"]["revision"] != old


def test_a_registry_that_hangs_delays_no_reaction_to_a_pod(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow, proxy: RegistryProxy
) -> None:
    models = [f"{objects.namespace}-{number}" for number in range(2)]
    for model in models:
        mlflow.register(model, "champion")
    names = [f"web-{number}" for number in range(10)]
    start(start_operator, proxy.url)
    for number, name in enumerate(names):
        serve(objects, name, name=models[number % len(models)], alias="champion")
    expect_served(objects, controllers, *names)
    proxy.hang()
    late = [f"late-{number}" for number in range(4 * WORKERS)]
    for name in late:
        serve(objects, name, name=f"{objects.namespace}-{name}", alias="champion")
    began = time.monotonic()
    pause(0.5)
    for name in names:
        revision = objects.get("ModelDeployment", name)["status"]["stable"]["revision"]
        controllers.deployment_ready(revision, ready=0)
    eventually(
        "all see that their pods are gone",
        lambda: all(told(objects, name, "Ready") == ("False", "PodsNotReady") for name in names),
        seconds=PROMPT_SECONDS,
        shows=lambda: [told(objects, name, "Ready") for name in names],
    )
    expect(objects, dict.fromkeys(late, "RegistryUnavailable"), began + SHOWN_SECONDS + 0.5 - time.monotonic())
    expect(objects, dict.fromkeys(names, "RegistryUnavailable"), POLLED_SECONDS)
    proxy.answer()
    expect(objects, dict.fromkeys(names, "ModelResolved"), 2 * SHOWN_SECONDS)


def test_credentials_are_sent_and_read_anew_when_they_change(
    start_operator: StartOperator, objects: Objects, mlflow: Mlflow, proxy: RegistryProxy, tmp_path: Path
) -> None:
    mlflow.register(objects.namespace, "champion")
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "token").write_text("first\n")
    proxy.demanded = "Bearer first"
    operator = start(start_operator, proxy.url, credentialsDir=str(folder))
    serve(objects, "web", name=objects.namespace, alias="champion")
    expect(objects, {"web": "ModelResolved"}, SHOWN_SECONDS)
    proxy.demanded = "Bearer second"
    expect(objects, {"web": "RegistryForbidden"}, POLLED_SECONDS)
    (folder / "token").write_text("second\n")
    expect(objects, {"web": "ModelResolved"}, 2 * SHOWN_SECONDS)
    log = operator.log.read_text()
    assert "first" not in log
    assert "second" not in log
