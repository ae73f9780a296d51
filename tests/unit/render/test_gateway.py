"""The gateway's objects."""

from dataclasses import replace
from typing import Any

from tests.unit.builders import GATEWAY_DEFAULTS, Body, owner

from fairlead.render.gateway import render_gateway

ONE, TWO = owner("one", "uid-1"), owner("two", "uid-2")


def rendered(**changes: Any) -> dict[str, Body]:
    made = render_gateway("team", (TWO, ONE), replace(GATEWAY_DEFAULTS, **changes))
    return {item["kind"]: item for item in made}


def pod(**changes: Any) -> Body:
    return dict(rendered(**changes)["Deployment"]["spec"]["template"]["spec"])


def containers(**changes: Any) -> dict[str, Body]:
    spec = pod(**changes)
    return {item["name"]: item for item in (*spec["initContainers"], *spec["containers"])}


def test_every_object_belongs_to_every_model_deployment_and_to_none_as_controller() -> None:
    for item in rendered().values():
        owners = item["metadata"]["ownerReferences"]
        assert [(owner["name"], owner["uid"]) for owner in owners] == [("one", "uid-1"), ("two", "uid-2")]
        assert not any("controller" in owner or "blockOwnerDeletion" in owner for owner in owners)
        assert item["metadata"]["labels"] == {
            "app.kubernetes.io/name": "fairlead-gateway",
            "app.kubernetes.io/component": "gateway",
            "app.kubernetes.io/managed-by": "fairlead",
        }
        assert item["metadata"]["namespace"] == "team"


def test_all_have_one_name_but_the_binding_which_is_named_like_the_role_it_binds() -> None:
    names = {kind: item["metadata"]["name"] for kind, item in rendered(cluster_role="release-gateway").items()}
    assert names.pop("RoleBinding") == "release-gateway"
    assert set(names.values()) == {"fairlead-gateway"}
    binding = rendered(cluster_role="release-gateway")["RoleBinding"]
    assert binding["roleRef"]["name"] == "release-gateway"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "fairlead-gateway", "namespace": "team"}]
    assert "RoleBinding" not in rendered(binds=False)


def test_the_account_gives_its_token_to_no_other_pod() -> None:
    assert rendered()["ServiceAccount"]["automountServiceAccountToken"] is False
    assert (pod()["serviceAccountName"], pod()["automountServiceAccountToken"]) == ("fairlead-gateway", True)


def test_one_pod_at_a_time_is_replaced_and_one_at_a_time_may_be_evicted() -> None:
    spec = rendered()["Deployment"]["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = rendered()["PodDisruptionBudget"]["spec"]
    assert (budget["maxUnavailable"], budget["selector"]) == (1, spec["selector"])


def test_pods_rather_run_apart_and_run_anyway() -> None:
    spread = pod()["topologySpreadConstraints"]
    assert {item["topologyKey"] for item in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert {item["whenUnsatisfiable"] for item in spread} == {"ScheduleAnyway"}


def test_the_renderer_starts_before_envoy_and_answers_for_both() -> None:
    renderer, envoy = containers()["renderer"], containers()["envoy"]
    assert pod()["initContainers"] == [renderer] and renderer["restartPolicy"] == "Always"
    assert renderer["command"] == ["python", "-m", "fairlead_gateway"]
    env = {item["name"]: item for item in renderer["env"]}
    assert env["EVIDENCE_SUBJECT"]["value"] == "system:serviceaccount:fairlead:fairlead"
    assert env["POD_NAMESPACE"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
    assert {item["name"]: item["containerPort"] for item in renderer["ports"]} == {"metrics": 8081, "evidence": 8082}
    probes = {kind: renderer[kind]["httpGet"]["path"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probes == {"startupProbe": "/livez", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
    alive, ready = renderer["livenessProbe"], renderer["readinessProbe"]
    restarted = alive["periodSeconds"] * (alive["failureThreshold"] + 1) + alive["terminationGracePeriodSeconds"]
    assert ready["periodSeconds"] * ready["failureThreshold"] > restarted, "a hung renderer costs no users a gateway"
    assert envoy["command"][:3] == ["envoy", "-c", "/run/fairlead/bootstrap.json"]
    assert not any("Probe" in key for key in envoy), "Envoy is asked through the renderer"


def test_envoy_has_a_thread_for_each_cpu_it_may_use_and_drains_before_it_stops() -> None:
    envoy = containers(resources={"limits": {"cpu": "3"}})["envoy"]
    (limit,) = (item for item in envoy["env"] if item["name"] == "CPU_LIMIT")
    assert limit["valueFrom"]["resourceFieldRef"]["resource"] == "limits.cpu"
    assert envoy["command"][3:5] == ["--concurrency", "$(CPU_LIMIT)"]
    assert envoy["command"][-4:] == ["--drain-strategy", "immediate", "--drain-time-s", "60"]
    assert envoy["resources"] == {"limits": {"cpu": "3"}}
    assert envoy["lifecycle"]["preStop"]["exec"]["command"] == ["python", "-m", "fairlead_gateway", "drain"]
    assert pod()["terminationGracePeriodSeconds"] == 60


def test_both_containers_are_restricted_bounded_and_share_one_folder_in_memory() -> None:
    assert pod()["securityContext"]["runAsNonRoot"] is True
    for item in containers().values():
        assert item["securityContext"]["readOnlyRootFilesystem"] is True
        assert item["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert set(item["resources"]) == {"requests", "limits"}
        assert item["volumeMounts"] == [{"name": "run", "mountPath": "/run/fairlead"}]
        assert item["terminationMessagePolicy"] == "FallbackToLogsOnError"
        assert (item["image"], item["imagePullPolicy"]) == ("example/gateway:1", "IfNotPresent")
    (volume,) = pod()["volumes"]
    assert volume["emptyDir"]["medium"] == "Memory"


def test_prometheus_finds_the_metrics() -> None:
    annotations = rendered()["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8081",
        "prometheus.io/path": "/metrics",
    }


def test_a_priority_class_is_named_where_the_settings_name_one() -> None:
    assert "priorityClassName" not in pod()
    assert pod(priority_class="high")["priorityClassName"] == "high"
