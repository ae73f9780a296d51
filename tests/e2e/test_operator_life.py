"""The operator dies, is upgraded, is uninstalled: what runs goes on."""

from pathlib import Path

from tests.cluster import images
from tests.cluster.interface import Cluster
from tests.e2e.world import World, web
from tests.load import LoadPlan, background_load

from fairlead.api.names import ANNOTATION_REQUEST

ROOT = Path(__file__).resolve().parents[2]
UPGRADED = "localhost/fairlead-operator:upgraded"
DEFAULTS = "render/defaults.py"


def _pods(world: World) -> dict[str, int]:
    """Pod UID -> restarts of its containers."""
    return {
        pod["metadata"]["uid"]: sum(item["restartCount"] for item in pod["status"].get("containerStatuses", ()))
        for pod in world.items("pods")
    }


def test_the_operator_deleted_in_the_middle_of_a_revision_change_goes_on_where_it_was(world: World) -> None:
    world.apply(web("web", "1"))
    old = world.wait_rolled_out("web")["status"]["stable"]["revision"]
    with background_load(LoadPlan(url=world.url("web"), rate=40, seconds=200, expect_body="version [12]")) as load:
        world.apply(web("web", "2"))
        world.wait("candidate", lambda: (world.get("md", "web") or {})["status"].get("candidate"), seconds=20)
        world.cluster.kubectl(
            "-n", "fairlead-system", "delete", "pod", "-l", "app.kubernetes.io/name=fairlead", "--now"
        )
        world.wait("promotion", lambda: _promoted(world, old), seconds=90)
        world.wait("old Deployment gone", lambda: world.get("deploy", old) is None, seconds=60)
        report = load.report()
    assert report.failed == 0, report
    assert (world.get("md", "web") or {})["status"]["phase"] == "Stable", "the Service has long been switched"


def _promoted(world: World, old: str) -> bool:
    status = (world.get("md", "web") or {})["status"]
    return bool(status.get("stable", {}).get("revision") != old)


def _build_upgraded(cluster: Cluster, folder: Path) -> None:
    """The operator's image with one more default variable and label in the pods that it renders."""
    edit = (
        "from pathlib import Path; import fairlead.render.defaults as d; p = Path(d.__file__); t = p.read_text(); "
        "t = t.replace('POD_LABELS: dict[str, str] = {}', 'POD_LABELS: dict[str, str] = {\"upgraded\": \"yes\"}'); "
        't = t.replace(\'"PYTHONUNBUFFERED": "1"\', \'"PYTHONUNBUFFERED": "1", "UPGRADED": "yes"\'); '
        "assert t.count('pgraded') >= 1 and t.count('UPGRADED') == 1; p.write_text(t)"
    )
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(
        f'FROM localhost/fairlead-operator:dev\nUSER 0\nRUN ["python", "-c", {_quoted(edit)}]\nUSER 65532:65532\n'
    )
    images.build(UPGRADED, dockerfile, folder)
    cluster.load(UPGRADED)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_an_upgrade_whose_defaults_differ_restarts_no_model_pod(world: World, cluster: Cluster, tmp_path: Path) -> None:
    _build_upgraded(cluster, tmp_path)
    world.apply(web("web", "1", replicas=2))
    revision = world.wait_rolled_out("web")["status"]["stable"]["revision"]
    before = _pods(world)
    with background_load(LoadPlan(url=world.url("web"), rate=80, seconds=200, expect_body="version 1")) as load:
        try:
            _upgrade(cluster, UPGRADED)
            world.apply(web("other", "1"))
            world.wait_rolled_out("other", seconds=90)
            assert _pods(world).items() >= before.items(), "the same pods, none restarted"
            status = (world.get("md", "web") or {})["status"]
            assert status["stable"]["revision"] == revision
            other = world.items("pods", "fairlead.dev/modeldeployment=other")[0]
            assert other["metadata"]["labels"]["upgraded"] == "yes", "new revisions get the new defaults"
        finally:
            _upgrade(cluster, "localhost/fairlead-operator:dev")
        assert _pods(world).items() >= before.items()
        _refresh(world, "other")
        report = load.report()
    assert report.failed == 0, report
    assert report.sent > 500


def _refresh(world: World, name: str) -> None:
    """Asked for it, the operator rolls the same inputs out with the defaults that it has now."""
    old = world.status("md", name)["stable"]["revision"]
    world.kubectl("annotate", "md", name, f"{ANNOTATION_REQUEST}=refresh@{old}#anew")
    world.wait("another revision", lambda: world.status("md", name)["stable"]["revision"] != old, seconds=60)
    new = world.status("md", name)["stable"]["revision"]
    pods = world.items("pods", f"fairlead.dev/revision={new}")
    assert pods and not any("upgraded" in pod["metadata"]["labels"] for pod in pods)


def _upgrade(cluster: Cluster, image: str) -> None:
    repository, _, tag = image.rpartition(":")
    cluster.helm(
        "upgrade", "fairlead", str(ROOT / "helm/fairlead"), "-n", "fairlead-system", "--reuse-values",
        "--set", f"image.repository={repository},image.tag={tag}", "--wait", "--timeout", "120s",
    )  # fmt: skip
