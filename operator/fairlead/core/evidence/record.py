"""Policies, states, samples and verdicts as JSON, exactly: what is read back is what was written, bit for bit.

A state is a list in the order of its fields, so that it stays below 4 KiB; the others carry names for people.
"""

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isnan, nan
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.state import VERSION, State

T = TypeVar("T")


class InvalidRecord(ValueError):
    """The text is no such value. The message names the field, what was expected and what came."""


def _plain(value: Any, *, named: bool) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: _plain(getattr(value, field.name), named=named) for field in fields(value)}
        return parts if named else list(parts.values())
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item, named=named) for item in value]
    return None if isinstance(value, float) and isnan(value) else value


def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _wrong(where: str, expected: str, got: object) -> InvalidRecord:
    return InvalidRecord(f"{where}: expected {expected}, got {str(got)[:80]!r}")


def _parts(kind: type[Any], value: Any, where: str) -> dict[str, Any]:
    """Field name -> value of a dataclass or named tuple, from a list or a mapping."""
    hints = _hints(kind)
    if isinstance(value, list):
        if len(value) != len(hints):
            raise _wrong(where, f"{len(hints)} items", len(value))
        return dict(zip(hints, value, strict=True))
    if not isinstance(value, dict):
        raise _wrong(where, "an object or a list", value)
    unknown = [name for name in value if name not in hints]
    if unknown:
        raise _wrong(where, f"fields among {', '.join(hints)}", ", ".join(unknown))
    return value


def _number(kind: type[Any], value: Any, where: str) -> Any:
    if kind is float and value is None:
        return nan
    if kind is bool or isinstance(value, bool):
        if kind is not bool or not isinstance(value, bool):
            raise _wrong(where, kind.__name__, value)
        return value
    wanted: tuple[type[Any], ...] = (int, float) if kind is float else (kind,)
    if not isinstance(value, wanted):
        raise _wrong(where, kind.__name__, value)
    return value


def _built(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        return _built(next(one for one in arguments if one is not NoneType), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(value):
            raise _wrong(where, f"{len(kinds)} items", len(value))
        return tuple(_built(one, item, f"{where}[{i}]") for i, (one, item) in enumerate(zip(kinds, value, strict=True)))
    if issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError:
            raise _wrong(where, "one of " + ", ".join(one.value for one in kind), value) from None
    if is_dataclass(kind) or hasattr(kind, "_fields"):
        hints = _hints(kind)
        parts = _parts(kind, value, where)
        try:
            return kind(**{name: _built(hints[name], part, f"{where}.{name}") for name, part in parts.items()})
        except TypeError as error:
            raise _wrong(where, "every field without a default", error) from None
    return _number(kind, value, where)


def as_json(value: object) -> Any:
    """The value for `json.dumps`; a state is a list, others are objects. NaN becomes null."""
    return _plain(value, named=not isinstance(value, State))


def from_json(kind: type[T], value: object, where: str = "") -> T:
    """The value of that kind.

    Raises:
        InvalidRecord: the JSON does not fit, or is a state of another version.
        InvalidPolicy: a field of a policy is out of range.
    """
    if kind is State and isinstance(value, list) and (not value or value[-1] != VERSION):
        raise _wrong(f"{where or 'state'}.version", str(VERSION), value[-1] if value else "nothing")
    built: T = _built(kind, value, where or kind.__name__.lower())
    return built


def dump_state(state: State) -> str:
    """The state as text for the custom resource's status, at most 4 KiB."""
    return json.dumps(as_json(state), separators=(",", ":"))


def load_state(text: str) -> State:
    """The state of such a text.

    Raises:
        InvalidRecord: it is none.
    """
    return from_json(State, _loaded(text, "state"))


def dump_policy(policy: Policy) -> str:
    """The policy as text for the custom resource's status."""
    return json.dumps(as_json(policy), separators=(",", ":"))


def load_policy(text: str) -> Policy:
    """The policy of such a text.

    Raises:
        InvalidRecord: it is none.
        InvalidPolicy: a field is out of range.
    """
    return from_json(Policy, _loaded(text, "policy"))


def _loaded(text: str, what: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidRecord(f"{what}: expected JSON, got {text[:80]!r} ({error})") from None
