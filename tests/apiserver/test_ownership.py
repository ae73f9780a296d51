"""What others own stays, what is ours is repaired, and what only has our name is left alone."""

import json

import pytest
from tests.apiserver.client import Kubectl
from tests.apiserver.controllers import Controllers
from tests.apiserver.objects import Objects, conditions, eventually
from tests.apiserver.operator_process import StartOperator

REPAIR_SECONDS = 5.0
HEAL_SECONDS = 15.0
SPEC = {"container": {"image": "registry.example/web:1"}, "replicas": 2}
WEB = {"kind": "ModelDeployment", "metadata": {"name": "web"}, "spec": SPEC}


def bring_up(objects: Objects, controllers: Controllers) -> str:
    """A ModelDeployment `web` that serves; the name of its revision."""
    objects.create(WEB)
    eventually("a Deployment", objects.workload_names, seconds=10)
    controllers.all_ready()
    eventually("web is Stable", lambda: phase(objects) == "Stable", seconds=10)
    eventually("its two Services", lambda: len(objects.names("Service")) == 2, seconds=10)
    return objects.workload_names()[0]


def phase(objects: Objects) -> str:
    """The phase of `web`."""
    return str((objects.get("ModelDeployment", "web").get("status") or {}).get("phase", ""))


def test_fields_of_another_manager_stay(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, kubectl: Kubectl
) -> None:
    start_operator()
    revision = bring_up(objects, controllers)
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": revision, "annotations": {"team.example/note": "hands off"}, "labels": {"team": "blue"}},
        "spec": {"minReadySeconds": 7},
    }
    kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", input=json.dumps(theirs))
    objects.merge("ModelDeployment", "web", {"spec": {"replicas": 5}})  # our own next apply must not take it back
    eventually("5 replicas", lambda: objects.get("Deployment", revision)["spec"]["replicas"] == 5, seconds=10)
    found = objects.get("Deployment", revision)
    assert found["spec"]["minReadySeconds"] == 7
    assert found["metadata"]["labels"]["team"] == "blue"
    assert found["metadata"]["annotations"]["team.example/note"] == "hands off"
    managers = {item["manager"] for item in found["metadata"]["managedFields"] if item["operation"] == "Apply"}
    assert managers == {"fairlead", "other"}


def test_every_child_is_applied_under_our_field_manager_alone(
    start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    start_operator()
    bring_up(objects, controllers)
    counts = {"ControllerRevision": 1, "Deployment": 2, "Service": 2, "ServiceAccount": 1, "PodDisruptionBudget": 1}
    for kind, count in counts.items():
        found = objects.every(kind)
        assert len(found) == count
        for item in found:
            ours = [field for field in item["metadata"]["managedFields"] if not field.get("subresource")]
            assert {(field["manager"], field["operation"]) for field in ours} == {("fairlead", "Apply")}


def test_fields_of_ours_that_others_change_are_repaired(
    start_operator: StartOperator, objects: Objects, controllers: Controllers, kubectl: Kubectl
) -> None:
    start_operator()
    revision = bring_up(objects, controllers)

    def component() -> str:
        return str(objects.get("Deployment", revision)["metadata"]["labels"]["app.kubernetes.io/component"])

    def template() -> dict[str, object]:
        return dict(objects.get("Deployment", revision)["spec"]["template"])

    def selector() -> dict[str, str]:
        return dict(objects.get("Service", "web")["spec"]["selector"])

    def team() -> str | None:
        return dict(objects.get("Service", revision)["spec"]["selector"]).get("team")

    before, gateway = template(), selector()
    kubectl("scale", f"deployment/{revision}", "--replicas=9")
    kubectl("set", "image", f"deployment/{revision}", "model=registry.example/other:1")
    kubectl("patch", "service", "web", "--type=merge", "-p", '{"spec":{"selector":{"app.kubernetes.io/name":"gone"}}}')
    kubectl("patch", "service", revision, "--type=merge", "-p", '{"spec":{"selector":{"team":"blue"}}}')
    kubectl("label", f"deployment/{revision}", "app.kubernetes.io/component=else", "--overwrite")
    eventually("the template is ours", lambda: template() == before, seconds=REPAIR_SECONDS, shows=template)
    eventually("the selector is ours", lambda: selector() == gateway, seconds=REPAIR_SECONDS, shows=selector)
    eventually("nor has it a key more", lambda: team() is None, seconds=REPAIR_SECONDS, shows=team)
    eventually("the label is ours", lambda: component() == "serving", seconds=REPAIR_SECONDS, shows=component)
    assert objects.get("Deployment", revision)["spec"]["replicas"] == 2


def test_a_deleted_child_is_made_again(
    start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    start_operator()
    revision = bring_up(objects, controllers)
    gateway = [(kind, "fairlead-gateway") for kind in ("Deployment", "ServiceAccount", "PodDisruptionBudget")]
    for kind, name in (("Service", "web"), ("Service", revision), ("Deployment", revision), *gateway):
        objects.delete(kind, name)
        eventually(f"{kind} {name} is back", lambda: objects.find(kind, name), seconds=REPAIR_SECONDS)  # noqa: B023


LABELS_OF_OURS = {"app.kubernetes.io/managed-by": "fairlead", "fairlead.dev/modeldeployment": "web"}


@pytest.mark.parametrize("labels", [{}, LABELS_OF_OURS], ids=["without labels", "with labels like ours"])
def test_a_foreign_object_under_our_name_is_left_alone_until_it_goes(
    labels: dict[str, str], start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    spec = {"selector": {"app": "theirs"}, "ports": [{"port": 8080}]}
    theirs = objects.create({"kind": "Service", "metadata": {"name": "web", "labels": labels}, "spec": spec})

    def status() -> dict[str, object]:
        return dict(objects.get("ModelDeployment", "web").get("status") or {})

    def told() -> dict[str, tuple[str, str]]:
        found = conditions(objects.get("ModelDeployment", "web"))
        return {name: (item["status"], item["reason"]) for name, item in found.items()}

    start_operator()
    objects.create(WEB)
    eventually("a Deployment", objects.workload_names, seconds=10)
    controllers.all_ready()
    eventually("a stable revision that nobody reaches", lambda: bool(status().get("stable")), seconds=10, shows=status)
    eventually(
        "the conflict is told", lambda: told().get("Stalled") == ("True", "NameConflict"), seconds=10, shows=told
    )
    assert "Service web" in conditions(objects.get("ModelDeployment", "web"))["Stalled"]["message"]
    assert told()["Ready"][0] == "False"
    assert objects.get("Service", "web") == theirs
    objects.delete("Service", "web")
    eventually("web is Stable", lambda: phase(objects) == "Stable", seconds=HEAL_SECONDS, shows=lambda: phase(objects))
    assert objects.get("Service", "web")["spec"]["selector"]["app.kubernetes.io/name"] == "fairlead-gateway"


GATEWAY_LABELS = {"app.kubernetes.io/managed-by": "fairlead", "app.kubernetes.io/name": "fairlead-gateway"}


def foreign(kind: str, labels: dict[str, str]) -> dict[str, object]:
    """Somebody else's object under a name of the gateway's."""
    meta = {"name": "fairlead-gateway", "labels": labels}
    match = {"matchLabels": {"app": "theirs"}}
    pod = {"metadata": {"labels": {"app": "theirs"}}, "spec": {"containers": [{"name": "c", "image": "theirs:1"}]}}
    bodies: dict[str, dict[str, object]] = {
        "ServiceAccount": {},
        "Deployment": {"spec": {"selector": match, "template": pod}},
        "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": match}},
    }
    return {"kind": kind, "metadata": meta, **bodies[kind]}


@pytest.mark.parametrize("labels", [{}, GATEWAY_LABELS], ids=["without labels", "with labels like ours"])
@pytest.mark.parametrize("kind", ["ServiceAccount", "Deployment", "PodDisruptionBudget"])
def test_a_foreign_object_under_a_name_of_the_gateway_s_is_left_alone_and_told_until_it_goes(
    kind: str, labels: dict[str, str], start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    theirs = objects.create(foreign(kind, labels))
    start_operator()
    objects.create(WEB)

    def told() -> dict[str, str]:
        return {name: item["reason"] for name, item in conditions(objects.get("ModelDeployment", "web")).items()}

    def conflict() -> bool:
        return told().get("Programmed") == told().get("Stalled") == told().get("Ready") == "NameConflict"

    eventually("NameConflict", conflict, seconds=10, shows=told)
    assert objects.get(kind, "fairlead-gateway") == theirs
    objects.delete(kind, "fairlead-gateway")
    eventually("the gateway", lambda: objects.find("PodDisruptionBudget", "fairlead-gateway"), seconds=HEAL_SECONDS)
    controllers.all_ready()
    eventually("web is Ready", lambda: told().get("Ready") == "Serving", seconds=HEAL_SECONDS, shows=told)


def test_a_gateway_belongs_to_every_model_deployment_of_its_namespace(
    start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    start_operator()
    bring_up(objects, controllers)
    objects.create({**WEB, "metadata": {"name": "shop"}})

    def owners() -> set[str]:
        found = [objects.find(kind, "fairlead-gateway") for kind in ("Deployment", "ServiceAccount")]
        named = [{item["name"] for item in body["metadata"]["ownerReferences"]} for body in found if body]
        return named[0] if named[0] == named[-1] else set()

    eventually("two owners", lambda: owners() == {"web", "shop"}, seconds=10, shows=owners)
    objects.delete("ModelDeployment", "web")
    eventually("one owner", lambda: owners() == {"shop"}, seconds=10, shows=owners)
    port = {objects.get("ModelDeployment", "shop")["status"]["traffic"]["port"]}
    assert {item["targetPort"] for item in objects.get("Service", "shop")["spec"]["ports"]} == port
