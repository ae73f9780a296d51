"""What Fairlead renders, for every example: a real API server takes it under strict validation and Pod Security."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from fairlead.api.kinds import BY_KIND
from fairlead.api.model_deployment import ResolvedModel
from fairlead.api.resource import ModelDeployment, TrainingJob, parse_model_deployment, parse_training_job
from fairlead.api.training_job import RunStatus
from fairlead.core.compare import in_place, stamped
from fairlead.from_settings import gateway_defaults
from fairlead.render.defaults import RenderDefaults
from fairlead.render.gateway import render_gateway
from fairlead.render.registering import render_registering_job
from fairlead.render.serving import (
    render_revision,
    render_revision_service,
    render_service,
    render_template,
    render_workload,
    revision_inputs,
)
from fairlead.render.training import render_job
from fairlead.settings import Settings

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
DEFAULTS = RenderDefaults("localhost/fairlead-serving:dev", "IfNotPresent", "http://mlflow.mlflow.svc:5000")
GATEWAY = gateway_defaults(Settings(), {})
MODEL = ResolvedModel(name="breast-cancer", alias="candidate", version="3")
RUN = RunStatus(id="0123456789abcdef", experiment_id="1")
NOT_THERE = ("priorityClassName", "runtimeClassName")
"""Cluster-wide objects that the examples name: admission asks for them before anything else."""
UID = "6f1ed002-ab5d-4b3c-9d3f-1e1d2a3b4c5d"


def of_serving(resource: ModelDeployment) -> list[dict[str, Any]]:
    """All children of a ModelDeployment with one revision."""
    meta, spec = resource.meta, resource.spec
    model = MODEL if spec.model else None
    name = f"{meta.name}-0a1b2c3d"
    protocol = spec.container.protocol if spec.container else None
    template = render_template(meta, spec, model, revision=name, defaults=DEFAULTS)
    inputs = revision_inputs(spec, model)
    return [
        render_revision(meta, name=name, number=1, role="stable", inputs=inputs, template=template),
        render_workload(meta, revision=name, replicas=spec.replicas, template=template),
        render_revision_service(meta, revision=name, protocol=protocol),
        render_service(meta, port=10007, protocol=protocol),
        *render_gateway(meta.namespace, [meta], GATEWAY),
    ]


def of_training(resource: TrainingJob) -> list[dict[str, Any]]:
    """Both Jobs of an attempt."""
    parts: dict[str, Any] = {"run": RUN, "attempt": 1, "defaults": DEFAULTS}
    return [
        render_job(resource.meta, resource.spec, **parts),
        render_registering_job(resource.meta, resource.spec, model_id="m-0123456789abcdef", **parts),
    ]


def rendered(example: Path, namespace: str) -> list[dict[str, Any]]:
    """The children of an example."""
    body = yaml.safe_load(example.read_text())
    body["metadata"] |= {"namespace": namespace, "uid": UID, "generation": 1}
    if body["kind"] == "ModelDeployment":
        return of_serving(parse_model_deployment(body))
    return of_training(parse_training_job(body))


def create(api: httpx.Client, manifest: dict[str, Any]) -> httpx.Response:
    """A strict dry run of the creation."""
    path = BY_KIND[manifest["kind"]].path(manifest["metadata"]["namespace"])
    return api.post(path, json=manifest, params={"dryRun": "All", "fieldValidation": "Strict"})


def enforce_restricted(api: httpx.Client, namespace: str) -> None:
    """Let Pod Security refuse what is not `restricted` in the namespace."""
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    api.patch(f"/api/v1/namespaces/{namespace}", json=label, headers=headers).raise_for_status()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_child_is_accepted_as_it_is_rendered(example: Path, namespace: str, api: httpx.Client) -> None:
    for manifest in rendered(example, namespace):
        answer = create(api, manifest)
        assert answer.status_code == 201, f"{manifest['kind']}: {answer.text}"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_what_the_api_server_keeps_is_still_what_we_want(example: Path, namespace: str, api: httpx.Client) -> None:
    for manifest in rendered(example, namespace):
        wanted = stamped(manifest)
        kept = create(api, wanted).raise_for_status().json()
        assert in_place(wanted, kept), manifest["kind"]


@pytest.mark.parametrize(
    "spec",
    [
        {"resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": 2, "memory": "2048Mi"}}},
        {"resources": {"requests": {"cpu": "0.5", "memory": "1.5Gi"}}},
        {"resources": {"requests": {"cpu": "0.12345", "memory": "1.0000000000000000000000000001Ki"}}},
        {"resources": {"requests": {"cpu": "0.1n"}, "limits": {"cpu": 9223372036854775807, "memory": "9Ei"}}},
        {"volumes": [{"name": "a", "emptyDir": {"sizeLimit": "0.12345"}}], "sharedMemory": "9Ei"},
        {"sharedMemory": "1024Mi"},
        {"sharedMemory": 1073741824},
        {"volumes": [{"name": "a", "emptyDir": {"sizeLimit": "0.5Gi"}}]},
        {"volumes": [{"name": "a", "emptyDir": {"medium": ""}}]},
        {"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "a", "readOnly": False}}]},
        {"container": {"image": "a", "env": [{"name": "A", "value": ""}]}},
        {"container": {"image": "a", "command": [], "args": [""]}},
        {"container": {"image": "a", "volumeMounts": [{"name": "t", "mountPath": "/t", "readOnly": False}]}},
        {"podMetadata": {"labels": {}, "annotations": {}}},
        {"tolerations": [{"operator": "Exists"}, {"key": "a", "value": ""}]},
        {"affinity": {}, "tolerations": [], "nodeSelector": {}},
        {"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}},
    ],
    ids=str,
)
def test_no_spelling_of_a_field_makes_us_write_for_ever(spec: Any, namespace: str, api: httpx.Client) -> None:
    volumes = [*spec.get("volumes", []), {"name": "t", "emptyDir": {}}]
    body = {
        "metadata": {"name": "sample", "namespace": namespace, "uid": UID, "generation": 1},
        "spec": {"container": {"image": "a"}, **spec, "volumes": volumes},
    }
    for manifest in of_serving(parse_model_deployment(body)):
        wanted = stamped(manifest)
        kept = create(api, wanted).raise_for_status().json()
        assert in_place(wanted, kept), (manifest["kind"], kept)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_pods_fit_pod_security_restricted(example: Path, namespace: str, api: httpx.Client) -> None:
    enforce_restricted(api, namespace)
    templates = [
        item["spec"]["template"] for item in rendered(example, namespace) if "template" in item.get("spec", {})
    ]
    assert templates
    for template in templates:
        metadata = {**template["metadata"], "name": "sample", "namespace": namespace}
        spec = {key: value for key, value in template["spec"].items() if key not in NOT_THERE}
        answer = create(api, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        assert answer.status_code == 201, answer.text


def test_a_pod_that_may_run_as_root_is_refused_there(namespace: str, api: httpx.Client) -> None:
    enforce_restricted(api, namespace)
    metadata = {"name": "sample", "namespace": namespace}
    spec = {"containers": [{"name": "a", "image": "a"}]}
    assert create(api, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}).status_code == 403
