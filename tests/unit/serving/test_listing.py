import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.errors import LoadError
from fairlead_serving.listing import Entry, is_plain_name, parse_artifact_root, parse_listing


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        "/etc",
        "mlflow-artifacts:/",
        "mlflow-artifacts:/1/../2",
        "mlflow-artifacts:/1/./2",
        "mlflow-artifacts:/1?x=2",
        "http://elsewhere/1",
        7,
    ],
)
def test_an_artifact_location_beyond_the_proxy_is_refused(uri: object) -> None:
    with pytest.raises(LoadError, match="artifact location"):
        parse_artifact_root(uri)


def test_a_listing_is_parsed_and_an_absent_one_is_empty() -> None:
    files = [{"path": "MLmodel", "is_dir": False, "file_size": 3}, {"path": "code", "is_dir": True}]
    assert parse_listing({"files": files}) == [Entry("MLmodel", False, 3), Entry("code", True, 0)]
    assert parse_listing({}) == []


@pytest.mark.parametrize(
    "file",
    [
        {"path": ".."},
        {"path": "../x"},
        {"path": "a/b"},
        {"path": "/etc/passwd"},
        {"path": "a\\b"},
        {"path": "a\nb"},
        {"path": "x" * 256},
        {"path": ""},
        {"path": None},
        {"path": "a", "file_size": -1},
        {"path": "a", "file_size": "1"},
        "a",
    ],
)
def test_a_hostile_entry_is_refused(file: Any) -> None:
    with pytest.raises(LoadError, match="listing: expected"):
        parse_listing(json.loads(json.dumps({"files": [file]})))


@given(st.text(max_size=300))
def test_a_plain_name_is_one_component(name: str) -> None:
    if is_plain_name(name):
        assert "/" not in name and "\0" not in name and name not in ("", ".", "..")
