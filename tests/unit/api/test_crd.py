"""From pydantic models to structural schemas."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from fairlead.api.crd import KINDS, MODEL_DEPLOYMENT, Kind, NotStructural, render_crd, schema_of
from fairlead.api.model import ApiModel
from fairlead.api.scalars import Quantity
from fairlead.api.training_job import TrainingJobSpec


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(ApiModel):
    """Inner words."""

    deep_name: str


def _field(annotation: Any, **field: Any) -> dict[str, Any]:
    """The schema of one field called `x` with this annotation."""
    model = type("Sample", (ApiModel,), {"__annotations__": {"x": annotation}, "x": Field(**field)})
    schema = schema_of(model)
    return {**schema["properties"]["x"], "required?": "x" in schema.get("required", [])}


def test_an_optional_field_is_its_type_without_null_default_or_requirement() -> None:
    assert _field(int | None, default=None) == {"type": "integer", "required?": False}


def test_a_nested_model_is_inlined_and_the_field_s_own_description_wins() -> None:
    schema = _field(Inner, description="Field words.")
    assert schema["description"] == "Field words."
    assert schema["properties"] == {"deepName": {"type": "string"}}
    assert schema["required"] == ["deepName"]


def test_enums_and_literals_become_enum_even_with_one_value() -> None:
    assert _field(Colour)["enum"] == ["red", "blue"]
    assert _field(Literal["only"])["enum"] == ["only"]


def test_a_quantity_is_an_integer_or_a_string() -> None:
    schema = _field(Quantity)
    assert schema["x-kubernetes-int-or-string"] is True
    assert "type" not in schema
    assert "pattern" in schema


def test_a_map_keeps_the_schema_of_its_values_and_its_limit() -> None:
    schema = _field(Annotated[dict[str, Annotated[str, Field(max_length=3)]], Field(max_length=2)])
    assert schema["additionalProperties"] == {"type": "string", "maxLength": 3}
    assert schema["maxProperties"] == 2


@pytest.mark.parametrize(
    "annotation",
    [int | str, Any, Annotated[int, Field(gt=0)], tuple[int, str], set[int]],
    ids=["union", "any", "exclusive bound", "tuple", "set"],
)
def test_what_a_crd_cannot_express_is_refused_with_its_path(annotation: Any) -> None:
    with pytest.raises(NotStructural, match=r"^\.x: "):
        _field(annotation)


def _nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _nodes(schema[key], f"{path}[]")


def _root(kind: Kind) -> dict[str, Any]:
    root: dict[str, Any] = render_crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_is_described(kind: Kind) -> None:
    for part in ("spec", "status"):
        for path, node in _nodes(_root(kind)["properties"][part], part):
            if not path.endswith("[]"):
                assert node.get("description"), path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_list_says_how_it_merges(kind: Kind) -> None:
    for path, node in _nodes(_root(kind), kind.name):
        if node.get("type") == "array":
            assert node.get("x-kubernetes-list-type") in ("map", "atomic", "set"), path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_list_map_and_string_of_a_spec_is_bounded(kind: Kind) -> None:
    bound = {"array": "maxItems", "string": "maxLength"}
    for path, node in _nodes(_root(kind)["properties"]["spec"], "spec"):
        needed = bound.get(node.get("type", ""))
        unbounded = needed and needed not in node and "enum" not in node
        assert not unbounded, f"{path} has no {needed}"
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_crd_has_short_name_category_and_a_status_of_its_own(kind: Kind) -> None:
    spec = render_crd(kind)["spec"]
    assert spec["names"]["shortNames"] == [kind.short]
    assert spec["names"]["categories"] == ["fairlead"]
    assert "status" in spec["versions"][0]["subresources"]
    assert _root(kind)["required"] == ["spec"]


def _at(schema: dict[str, Any], path: str) -> dict[str, Any]:
    for name in path.strip(".").split("."):
        if name.endswith("]"):
            schema = schema["properties"][name.partition("[")[0]]["items"]
        else:
            schema = schema["properties"][name]
    return schema


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_printer_column_reads_a_field_that_exists(kind: Kind) -> None:
    for column in kind.columns:
        if not column.path.startswith(".metadata."):
            assert _at(_root(kind), column.path.replace("[?(@.type=='", "[").replace("')]", "]"))


def test_the_scale_subresource_points_at_fields_that_exist() -> None:
    paths = render_crd(MODEL_DEPLOYMENT)["spec"]["versions"][0]["subresources"]["scale"]
    assert [_at(_root(MODEL_DEPLOYMENT), path)["type"] for path in paths.values()] == ["integer", "integer", "string"]


def test_every_field_of_a_training_job_is_frozen_but_the_two_that_may_change() -> None:
    schema = schema_of(TrainingJobSpec)
    frozen = {rule["fieldPath"] for rule in schema["x-kubernetes-validations"]}
    assert frozen == {f".{name}" for name in schema["properties"]} - {".suspend", ".policy"}
    policy = schema["properties"]["policy"]
    frozen = {rule["fieldPath"] for rule in policy["x-kubernetes-validations"]}
    assert frozen == {f".{name}" for name in policy["properties"]} - {".ttlSecondsAfterFinished"}
