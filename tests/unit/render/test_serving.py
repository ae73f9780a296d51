"""The children of a ModelDeployment."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.builders import DEFAULTS, UID, serving_body, serving_world

from fairlead.api.model_deployment import ModelDeploymentSpec, ResolvedModel
from fairlead.render.gateway import GATEWAY_SELECTOR
from fairlead.render.serving import (
    render_revision,
    render_revision_service,
    render_service,
    render_template,
    render_workload,
    revision_inputs,
)

META = serving_world(serving_body()).resource.meta
MODEL = ResolvedModel(name="churn", alias="candidate", version="3")
REF = {"name": "churn", "alias": "candidate"}


def template(model: ResolvedModel | None = None, /, **spec: Any) -> dict[str, Any]:
    parsed = ModelDeploymentSpec.model_validate(spec)
    return render_template(META, parsed, model, revision="churn-1", defaults=DEFAULTS)


def builtin(**spec: Any) -> dict[str, Any]:
    return template(MODEL, model=REF, **spec)


def own(model: ResolvedModel | None = None, /, **container: Any) -> dict[str, Any]:
    return template(model, container={"image": "example/own:1", **container})


def main(rendered: dict[str, Any]) -> dict[str, Any]:
    (container,) = rendered["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def env(rendered: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in main(rendered)["env"]}


# -- what a revision is made of


def test_a_revision_is_made_of_the_version_and_the_pod_s_fields() -> None:
    spec = ModelDeploymentSpec.model_validate(
        {"model": REF, "replicas": 3, "revisionHistoryLimit": 1, "rollout": {}, "nodeSelector": {"a": "b"}}
    )
    assert revision_inputs(spec, MODEL) == {
        "model": {"name": "churn", "version": "3", "digest": "unverified"},
        "nodeSelector": {"a": "b"},
    }
    assert revision_inputs(spec, None) == {"nodeSelector": {"a": "b"}}


# -- the pod


def test_the_built_in_server_is_told_what_to_serve() -> None:
    rendered = builtin()
    assert main(rendered)["image"] == "example/serving:1"
    found = env(rendered)
    assert {
        key: found[key] for key in ("MODEL_NAME", "MODEL_VERSION", "MODEL_DIGEST", "SERVED_MODEL_NAME", "PORT")
    } == {
        "MODEL_NAME": "churn",
        "MODEL_VERSION": "3",
        "MODEL_DIGEST": "unverified",
        "SERVED_MODEL_NAME": "churn",
        "PORT": "8080",
    }
    assert (found["MLFLOW_TRACKING_URI"], found["LOAD_DEADLINE_SECONDS"]) == ("http://mlflow:5000", "600")


def test_no_user_can_let_a_pickle_into_the_built_in_server() -> None:
    rendered = builtin(container={"env": [{"name": "ALLOW_PICKLE", "value": "true"}]})
    assert [item for item in main(rendered)["env"] if item["name"] == "ALLOW_PICKLE"] == [
        {"name": "ALLOW_PICKLE", "value": "false"}
    ]
    assert "ALLOW_PICKLE" not in env(own())


def test_the_administrator_can() -> None:
    spec = ModelDeploymentSpec.model_validate({"model": REF})
    rendered = render_template(META, spec, MODEL, revision="churn-1", defaults=replace(DEFAULTS, allow_pickle=True))
    assert env(rendered)["ALLOW_PICKLE"] == "true"


def test_credentials_of_the_registry_reach_the_container_that_fetches_the_model_and_no_other() -> None:
    secured = replace(DEFAULTS, registry_pod_secret="mlflow")
    for container, fetches in (({}, "containers"), ({"image": "example/own:1"}, "initContainers")):
        spec = ModelDeploymentSpec.model_validate({"model": REF, "container": container})
        pod = render_template(META, spec, MODEL, revision="churn-1", defaults=secured)["spec"]
        found = [kind for kind in ("initContainers", "containers") for item in pod.get(kind, ()) if "envFrom" in item]
        assert found == [fetches]


def test_the_built_in_server_s_root_is_read_only_and_it_drains_by_itself() -> None:
    container = main(builtin())
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert "lifecycle" not in container


def test_the_built_in_server_keeps_the_user_s_port_and_paths() -> None:
    rendered = builtin(container={"port": 9000, "readinessPath": "/r", "livenessPath": "/l", "loadDeadline": "1m"})
    container = main(rendered)
    assert container["ports"] == [{"name": "serving", "containerPort": 9000, "protocol": "TCP"}]
    assert env(rendered)["PORT"] == "9000"
    assert container["readinessProbe"]["httpGet"]["path"] == "/r"
    assert container["livenessProbe"]["httpGet"]["path"] == "/l"
    assert container["startupProbe"]["failureThreshold"] == 60 + 30


def test_the_built_in_server_is_asked_on_the_protocol_s_health_paths() -> None:
    container = main(builtin())
    assert container["startupProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": "serving"}
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_a_container_of_the_user_s_is_told_to_stop_only_when_proxies_have_forgotten_it() -> None:
    assert main(own())["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert "readOnlyRootFilesystem" not in main(own())["securityContext"]


@pytest.mark.parametrize(
    ("container", "probe"),
    [
        ({}, {"tcpSocket": {"port": "serving"}}),
        ({"readinessPath": "/ok"}, {"httpGet": {"path": "/ok", "port": "serving"}}),
        ({"protocol": "grpc"}, {"grpc": {"port": 8080}}),
        ({"protocol": "grpc", "port": 9000}, {"grpc": {"port": 9000}}),
        ({"protocol": "http"}, {"tcpSocket": {"port": "serving"}}),
    ],
)
def test_any_container_is_asked_in_the_way_it_can_answer(container: dict[str, Any], probe: dict[str, Any]) -> None:
    rendered = main(own(**container))
    for name in ("startupProbe", "readinessProbe"):
        assert {key: rendered[name][key] for key in probe} == probe
    assert "livenessProbe" not in rendered


def test_a_model_for_a_container_of_the_user_s_is_fetched_before_it_starts() -> None:
    rendered = own(MODEL)
    (fetch,) = rendered["spec"]["initContainers"]
    assert fetch["name"] == "fetch-model"
    assert fetch["image"] == "example/serving:1"
    assert fetch["command"][-1] == "/mnt/model"
    assert {"name": "MODEL_VERSION", "value": "3"} in fetch["env"]
    assert fetch["securityContext"]["readOnlyRootFilesystem"] is True
    assert main(rendered)["volumeMounts"] == [{"name": "model", "mountPath": "/mnt/model", "readOnly": True}]
    assert [item["name"] for item in rendered["spec"]["volumes"]] == ["tmp", "model"]


def test_a_container_alone_needs_neither_volumes_nor_a_model() -> None:
    rendered = own()
    assert not {"volumes", "initContainers"} & set(rendered["spec"])
    assert "MODEL_NAME" not in env(rendered)
    assert "PORT" not in env(rendered)


def test_gpu_shared_memory_and_spread_reach_the_pod() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    pod = builtin(gpu={"count": 1}, sharedMemory="2Gi", topologySpread=[spread])["spec"]
    assert pod["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert {"name": "shared-memory", "mountPath": "/dev/shm"} in pod["containers"][0]["volumeMounts"]
    assert pod["volumes"][-1]["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}
    assert pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == {
        "fairlead.dev/modeldeployment": "churn",
        "fairlead.dev/revision": "churn-1",
    }


# -- the children


def test_every_child_has_owner_labels_and_namespace() -> None:
    children = [
        render_revision(META, name="churn-1", number=1, role="stable", inputs={}, template={}),
        render_workload(META, revision="churn-1", replicas=1, template={}),
        render_revision_service(META, revision="churn-1", protocol=None),
        render_service(META, port=10007, protocol=None),
    ]
    for child in children:
        meta = child["metadata"]
        assert meta["namespace"] == "team"
        assert [owner["uid"] for owner in meta["ownerReferences"]] == [UID]
        assert meta["labels"]["app.kubernetes.io/managed-by"] == "fairlead"
        assert meta["labels"]["app.kubernetes.io/instance"] == "churn"
    assert [child["metadata"]["name"] for child in children] == ["churn-1", "churn-1", "churn-1", "churn"]


def test_a_controllerrevision_holds_inputs_template_number_and_mark() -> None:
    child = render_revision(META, name="churn-1", number=4, role="candidate", inputs={"a": 1}, template={"b": 2})
    assert (child["revision"], child["data"]) == (4, {"inputs": {"a": 1}, "template": {"b": 2}})
    assert child["metadata"]["annotations"] == {"fairlead.dev/role": "candidate"}


def test_a_deployment_selects_its_own_pods_and_never_takes_one_away_first() -> None:
    rendered = template(MODEL, model=REF)
    child = render_workload(META, revision="churn-1", replicas=3, template=rendered)
    spec = child["spec"]
    assert spec["replicas"] == 3
    assert spec["selector"]["matchLabels"].items() <= rendered["metadata"]["labels"].items()
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize(
    ("protocol", "name", "app"),
    [(None, "http", "http"), ("http", "http", "http"), ("grpc", "grpc", "kubernetes.io/h2c")],
)
def test_the_service_maps_port_80_to_its_port_of_the_gateway(protocol: str | None, name: str, app: str) -> None:
    child = render_service(META, port=10007, protocol=protocol)
    assert child["spec"]["type"] == "ClusterIP"
    assert child["spec"]["selector"] == GATEWAY_SELECTOR
    assert child["spec"]["ports"] == [
        {"name": name, "port": 80, "targetPort": 10007, "protocol": "TCP", "appProtocol": app}
    ]


def test_a_revision_s_service_is_headless() -> None:
    child = render_revision_service(META, revision="churn-1", protocol="grpc")
    assert child["spec"]["clusterIP"] == "None"
    assert child["spec"]["selector"]["fairlead.dev/revision"] == "churn-1"
