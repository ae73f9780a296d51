"""Events are named by what they say."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.unit.builders import NOW, UID, serving_body, serving_world

from fairlead.api.resource import Meta
from fairlead.render.event import render_event

META = serving_world(serving_body()).resource.meta


def event(meta: Meta = META, **said: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"type_": "Warning", "reason": "ImageNotFound", "message": "no such image", "now": NOW}
    return render_event("ModelDeployment", meta, **{**fields, **said})


def test_the_same_thing_said_again_has_the_same_name() -> None:
    assert event()["metadata"] == event(now=NOW + timedelta(hours=1))["metadata"]
    assert event()["metadata"]["name"].startswith("churn.")


def test_another_reason_message_or_object_has_another_name() -> None:
    others = [event(), event(reason="Starting"), event(message="other"), event(replace(META, uid="other"))]
    assert len({item["metadata"]["name"] for item in others}) == 4


def test_an_event_tells_of_what_when_and_by_whom() -> None:
    found = event()
    assert found["involvedObject"]["uid"] == UID
    assert (found["type"], found["reason"], found["message"]) == ("Warning", "ImageNotFound", "no such image")
    assert (found["firstTimestamp"], found["lastTimestamp"], found["count"]) == (
        "2026-05-04T12:00:00Z",
        "2026-05-04T12:00:00Z",
        1,
    )
    assert found["metadata"]["namespace"] == "team"


def test_a_long_message_is_cut_to_what_the_api_server_takes() -> None:
    assert event(message="x" * 5000)["message"] == "x" * 1024
