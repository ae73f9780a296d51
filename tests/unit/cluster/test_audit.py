"""Reading the audit log."""

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.cluster.audit import mark, requests, writes


def line(verb: str, second: int, **target: str) -> str:
    event = {
        "verb": verb,
        "requestURI": "/x",
        "user": {"username": "system:serviceaccount:a:b"},
        "userAgent": "fairlead/1",
        "objectRef": {"resource": "services", "namespace": "ns", "name": "web", **target},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": f"2026-01-01T00:00:{second:02}.000001Z",
    }
    return json.dumps(event) + "\n"


def test_writes_leave_reads_out(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(line("get", 1) + line("patch", 2, subresource="status") + line("watch", 3) + line("delete", 4))
    assert [(each.verb, each.subresource) for each in writes(log)] == [("patch", "status"), ("delete", "")]
    assert len(requests(log)) == 4


def test_a_mark_hides_what_came_before_it(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    assert mark(log) == 0
    log.write_text(line("create", 1))
    since = mark(log)
    with log.open("a") as handle:
        handle.write(line("update", 2))
    assert [each.verb for each in writes(log, since)] == ["update"]


def test_a_time_hides_what_arrived_before_it(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(line("create", 1) + line("update", 5))
    assert [each.verb for each in writes(log, datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC))] == ["update"]


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(line("create", 1) + line("update", 2)[:40])
    assert [each.verb for each in writes(log)] == ["create"]


def test_a_request_without_an_object_has_empty_names(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    event = {"verb": "get", "requestURI": "/readyz", "requestReceivedTimestamp": "2026-01-01T00:00:01Z"}
    log.write_text(json.dumps(event) + "\n")
    (request,) = requests(log)
    assert (request.resource, request.name, request.code, request.uri) == ("", "", 0, "/readyz")
