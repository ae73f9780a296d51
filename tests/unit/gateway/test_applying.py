"""The order of writing, against an Envoy that takes what it is told to take."""

from typing import Any

import pytest
from tests.unit.gateway.test_claims import accepted, claim

from fairlead_gateway.applying import Applying, Progress
from fairlead_gateway.confirming import Part, Taken
from fairlead_gateway.endpoints import Endpoint
from fairlead_gateway.render import CLUSTERS_FILE, LISTENERS_FILE, ROUTES_FILE, Deployment, Files, render
from fairlead_gateway.saved import parse_left

PODS = {"churn-1": (Endpoint("10.0.0.1", 80),), "churn-2": (Endpoint("10.0.0.2", 80),)}
FILES = {CLUSTERS_FILE: Part.CLUSTERS, ROUTES_FILE: Part.ROUTES, LISTENERS_FILE: Part.LISTENERS}


def version(weight: int | None = None, **traffic: Any) -> Files:
    """Envoy's files for one ModelDeployment; with a weight, for two revisions."""
    if weight is not None:
        arms = [
            {"revision": "churn-1", "role": "stable", "weight": 100 - weight},
            {"revision": "churn-2", "role": "canary", "weight": weight, "failover": "churn-1"},
        ]
        traffic["arms"] = arms
    given = accepted(claim("churn", **{"generation": 1, **traffic}))
    return render([Deployment("churn", given.traffic, PODS)], "/run/fairlead")


class Pod:
    """The shared folder and an Envoy beside it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.files: dict[str, str] = {}
        self.written: list[str] = []
        self.taken = {part: Taken() for part in Part}
        self.applying = Applying(self, lambda: self.now)
        empty = render([], "/run/fairlead")
        for file in (empty.clusters, empty.routes, empty.listeners):
            self.files[file.path] = file.text
        left = {part: self.files[part.path] for part in Part}
        self.applying.found(*parse_left(left), ["endpoints/old.json"])
        self.files["endpoints/old.json"] = "old"

    def write(self, path: str, text: str) -> None:
        self.files[path] = text
        self.written.append(path)

    def remove(self, path: str) -> None:
        del self.files[path]

    def envoy_takes(self, *parts: Part) -> None:
        """Envoy has read these files, and found nothing wrong."""
        versions, _ = parse_left({part: self.files[part.path] for part in Part})
        for part in parts:
            self.taken[part] = Taken(versions[part], self.taken[part].refusals)
        self.applying.heard(self.taken)

    def envoy_refuses(self, part: Part) -> None:
        """Envoy has read this file, and keeps what it had."""
        self.taken[part] = Taken(self.taken[part].version, self.taken[part].refusals + 1)
        self.applying.heard(self.taken)

    def step(self) -> tuple[Progress, list[str]]:
        """One step: where it stands, and what was written."""
        self.written = []
        progress = self.applying.step()
        return progress, self.written

    def apply(self, files: Files, grace_seconds: float = 60.0) -> None:
        """All the way, with an Envoy that takes everything."""
        self.applying.want(files, {"churn": grace_seconds})
        for _ in range(5):
            if self.applying.step() is Progress.APPLIED:
                return
            self.envoy_takes(*Part)
        raise AssertionError("expected it to be applied within five steps")


@pytest.fixture
def pod() -> Pod:
    return Pod()


def test_nothing_is_written_before_anything_is_wanted(pod: Pod) -> None:
    assert pod.step() == (Progress.WAITING, [])


def test_the_first_version_comes_in_the_order_in_which_the_files_lean_on_each_other(pod: Pod) -> None:
    pod.envoy_takes(Part.CLUSTERS, Part.LISTENERS)
    pod.applying.want(version(10), {})
    progress, written = pod.step()
    assert progress is Progress.WAITING
    assert [path.partition("/")[0] for path in written] == ["endpoints"] * 3 + [CLUSTERS_FILE]
    assert pod.step() == (Progress.WAITING, [])
    pod.envoy_takes(Part.CLUSTERS)
    # Without a listener Envoy reads no routes: they cannot be waited for.
    assert pod.step() == (Progress.WAITING, [ROUTES_FILE, LISTENERS_FILE])
    pod.envoy_takes(Part.LISTENERS, Part.ROUTES)
    assert pod.step() == (Progress.APPLIED, [])


def test_a_weight_costs_one_file_and_waits_for_nothing(pod: Pod) -> None:
    pod.apply(version(10))
    pod.applying.want(version(50), {})
    assert pod.step() == (Progress.WAITING, [ROUTES_FILE])
    pod.envoy_takes(Part.ROUTES)
    assert pod.step() == (Progress.APPLIED, [])


def test_a_new_port_waits_for_its_routes_and_they_for_their_clusters(pod: Pod) -> None:
    pod.apply(version(10))
    pod.applying.want(version(10, port=10005, mirror={"revision": "churn-3", "percent": 5}), {})
    assert pod.step()[1] == ["endpoints/churn|churn-3|mirror.json", CLUSTERS_FILE]
    assert pod.step()[1] == []
    pod.envoy_takes(Part.CLUSTERS)
    assert pod.step() == (Progress.WAITING, [ROUTES_FILE])
    assert pod.step()[1] == []
    pod.envoy_takes(Part.ROUTES)
    assert pod.step() == (Progress.WAITING, [LISTENERS_FILE])
    pod.envoy_takes(Part.LISTENERS)
    assert pod.step() == (Progress.APPLIED, [])


def test_an_endpoint_costs_its_file_alone(pod: Pod) -> None:
    pod.apply(version(10))
    given = accepted(claim("churn", generation=1, arms=[
        {"revision": "churn-1", "role": "stable", "weight": 90},
        {"revision": "churn-2", "role": "canary", "weight": 10, "failover": "churn-1"},
    ]))  # fmt: skip
    pods = {**PODS, "churn-2": (Endpoint("10.0.0.3", 80),)}
    pod.applying.want(render([Deployment("churn", given.traffic, pods)], "/run/fairlead"), {})
    assert pod.step() == (Progress.APPLIED, ["endpoints/churn|churn-2|canary.json"])


def test_a_new_version_of_a_file_waits_for_the_word_on_the_one_before(pod: Pod) -> None:
    pod.apply(version(10))
    pod.applying.want(version(20), {})
    assert pod.step()[1] == [ROUTES_FILE]
    pod.applying.want(version(30), {})
    assert pod.step()[1] == []
    pod.envoy_takes(Part.ROUTES)
    assert pod.step()[1] == [ROUTES_FILE]


def test_back_and_forth_ends_with_what_was_wanted_last(pod: Pod) -> None:
    pod.apply(version(10))
    pod.applying.want(version(20), {})
    assert pod.step()[1] == [ROUTES_FILE]
    pod.applying.want(version(10), {})
    # Envoy still has it, and is about to read the other one.
    assert pod.step() == (Progress.WAITING, [])
    pod.envoy_takes(Part.ROUTES)
    assert pod.step() == (Progress.WAITING, [ROUTES_FILE])
    pod.envoy_takes(Part.ROUTES)
    assert pod.step() == (Progress.APPLIED, [])
    assert pod.files[ROUTES_FILE] == version(10).routes.text


def test_an_envoy_that_does_not_run_is_not_waited_for(pod: Pod) -> None:
    pod.apply(version(10))
    pod.applying.want(version(20), {})
    assert pod.step()[1] == [ROUTES_FILE]
    pod.applying.want(version(30), {})
    pod.now += 1.0
    assert pod.step()[1] == [ROUTES_FILE]


def test_a_file_that_envoy_has_overlooked_is_written_again(pod: Pod) -> None:
    pod.apply(version(10))
    pod.applying.want(version(20), {})
    assert pod.step()[1] == [ROUTES_FILE]
    pod.now += 2.9
    assert pod.step()[1] == []
    pod.now += 0.1
    assert pod.step()[1] == [ROUTES_FILE]


def test_clusters_that_no_route_names_stay_until_their_last_request_is_over(pod: Pod) -> None:
    pod.apply(version(10), grace_seconds=60.0)
    canary_files = {path for path in pod.files if "canary" in path or "failover" in path}
    pod.applying.want(version(), {"churn": 60.0})
    pod.now = 100.0
    progress, written = pod.step()
    # Stable's cluster is written as it is without a canary; those of the canary are still there.
    assert (progress, written) == (Progress.WAITING, [CLUSTERS_FILE, ROUTES_FILE])
    assert "churn|churn-2|canary" in pod.files[CLUSTERS_FILE]
    assert pod.applying.due is None
    pod.now = 101.0
    pod.envoy_takes(Part.CLUSTERS, Part.ROUTES)
    assert pod.step() == (Progress.APPLIED, [])
    assert pod.applying.due == 101.0 + 65.0
    assert canary_files <= pod.files.keys()
    pod.now = 166.0
    assert pod.step() == (Progress.WAITING, [CLUSTERS_FILE])
    assert "canary" not in pod.files[CLUSTERS_FILE]
    pod.envoy_takes(Part.CLUSTERS)
    assert pod.step() == (Progress.APPLIED, [])
    assert not canary_files & pod.files.keys()


def test_a_cluster_that_is_wanted_again_is_not_retired(pod: Pod) -> None:
    pod.apply(version(10))
    pod.apply(version())
    pod.apply(version(20))
    assert pod.applying.due is None
    pod.now = 1000.0
    assert pod.step() == (Progress.APPLIED, [])


def test_files_of_endpoints_that_an_earlier_process_left_go_in_the_end(pod: Pod) -> None:
    pod.applying.want(version(10), {})
    pod.step()
    assert "endpoints/old.json" in pod.files
    pod.apply(version(10))
    assert "endpoints/old.json" not in pod.files


@pytest.mark.parametrize("part", list(Part))
def test_a_refused_file_is_told_and_the_one_before_can_be_put_back(pod: Pod, part: Part) -> None:
    before, bad = version(10), version(20, port=10005, attemptTimeout="1s")
    pod.apply(before)
    pod.applying.want(bad, {})
    for earlier in (Part.CLUSTERS, Part.ROUTES):
        pod.step()
        if earlier is part:
            break
        pod.envoy_takes(earlier)
    pod.step()
    pod.envoy_refuses(part)
    assert pod.step()[0] is Progress.REFUSED
    assert pod.applying.refused_part is part
    assert pod.step()[0] is Progress.REFUSED
    pod.applying.want(before, {})
    progress, written = pod.step()
    assert progress is not Progress.REFUSED
    assert written
    pod.apply(before)
    assert pod.applying.refused_part is None
    assert (
        pod.files[part.path]
        == {CLUSTERS_FILE: before.clusters, ROUTES_FILE: before.routes}.get(part.path, before.listeners).text
    )


def test_a_new_envoy_is_asked_anew_and_reads_what_lies_there(pod: Pod) -> None:
    pod.apply(version(10))
    pod.envoy_refuses(Part.ROUTES)
    assert pod.step()[0] is Progress.APPLIED
    pod.taken = {part: Taken() for part in Part}
    pod.applying.envoy_started()
    assert pod.step() == (Progress.WAITING, [])
    pod.envoy_takes(*Part)
    assert pod.step() == (Progress.APPLIED, [])


def test_without_any_listener_there_are_no_routes_to_wait_for(pod: Pod) -> None:
    pod.envoy_takes(Part.CLUSTERS, Part.LISTENERS)
    pod.applying.want(render([], "/run/fairlead"), {})
    assert pod.step() == (Progress.APPLIED, [])
