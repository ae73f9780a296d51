"""The base of every API type: camelCase on the wire, immutable in memory, unknown fields left out."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


def cel(rule: str, message: str, *, got: str | None = None, field_path: str | None = None) -> dict[str, str]:
    """One `x-kubernetes-validations` entry. `message` says what was expected; `got` is a CEL string: what came.

    The API server shows the value that came only for the rules of its own, so a rule of ours has to say it.
    """
    entry = {"rule": rule, "message": message}
    if got:
        quoted = message.replace("\\", "\\\\").replace("'", "\\'")
        entry["messageExpression"] = f"'{quoted}, got ' + {got}"
    return entry | {"fieldPath": field_path} if field_path else entry


def rules(*entries: dict[str, str]) -> dict[str, Any]:
    """CEL rules for a model's or a field's `json_schema_extra`."""
    return {"x-kubernetes-validations": list(entries)}


def validated(*entries: dict[str, str]) -> ConfigDict:
    """The `model_config` of a model with CEL rules."""
    return ConfigDict(json_schema_extra=rules(*entries))


def list_map(*keys: str) -> dict[str, Any]:
    """A list whose items are told apart by `keys`, so that two managers can own an item each."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}


class ApiModel(BaseModel):
    """Unknown fields are dropped, as the API server drops them for clients that do not ask for strict validation."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    def wire(self) -> dict[str, Any]:
        """The JSON form: camelCase, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
