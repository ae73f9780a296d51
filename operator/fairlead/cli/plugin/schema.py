"""Whether the schema that the API server has is the one that we would install."""

from typing import Any

_SAME_WHEN_ABSENT: tuple[object, ...] = ("", 0, False, None)
"""The API server leaves out what says nothing."""


def first_difference(wanted: Any, found: Any, path: str = "") -> str:
    """Where the two first differ, as a path of the custom resource (`spec.replicas: maximum`); empty: nowhere."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in sorted(wanted.keys() | found.keys()):
            if found.get(name) == wanted.get(name) or _both_empty(wanted.get(name), found.get(name)):
                continue
            if inner := first_difference(wanted.get(name), found.get(name), _step(path, name)):
                return inner
        return ""
    if wanted == found or _both_empty(wanted, found):
        return ""
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return next((inner for _, (one, two) in pairs if (inner := first_difference(one, two, path))), "")
    return path or "the top"


def _both_empty(wanted: object, found: object) -> bool:
    return wanted in _SAME_WHEN_ABSENT and found in _SAME_WHEN_ABSENT


def _step(path: str, name: str) -> str:
    """`properties` and `items` are the schema's own levels, not the resource's."""
    if name == "properties":
        return path
    if name in ("items", "additionalProperties"):
        return f"{path}[]"
    return f"{path}.{name}" if path else name
