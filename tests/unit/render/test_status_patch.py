"""The patch tests what the decision was made on."""

from typing import Any

from tests.unit.builders import UID, serving_body, serving_world

from fairlead.render.status_patch import render_status_patch

META = serving_world(serving_body()).resource.meta


def checked(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    operations = render_status_patch(META, before=before, after=after)
    assert operations[-1]["path"] == "/status"
    assert operations[-1]["value"] == after
    assert {item["op"] for item in operations[:-1]} == {"test"}
    return {item["path"]: item["value"] for item in operations[:-1]}


def traffic(generation: int, epoch: int) -> dict[str, Any]:
    return {"traffic": {"generation": generation, "epoch": epoch}}


def test_the_first_status_is_added_only_where_there_is_none() -> None:
    assert checked(None, traffic(0, 1)) == {"/metadata/uid": UID, "/status": None}
    assert render_status_patch(META, before=None, after={})[-1]["op"] == "add"


def test_a_status_that_was_emptied_is_replaced_only_while_nobody_has_written_it() -> None:
    assert checked({}, traffic(0, 1)) == {"/metadata/uid": UID, "/status/phase": None}
    assert render_status_patch(META, before={}, after={})[-1]["op"] == "replace"


def test_a_status_is_replaced_only_if_no_leader_and_no_write_came_between() -> None:
    found = checked(traffic(4, 2), traffic(4, 2))
    assert found == {"/metadata/uid": UID, "/status/traffic/generation": 4, "/status/traffic/epoch": 2}
    assert render_status_patch(META, before=traffic(4, 2), after=traffic(4, 2))[-1]["op"] == "replace"


def test_a_change_of_the_arms_is_for_the_generation_that_it_was_decided_for() -> None:
    assert checked(traffic(4, 2), traffic(5, 2))["/metadata/generation"] == META.generation


def test_arms_that_are_taken_away_are_not_tied_to_a_generation() -> None:
    assert "/metadata/generation" not in checked(traffic(4, 2), {})


def test_a_status_without_traffic_is_checked_by_epoch_and_phase() -> None:
    found = checked({"epoch": 3, "phase": "Running"}, {"epoch": 3, "phase": "Registering"})
    assert found == {"/metadata/uid": UID, "/status/epoch": 3, "/status/phase": "Running"}
    assert checked({"epoch": 3}, {}) == {"/metadata/uid": UID, "/status/epoch": 3}
    assert checked({"epoch": 3, "attempt": 2}, {})["/status/attempt"] == 2
