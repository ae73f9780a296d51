"""Pod templates from the allow-listed fields."""

from dataclasses import replace
from typing import Any

from tests.unit.builders import DEFAULTS

from fairlead.api.pod import Container, Gpu, Resources
from fairlead.api.workload import PodFields
from fairlead.render.pods import (
    container_security,
    render_container,
    render_env,
    render_metadata,
    render_pod_spec,
    render_resources,
    render_spread,
    shared_memory_volume,
)


def fields(**spec: Any) -> PodFields:
    return PodFields.model_validate(spec)


def pod(spec: dict[str, Any] | None = None, *, gpu: Gpu | None = None, **more: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"containers": [{"name": "model"}], "restricted": True, **more}
    return render_pod_spec(fields(**(spec or {})), gpu=gpu, **arguments)


def container(wire: dict[str, Any] | None = None, *, namespace: str = "team", **more: Any) -> dict[str, Any]:
    parsed = Container.model_validate(wire) if wire is not None else None
    arguments: dict[str, Any] = {"name": "model", "image": "x", "defaults": DEFAULTS, "env": {}, "resources": {}}
    return render_container(parsed, namespace=namespace, **{**arguments, **more})


def test_a_restricted_container_may_do_nothing_special() -> None:
    assert container_security(restricted=True, read_only=True) == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "readOnlyRootFilesystem": True,
    }
    assert "readOnlyRootFilesystem" not in container_security(restricted=True, read_only=False)


def test_root_images_are_let_in_where_the_settings_say_so() -> None:
    assert container_security(restricted=False, read_only=True) == {"seccompProfile": {"type": "RuntimeDefault"}}
    loose = replace(DEFAULTS, baseline_namespaces=("gpu",))
    assert "runAsNonRoot" not in container(namespace="gpu", defaults=loose)["securityContext"]
    assert "securityContext" not in pod(restricted=False)


def env(items: list[dict[str, Any]], own: dict[str, str]) -> list[dict[str, Any]]:
    return render_env(Container.model_validate({"env": items}), own)


def test_our_variables_win_over_the_user_s_and_the_user_s_over_the_defaults() -> None:
    found = env([{"name": "MINE", "value": "1"}, {"name": "OURS", "value": "2"}], {"OURS": "3", "ALSO": "4"})
    assert found == [
        {"name": "MINE", "value": "1"},
        {"name": "ALSO", "value": "4"},
        {"name": "OURS", "value": "3"},
        {"name": "PYTHONUNBUFFERED", "value": "1"},
    ]
    assert env([{"name": "PYTHONUNBUFFERED", "value": "0"}], {}) == [{"name": "PYTHONUNBUFFERED", "value": "0"}]


def test_a_value_from_a_secret_stays_a_reference() -> None:
    reference = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}
    assert env([reference], {})[0] == reference


def test_without_a_container_there_are_just_our_variables() -> None:
    assert [item["name"] for item in render_env(None, {"A": "1"})] == ["A", "PYTHONUNBUFFERED"]


def test_resources_are_passed_on_and_a_gpu_is_one_of_their_limits() -> None:
    resources = Resources.model_validate({"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}})
    assert render_resources(None, None) == {}
    assert render_resources(resources, None) == {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}}
    assert render_resources(resources, Gpu(count=2)) == {
        "requests": {"cpu": 1},
        "limits": {"memory": "1Gi", "nvidia.com/gpu": "2"},
    }
    assert render_resources(None, Gpu(count=1, resource_name="nvidia.com/mig-1g.10gb")) == {
        "limits": {"nvidia.com/mig-1g.10gb": "1"}
    }


def test_a_container_keeps_its_last_lines_for_its_status() -> None:
    assert container()["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_a_container_shows_just_what_was_asked_for() -> None:
    plain = container({})
    assert not {"command", "args", "envFrom", "volumeMounts", "resources"} & set(plain)
    wire = {
        "command": ["a"],
        "args": ["b"],
        "envFrom": [{"secretRef": {"name": "s"}}],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    }
    full = container(wire, extra_mounts=[{"name": "tmp", "mountPath": "/tmp"}], resources={"limits": {"cpu": 1}})
    assert {key: full[key] for key in ("command", "args", "envFrom")} == {
        key: wire[key] for key in ("command", "args", "envFrom")
    }
    assert [mount["name"] for mount in full["volumeMounts"]] == ["v", "tmp"]
    assert full["resources"] == {"limits": {"cpu": 1}}


def test_a_pod_has_no_token_and_no_links_unless_it_names_a_service_account() -> None:
    plain = pod()
    assert (plain["automountServiceAccountToken"], plain["enableServiceLinks"]) == (False, False)
    named = pod({"serviceAccountName": "reader"})
    assert (named["automountServiceAccountToken"], named["serviceAccountName"]) == (True, "reader")


def test_the_user_s_pod_fields_are_passed_on() -> None:
    spec = {
        "imagePullSecrets": [{"name": "pull"}],
        "nodeSelector": {"zone": "a"},
        "priorityClassName": "high",
        "runtimeClassName": "nvidia",
        "terminationGracePeriodSeconds": 60,
        "volumes": [{"name": "v", "emptyDir": {}}],
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    }
    rendered = pod(spec)
    assert {key: rendered[key] for key in spec} == spec


def test_extra_volumes_and_init_containers_stand_beside_the_user_s() -> None:
    extra = shared_memory_volume("1Gi")
    rendered = pod({"volumes": [{"name": "v"}]}, extra_volumes=[extra], init_containers=[{"name": "fetch-model"}])
    assert [item["name"] for item in rendered["volumes"]] == ["v", "shared-memory"]
    assert rendered["initContainers"] == [{"name": "fetch-model"}]
    assert extra["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}


def test_a_gpu_brings_its_toleration() -> None:
    assert pod(gpu=Gpu(count=1))["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert "affinity" not in pod(gpu=Gpu(count=1))


PRODUCT = {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-H200"]}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def test_a_gpu_product_is_asked_for_by_node_affinity() -> None:
    affinity = pod(gpu=Gpu(count=1, product="NVIDIA-H200"))["affinity"]
    assert affinity == {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [PRODUCT]}]}}}


def test_a_gpu_product_narrows_each_of_the_user_s_terms_and_leaves_the_rest() -> None:
    zone = {"key": "zone", "operator": "In", "values": ["a"]}
    terms = [{"matchExpressions": [zone]}, {"matchFields": [zone]}]
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}, "podAffinity": {}}
    found = pod({"affinity": affinity}, gpu=Gpu(count=1, product="NVIDIA-H200"))["affinity"]
    assert found["podAffinity"] == {}
    assert found["nodeAffinity"][REQUIRED]["nodeSelectorTerms"] == [
        {"matchExpressions": [zone, PRODUCT]},
        {"matchFields": [zone], "matchExpressions": [PRODUCT]},
    ]


def test_pods_are_spread_among_their_own_kind() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    assert render_spread(fields(topologySpread=[spread]), {"a": "b"}) == [
        {**spread, "labelSelector": {"matchLabels": {"a": "b"}}}
    ]
    assert render_spread(fields(), {"a": "b"}) == []


def test_our_labels_win_over_the_user_s() -> None:
    users = {"labels": {"team": "x", "ours": "theirs"}, "annotations": {"a": "b"}}
    assert render_metadata(fields(podMetadata=users), {"ours": "1"}) == {
        "labels": {"team": "x", "ours": "1"},
        "annotations": {"a": "b"},
    }
    assert render_metadata(fields(), {"ours": "1"}) == {"labels": {"ours": "1"}}


def test_credentials_reach_a_container_that_calls_the_registry_before_the_user_s_own_sources() -> None:
    secured = replace(DEFAULTS, registry_pod_secret="mlflow")
    theirs = {"envFrom": [{"secretRef": {"name": "mine"}}]}
    ours = {"secretRef": {"name": "mlflow"}}
    assert container(theirs, defaults=secured, calls_registry=True)["envFrom"] == [ours, *theirs["envFrom"]]
    assert container(defaults=secured, calls_registry=True)["envFrom"] == [ours]
    assert container(theirs, defaults=secured)["envFrom"] == theirs["envFrom"]
    assert "envFrom" not in container(defaults=DEFAULTS, calls_registry=True)
