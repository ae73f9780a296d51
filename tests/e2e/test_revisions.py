"""A ModelDeployment through its life on the whole cluster: created, changed, scaled, deleted."""

import pytest
from tests.e2e.world import World, web
from tests.load import Connections, LoadPlan, background_load, run_load

pytestmark = pytest.mark.together

OF_WEB = "fairlead.dev/modeldeployment=web"


def test_a_container_is_served_by_its_service(world: World) -> None:
    world.apply(web("web", "1"))
    found = world.wait_rolled_out("web")
    report = run_load(LoadPlan(url=world.url("web"), rate=20, seconds=2, expect_body="version 1"))
    assert report.failed == 0, report
    assert found["status"]["phase"] == "Stable"
    assert found["status"]["traffic"]["arms"] == [
        {"revision": found["status"]["stable"]["revision"], "role": "stable", "weight": 100, "failover": ""}
    ]
    assert found["status"]["stable"]["imageIDs"], "the image that its pods run is recorded"
    kinds = {
        kind: [item["metadata"]["name"] for item in world.items(kind, OF_WEB)]
        for kind in ("deploy", "controllerrevisions")
    }
    assert kinds["deploy"] == kinds["controllerrevisions"] == [found["status"]["stable"]["revision"]]
    headless = world.get("svc", found["status"]["stable"]["revision"])
    assert headless is not None and headless["spec"]["clusterIP"] == "None"
    assert "RolledOut" in world.events("web")


def test_a_new_revision_takes_over_without_a_failed_request(world: World) -> None:
    world.apply(web("web", "1", replicas=2))
    old = world.wait_rolled_out("web")["status"]["stable"]["revision"]
    plans = [
        LoadPlan(url=world.url("web"), rate=40, seconds=120, expect_body="version [12]", connections=kind)
        for kind in (Connections.KEEPALIVE, Connections.FRESH)
    ]
    with background_load(plans[0]) as kept, background_load(plans[1]) as fresh:
        world.apply(web("web", "2", replicas=2))
        new = world.wait("new revision", lambda: _stable_other_than(world, old), seconds=60)
        world.wait("old Deployment gone", lambda: world.get("deploy", old) is None, seconds=60)
        world.wait("old pods gone", lambda: not world.items("pods", f"fairlead.dev/revision={old}"), seconds=60)
        reports = [kept.report(), fresh.report()]
    for report in reports:
        assert report.failed == 0, report
        assert report.sent > 100
    assert run_load(LoadPlan(url=world.url("web"), rate=20, seconds=1, expect_body="version 2")).failed == 0
    assert world.get("controllerrevisions", old) is not None, "the past is kept"
    assert new != old


def _stable_other_than(world: World, old: str) -> str:
    stable = ((world.get("md", "web") or {}).get("status", {}).get("stable") or {}).get("revision", "")
    return stable if stable != old else ""


def test_scaling_changes_no_revision(world: World) -> None:
    world.apply(web("web", "1"))
    revision = world.wait_rolled_out("web")["status"]["stable"]["revision"]
    world.kubectl("scale", "md/web", "--replicas=3")

    def three_ready() -> bool:
        return bool((world.get("deploy", revision) or {}).get("status", {}).get("readyReplicas") == 3)

    world.wait("three pods", three_ready, seconds=60)
    status = world.wait_rolled_out("web")["status"]
    assert status["stable"]["revision"] == revision
    world.wait("status.replicas", lambda: (world.get("md", "web") or {})["status"]["replicas"] == 3, seconds=10)
    assert len(world.items("controllerrevisions")) == 1


def test_a_resource_deleted_in_the_middle_leaves_nothing_behind(world: World) -> None:
    world.apply(web("web", "1"))
    world.wait_rolled_out("web")
    world.apply(web("web", "2"))
    world.wait("candidate", lambda: (world.get("md", "web") or {})["status"].get("candidate"), seconds=20)
    world.kubectl("delete", "md", "web", "--wait=true")

    def nothing_left() -> bool:
        kinds = ("deploy", "rs", "svc", "controllerrevisions", "pods", "endpointslices")
        return not any(world.items(kind, "app.kubernetes.io/managed-by=fairlead") for kind in kinds)

    world.wait("nothing left", nothing_left, seconds=90)
    assert world.items("pods") == []


def test_back_to_what_serves_cancels_the_candidate(world: World) -> None:
    world.apply(web("web", "1"))
    revision = world.wait_rolled_out("web")["status"]["stable"]["revision"]
    world.apply(web("web", "2", container={"command": ["sleep", "1000"]}))
    world.wait("candidate", lambda: (world.get("md", "web") or {})["status"].get("candidate"), seconds=20)
    world.apply(web("web", "1"))
    status = world.wait_rolled_out("web", seconds=20)["status"]
    assert status["stable"]["revision"] == revision
    assert "candidate" not in status
    world.wait("one Deployment", lambda: len(world.items("deploy", OF_WEB)) == 1, seconds=20)
