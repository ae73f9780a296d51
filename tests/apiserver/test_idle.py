"""A settled world costs nothing: the operator writes when something is to be done, and at no other time."""

from tests.apiserver.controllers import Controllers, waiting
from tests.apiserver.mlflow_server import Mlflow
from tests.apiserver.objects import Objects, eventually
from tests.apiserver.operator_process import OperatorProcess, StartOperator
from tests.cluster import mark
from tests.cluster.progress import pause, step

IDLE_SECONDS = 60
AFTER_RESTART_SECONDS = 5
SETTLE_SECONDS = 30.0


def serving(name: str, **spec: object) -> dict[str, object]:
    """A ModelDeployment."""
    return {"kind": "ModelDeployment", "metadata": {"name": name}, "spec": spec}


def training(name: str, model: str) -> dict[str, object]:
    """A TrainingJob."""
    spec = {"container": {"image": "registry.example/trainer:1"}, "register": {"model": model}}
    return {"kind": "TrainingJob", "metadata": {"name": name}, "spec": spec}


def phases(objects: Objects) -> dict[str, str]:
    """The phase of every custom resource by its name."""
    found = [*objects.every("ModelDeployment"), *objects.every("TrainingJob")]
    return {item["metadata"]["name"]: (item.get("status") or {}).get("phase", "") for item in found}


def populate(objects: Objects, controllers: Controllers, mlflow: Mlflow) -> dict[str, str]:
    """One resource of each kind for each way of being settled; the phases that they end in."""
    mlflow.register(objects.namespace, "champion")
    image = {"container": {"image": "registry.example/web:1"}}
    objects.create(serving("from-alias", model={"name": objects.namespace, "alias": "champion"}))
    objects.create(serving("from-image", **image, replicas=3))
    objects.create(serving("never-starts", **image))
    for name in ("wins", "loses", "runs"):
        objects.create(training(name, f"{objects.namespace}-{name}"))
    eventually("three Jobs", lambda: len(objects.names("Job")) == 3, seconds=SETTLE_SECONDS)
    eventually("three Deployments", lambda: len(objects.workload_names()) == 3, seconds=SETTLE_SECONDS)
    for name in objects.workload_names():
        if name.startswith("never"):
            controllers.container(controllers.pod_of("Deployment", name), waiting("ErrImagePull", "no such host"))
        else:
            controllers.deployment_ready(name)
    for name in objects.names("Job"):
        controllers.job_running(name)
    runs = {item["info"]["run_name"]: item["info"]["run_id"] for item in mlflow.runs(f"fairlead/{objects.namespace}")}
    mlflow.log_model(runs[f"{objects.namespace}/wins"])
    controllers.job_complete("wins-1")
    eventually("a digest is asked for", lambda: controllers.hash_if_asked("wins-1-register"), seconds=SETTLE_SECONDS)
    controllers.job_failed("loses-1", code=1, message="no data")
    ended = {"wins": "Succeeded", "loses": "Failed", "runs": "Running"}
    return {"from-alias": "Stable", "from-image": "Stable", "never-starts": "Starting", **ended}


def settle(operator: OperatorProcess, objects: Objects, expected: dict[str, str]) -> None:
    """Wait for the phases, and then for three seconds without a write."""
    eventually("all settle", lambda: phases(objects) == expected, seconds=SETTLE_SECONDS, shows=lambda: phases(objects))
    log = operator.plane.audit_log

    def quiet() -> bool:
        since = mark(log)
        pause(3)
        return not operator.writes(since)

    eventually("three quiet seconds", quiet, seconds=SETTLE_SECONDS)


def test_a_settled_world_costs_no_write_in_a_minute_nor_after_a_restart(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, mlflow: Mlflow
) -> None:
    operator = start_operator(registry={"url": mlflow.url})
    settle(operator, objects, populate(objects, controllers, mlflow))
    since = mark(operator.plane.audit_log)
    with step(f"watching an idle operator for {IDLE_SECONDS} s"):
        pause(IDLE_SECONDS)
    assert operator.alive
    assert operator.writes(since) == []
    operator.stop()
    successor = start_operator(registry={"url": mlflow.url})
    with step(f"watching its successor for {AFTER_RESTART_SECONDS} s"):
        eventually("the successor leads", lambda: successor.leading, seconds=10)
        pause(AFTER_RESTART_SECONDS)
    # A new leader puts its epoch on what is on its way, so that the old one cannot go on with it; all else stays.
    assert [f"{item.name}/{item.subresource}" for item in successor.writes(since)] == ["never-starts/status"]
