"""Specs that the CRDs let in, drawn from the schemas themselves: a field that is added later is drawn, too.

CEL rules are not looked at, so some of these specs the API server would refuse; rendering has to hold for them as well.
"""

from typing import Any

from hypothesis import strategies as st

from fairlead.api.crd import schema_of
from fairlead.api.model_deployment import ModelDeploymentSpec
from fairlead.api.training_job import TrainingJobSpec

_QUANTITIES = st.sampled_from([1, 2, "0.5", "500m", "1024Mi", "1Gi"])
_KEYS = st.sampled_from(["a", "team.example/b", "nvidia.com/gpu", "c"])
_TEXT = st.text("ab $'\"\\\n{}:é", max_size=6)
_MOST_ITEMS = 2


def _texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" not in schema:
        return _TEXT
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    return st.from_regex(schema["pattern"], fullmatch=True, alphabet="abAB019-._/:@hmsoff%").filter(
        lambda text: least <= len(text) <= most
    )


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        return st.dictionaries(_KEYS, drawn(schema["additionalProperties"]), max_size=_MOST_ITEMS)
    fields = {name: drawn(child) for name, child in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


def drawn(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a structural schema."""
    if schema.get("x-kubernetes-int-or-string"):
        return _QUANTITIES
    match schema["type"]:
        case "object":
            return _objects(schema)
        case "array":
            least = schema.get("minItems", 0)
            return st.lists(drawn(schema["items"]), min_size=least, max_size=max(least, _MOST_ITEMS))
        case "integer" | "number" as kind:
            least, most = schema.get("minimum", 0), min(schema.get("maximum", 100), 100)
            return st.integers(least, most) if kind == "integer" else st.floats(least, most)
        case "boolean":
            return st.booleans()
        case _:
            return _texts(schema)


SERVING_SPECS = drawn(schema_of(ModelDeploymentSpec)).map(ModelDeploymentSpec.model_validate)
TRAINING_SPECS = drawn(schema_of(TrainingJobSpec)).map(TrainingJobSpec.model_validate)
