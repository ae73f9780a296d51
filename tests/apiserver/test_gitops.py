"""examples/gitops: what kustomize makes of it is accepted, and applied again it changes nothing."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from tests.cluster import ControlPlane
from tests.cluster.paths import REPOSITORY

from fairlead.settings import Settings

GITOPS = REPOSITORY / "examples" / "gitops"
OVERLAYS = sorted(path.parent for path in GITOPS.glob("overlays/*/kustomization.yaml"))
KINDS = {"Namespace", "TrainingJob", "ModelDeployment"}


def built(plane: ControlPlane, folder: Any = GITOPS) -> list[dict[str, Any]]:
    """The documents of `kubectl kustomize`."""
    return list(yaml.safe_load_all(plane.kubectl("kustomize", str(folder))))


@pytest.fixture(scope="module")
def applied(control_plane: ControlPlane, api: httpx.Client, crds: None) -> Iterator[str]:
    """`kubectl apply -k examples/gitops`, and what it said."""
    yield control_plane.kubectl("apply", "--validate=strict", "-k", str(GITOPS))
    for plural in ("modeldeployments", "trainingjobs"):
        api.delete(f"/apis/fairlead.dev/v1alpha1/namespaces/diagnosis/{plural}").raise_for_status()


def test_from_nothing_one_command_creates_namespace_training_and_serving(applied: str) -> None:
    assert sorted(applied.splitlines()) == [
        "modeldeployment.fairlead.dev/breast-cancer created",
        "namespace/diagnosis created",
        "trainingjob.fairlead.dev/breast-cancer-1 created",
    ]


def test_applied_again_nothing_changes(applied: str, control_plane: ControlPlane) -> None:
    said = control_plane.kubectl("apply", "-k", str(GITOPS)).splitlines()
    assert [line.rpartition(" ")[2] for line in said] == ["unchanged"] * 3
    assert control_plane.kubectl("diff", "-k", str(GITOPS)) == ""


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_each_overlay_is_the_base_in_a_namespace_that_it_brings(
    overlay: Any, applied: str, control_plane: ControlPlane
) -> None:
    documents = built(control_plane, overlay)
    assert {item["kind"] for item in documents} == KINDS
    (space,) = (item["metadata"]["name"] for item in documents if item["kind"] == "Namespace")
    assert {item["metadata"].get("namespace", space) for item in documents} == {space}
    said = control_plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-k", str(overlay)).splitlines()
    assert len(said) == len(documents)


def test_no_name_is_generated(control_plane: ControlPlane) -> None:
    written = {
        document["metadata"]["name"]
        for path in GITOPS.rglob("*.yaml")
        for document in yaml.safe_load_all(path.read_text())
        if document.get("kind") in KINDS
    }
    assert {item["metadata"]["name"] for item in built(control_plane)} == written


def test_the_model_is_one_that_the_namespace_may_use_without_any_rule(control_plane: ControlPlane) -> None:
    (rule,) = Settings().registry_rules()
    assert rule.models == ("{namespace}-*",)
    documents = {item["kind"]: item for item in built(control_plane)}
    serving, training = documents["ModelDeployment"], documents["TrainingJob"]
    name = serving["spec"]["model"]["name"]
    assert name.startswith(serving["metadata"]["namespace"] + "-")
    assert training["spec"]["register"]["model"] == name
    assert training["spec"]["register"]["alias"] == serving["spec"]["model"]["alias"]


def test_an_image_can_be_set_as_gitops_tools_do_it(control_plane: ControlPlane, tmp_path: Any) -> None:
    overlay = GITOPS / "overlays" / "diagnosis"
    copy = tmp_path / "gitops"
    for path in GITOPS.rglob("*.yaml"):
        target = copy / path.relative_to(GITOPS)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text().replace("newTag: dev", "newTag: next"))
    documents = {item["kind"]: item for item in built(control_plane, copy / overlay.relative_to(GITOPS))}
    assert documents["TrainingJob"]["spec"]["container"]["image"] == "localhost/fairlead-trainer:next"
