"""What others own stays, what is ours is repaired, and what only has our name is left alone."""

import json

import pytest
from tests.apiserver.client import Kubectl
from tests.apiserver.controllers import Controllers
from tests.apiserver.objects import Objects, conditions, eventually
from tests.apiserver.operator_process import StartOperator
from tests.cluster.progress import pause

REPAIR_SECONDS = 5.0
HEAL_SECONDS = 15.0
SPEC = {"container": {"image": "registry.example/web:1"}, "replicas": 2}
WEB = {"kind": "ModelDeployment", "metadata": {"name": "web"}, "spec": SPEC}


def bring_up(objects: Objects, controllers: Controllers) -> str:
    """A ModelDeployment `web` that serves; the name of its revision."""
    objects.create(WEB)
    eventually("a Deployment", lambda: objects.names("Deployment"), seconds=10)
    controllers.all_ready()
    eventually("web is Stable", lambda: phase(objects) == "Stable", seconds=10)
    eventually("its two Services", lambda: len(objects.names("Service")) == 2, seconds=10)
    return objects.names("Deployment")[0]


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
    for kind, count in (("ControllerRevision", 1), ("Deployment", 1), ("Service", 2)):
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

    before, pods = template(), selector()
    kubectl("scale", f"deployment/{revision}", "--replicas=9")
    kubectl("set", "image", f"deployment/{revision}", "model=registry.example/other:1")
    kubectl("patch", "service", "web", "--type=merge", "-p", '{"spec":{"selector":{"fairlead.dev/revision":"gone"}}}')
    kubectl("label", f"deployment/{revision}", "app.kubernetes.io/component=else", "--overwrite")
    eventually("the template is ours", lambda: template() == before, seconds=REPAIR_SECONDS, shows=template)
    eventually("the selector is ours", lambda: selector() == pods, seconds=REPAIR_SECONDS, shows=selector)
    eventually("the label is ours", lambda: component() == "serving", seconds=REPAIR_SECONDS, shows=component)
    assert objects.get("Deployment", revision)["spec"]["replicas"] == 2


def test_a_deleted_child_is_made_again(
    start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    start_operator()
    revision = bring_up(objects, controllers)
    for kind, name in (("Service", "web"), ("Service", revision), ("Deployment", revision)):
        objects.delete(kind, name)
        eventually(f"{kind} {name} is back", lambda: objects.find(kind, name), seconds=REPAIR_SECONDS)  # noqa: B023


LABELS_OF_OURS = {"app.kubernetes.io/managed-by": "fairlead", "fairlead.dev/modeldeployment": "web"}


@pytest.mark.parametrize("labels", [{}, LABELS_OF_OURS], ids=["without labels", "with labels like ours"])
def test_a_foreign_object_under_our_name_is_left_alone_until_it_goes(
    labels: dict[str, str], start_operator: StartOperator, objects: Objects, controllers: Controllers
) -> None:
    spec = {"selector": {"app": "theirs"}, "ports": [{"port": 8080}]}
    theirs = objects.create({"kind": "Service", "metadata": {"name": "web", "labels": labels}, "spec": spec})
    start_operator()
    objects.create(WEB)
    eventually("a Deployment", lambda: objects.names("Deployment"), seconds=10)
    controllers.all_ready()
    pause(2)  # the revision becomes stable meanwhile, but nobody reaches it
    told = conditions(objects.get("ModelDeployment", "web"))
    assert told["Stalled"]["reason"] == "NameConflict"
    assert "Service web" in told["Stalled"]["message"]
    assert told["Ready"]["status"] == "False"
    assert objects.get("Service", "web") == theirs
    objects.delete("Service", "web")
    eventually("web is Stable", lambda: phase(objects) == "Stable", seconds=HEAL_SECONDS, shows=lambda: phase(objects))
    assert objects.get("Service", "web")["spec"]["selector"]["fairlead.dev/modeldeployment"] == "web"
