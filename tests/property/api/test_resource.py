"""Parsing what is stored: it either works or says which field is wrong; it never raises anything else."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.resource import InvalidResource, parse_model_deployment, parse_training_job

META = {"name": "a", "namespace": "team", "uid": "u", "generation": 1}
NAMES = st.sampled_from(
    [
        "model",
        "container",
        "name",
        "alias",
        "version",
        "image",
        "replicas",
        "rollout",
        "register",
        "env",
        "gpu",
        "count",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, JSON, max_size=5), st.dictionaries(st.sampled_from(["phase", "traffic"]), JSON))
def test_any_stored_object_is_parsed_or_refused_by_field(spec: dict[str, Any], status: dict[str, Any]) -> None:
    for parse in (parse_model_deployment, parse_training_job):
        try:
            resource = parse({"metadata": META, "spec": spec, "status": status})
        except InvalidResource as error:
            assert "got" in str(error)
        else:
            assert parse({"metadata": META, "spec": resource.spec.wire(), "status": status}).spec == resource.spec
