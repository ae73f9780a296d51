"""Whether the schema on the server is ours."""

import copy
from typing import Any

import pytest

from fairlead.api.crd import KINDS, Kind, render_crd
from fairlead.cli.plugin.schema import first_difference


def schema(kind: Kind) -> Any:
    """The schema of a kind, of one's own to change."""
    return copy.deepcopy(render_crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_same_schema_has_no_difference(kind: Kind) -> None:
    assert first_difference(schema(kind), schema(kind)) == ""


def test_a_difference_is_named_by_the_path_of_the_custom_resource() -> None:
    kind = KINDS[0]
    changed = schema(kind)
    del changed["properties"]["spec"]["properties"]["replicas"]
    assert first_difference(schema(kind), changed) == "spec.replicas"
    assert first_difference(changed, schema(kind)) == "spec.replicas"
    changed = schema(kind)
    changed["properties"]["status"]["properties"]["history"]["items"]["properties"]["reason"]["maxLength"] = 1
    assert first_difference(schema(kind), changed) == "status.history[].reason.maxLength"


def test_what_the_api_server_leaves_out_is_no_difference() -> None:
    assert first_difference({"default": "", "minimum": 0, "type": "x"}, {"type": "x"}) == ""
    assert first_difference({"enum": ["a", "b"]}, {"enum": ["a", "c"]}) == "enum"
