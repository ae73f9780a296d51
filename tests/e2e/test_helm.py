"""The chart on the whole cluster: what it renders is accepted, and it comes and goes without touching what serves."""

import subprocess

import pytest
import yaml
from tests import platform
from tests.cluster.binaries import binary
from tests.cluster.interface import Cluster
from tests.cluster.kubectl import CommandError
from tests.e2e.gateway import is_ready
from tests.e2e.world import World, web
from tests.load import LoadPlan, background_load

RELEASE = "fairlead"
OTHER = "models"
MODEL_PODS = "fairlead.dev/modeldeployment=web"


def _pods(world: World, selector: str = "") -> dict[str, list[int]]:
    """Pod UID -> restarts of its containers. Without a selector the gateway's are among them."""
    return {
        pod["metadata"]["uid"]: [item["restartCount"] for item in pod["status"].get("containerStatuses", ())]
        for pod in world.items("pods", selector)
    }


def _pods_that_run(world: World) -> int:
    return sum("deletionTimestamp" not in pod["metadata"] and is_ready(pod) for pod in world.items("pods", MODEL_PODS))


def _replace_model_pods(world: World) -> None:
    """One after the other, each deleted when there are two again."""
    for pod in world.items("pods", MODEL_PODS):
        world.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=true")
        world.wait("two pods again", lambda: _pods_that_run(world) == 2, seconds=60)


def _operator_pods(cluster: Cluster) -> str:
    return cluster.kubectl(
        *("get", "pods", "-n", platform.NAMESPACE, "-l", "app.kubernetes.io/component=operator", "-o", "name")
    ).strip()


def test_the_api_server_accepts_everything_that_the_chart_renders(cluster: Cluster) -> None:
    for arguments in ([], ["--set", "watchNamespaces={kube-public},replicas=2,crds.install=false"]):
        command = [str(binary("helm")), "template", RELEASE, str(platform.CHART), "-n", platform.NAMESPACE, *arguments]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        answer = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text)
        assert len(answer.splitlines()) == sum(1 for document in yaml.safe_load_all(text) if document)


def test_uninstalled_it_leaves_the_traffic_that_follows_the_models_pods_and_installed_again_it_touches_none(
    world: World, cluster: Cluster
) -> None:
    values = cluster.helm("get", "values", RELEASE, "-n", platform.NAMESPACE, "-o", "json")
    world.apply(web("web", "1", replicas=2))
    world.wait_rolled_out("web")
    before, status = _pods(world), (world.get("md", "web") or {})["status"]
    with background_load(LoadPlan(url=world.url("web"), rate=50, seconds=300, expect_body="version 1")) as load:
        try:
            kept = cluster.helm("uninstall", RELEASE, "-n", platform.NAMESPACE, "--wait", "--timeout", "60s")
            assert "modeldeployments.fairlead.dev" in kept
            assert "trainingjobs.fairlead.dev" in kept
            world.wait("operator gone", lambda: not _operator_pods(cluster), seconds=60)
            assert world.get("md", "web") is not None, "uninstalling must not delete a user's resources"
            assert _pods(world) == before
            _replace_model_pods(world)
            before = _pods(world)
        finally:
            _install(cluster, values)
        assert _pods(world) == before
        assert (world.get("md", "web") or {})["status"]["stable"] == status["stable"]
        world.kubectl("scale", "md", "web", "--replicas=3")
        world.wait("the new operator acts", lambda: len(world.items("pods", MODEL_PODS)) == 3, seconds=60)
        world.wait_rolled_out("web")
        assert _pods(world).items() >= before.items()
        report = load.report()
    assert report.failed == 0, report.describe()
    assert report.sent > 100


def test_installed_again_under_another_name_it_takes_the_crds_over_and_the_models_serve_on(
    world: World, cluster: Cluster
) -> None:
    values = cluster.helm("get", "values", RELEASE, "-n", platform.NAMESPACE, "-o", "json")
    world.apply(web("web", "1"))
    world.wait_rolled_out("web")
    before = _pods(world, MODEL_PODS)
    with background_load(LoadPlan(url=world.url("web"), rate=50, seconds=300, expect_body="version 1")) as load:
        cluster.helm("uninstall", RELEASE, "-n", platform.NAMESPACE, "--wait", "--timeout", "60s")
        try:
            with pytest.raises(CommandError, match="invalid ownership metadata"):
                _install(cluster, values, OTHER)
            assert OTHER not in cluster.helm("list", "--all-namespaces", "--short")
            _install(cluster, values, OTHER, "--take-ownership")
            for crd in ("modeldeployments.fairlead.dev", "trainingjobs.fairlead.dev"):
                owner = r"jsonpath={.metadata.annotations.meta\.helm\.sh/release-name}"
                assert cluster.kubectl("get", "crd", crd, "-o", owner) == OTHER
            cluster.helm("upgrade", OTHER, str(platform.CHART), "-n", platform.NAMESPACE, "--reuse-values", "--wait")
            world.kubectl("scale", "md", "web", "--replicas=2")
            world.wait("the new operator acts", lambda: len(world.items("pods", MODEL_PODS)) == 2, seconds=60)
            assert _pods(world, MODEL_PODS).items() >= before.items()
        finally:
            cluster.helm("uninstall", OTHER, "-n", platform.NAMESPACE, "--ignore-not-found", "--wait")
            _install(cluster, values, RELEASE, "--take-ownership")
        assert _pods(world, MODEL_PODS).items() >= before.items()
        report = load.report()
    assert report.failed == 0, report.describe()
    assert report.sent > 100


def test_a_service_monitor_without_its_crd_is_refused_by_name_before_anything_is_installed(cluster: Cluster) -> None:
    chosen = ("--set", "serviceMonitor.enabled=true,crds.install=false", "--dry-run=server")
    with pytest.raises(CommandError, match='no matches for kind "ServiceMonitor"'):
        cluster.helm("install", OTHER, str(platform.CHART), "-n", platform.NAMESPACE, *chosen)


def _install(cluster: Cluster, values: str, release: str = RELEASE, *flags: str) -> None:
    """The chart with the same values as before."""
    cluster.helm(
        *("install", release, str(platform.CHART), "-n", platform.NAMESPACE, "--set-json", values),
        *("--wait", "--timeout", "120s", *flags),
    )


PROBE = """
import importlib.util, os, pathlib, shutil
print(os.getuid())
print(*(tool for tool in ("pip", "pip3", "uv", "gcc", "cc", "make") if shutil.which(tool)))
print(*(name for name in ("pip", "ensurepip", "setuptools") if importlib.util.find_spec(name)))
for folder in ("/", "/etc/fairlead", "/opt/fairlead", "/var/tmp"):
    try:
        pathlib.Path(folder, "probe").touch()
        print("wrote", folder)
    except OSError as error:
        print(error.strerror)
pathlib.Path("/tmp/probe").touch()
"""


def test_the_operators_container_is_nobody_has_no_build_tools_and_cannot_write_its_root(cluster: Cluster) -> None:
    said = cluster.kubectl(
        *("exec", "-n", platform.NAMESPACE, f"deploy/{RELEASE}", "--", "python", "-c", PROBE)
    ).splitlines()
    assert said == ["65532", "", "", *["Read-only file system"] * 4]
