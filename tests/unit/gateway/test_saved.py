import json

import pytest
from tests.unit.gateway.test_claims import accepted, claim

from fairlead_gateway.confirming import Part
from fairlead_gateway.render import Deployment, render
from fairlead_gateway.saved import parse_left, parse_saved, render_saved


def test_what_is_saved_is_what_is_read() -> None:
    applied = {name: accepted(claim(name, generation=3, port=port)) for name, port in (("a", 10000), ("b", 10001))}
    assert parse_saved(render_saved(applied)) == applied


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 2, "deployments": []}', '{"schema": 1}'])
def test_another_text_holds_nothing(text: str) -> None:
    assert parse_saved(text) == {}


def test_one_that_cannot_be_read_does_not_spoil_the_others() -> None:
    saved = json.loads(render_saved({"a": accepted(claim("a", generation=3))}))
    broken = [{}, "text", {"name": "b", "uid": "u", "created": "", "body": {"status": {"traffic": {}}}}]
    saved["deployments"] = [*broken, *saved["deployments"]]
    assert list(parse_saved(json.dumps(saved))) == ["a"]


def test_files_that_lie_there_are_known_by_their_versions_and_clusters() -> None:
    given = accepted(claim("a", generation=3))
    files = render([Deployment("a", given.traffic, {})], "/run/fairlead")
    versions, clusters = parse_left({Part.CLUSTERS: files.clusters.text, Part.ROUTES: files.routes.text})
    assert versions == {Part.CLUSTERS: files.clusters.version, Part.ROUTES: files.routes.version}
    assert clusters == files.clusters_by_name


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version_info": "v"}', '{"version_info": "v", "resources": [1]}'])
def test_a_file_that_is_no_version_is_as_if_it_were_not_there(text: str) -> None:
    assert parse_left({Part.CLUSTERS: text}) == ({}, {})
