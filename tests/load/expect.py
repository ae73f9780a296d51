"""Whether an answer's body is the right one. Pure."""

import json
import re
from typing import Any

from tests.load.plan import LoadPlan


def wrong_body(plan: LoadPlan, body: bytes) -> str | None:
    """Say what is wrong with the body of a 2xx answer, or None when it meets every expectation of the plan."""
    if plan.expect_body is not None:
        text = body.decode("utf-8", "replace")
        if re.search(plan.expect_body, text) is None:
            return f"expected a body matching {plan.expect_body!r}, got {text[:200]!r}"
    if not plan.expect_fields:
        return None
    try:
        document = json.loads(body)
    except ValueError:
        return f"expected JSON, got {body[:200]!r}"
    for path, expected in plan.expect_fields.items():
        try:
            value = at_path(document, path)
        except LookupError:
            return f"expected a field {path}, got {body[:200]!r}"
        if value != expected:
            return f"{path}: expected {expected!r}, got {str(value)[:200]!r}"
    return None


def at_path(document: Any, path: str) -> Any:
    """Follow a dotted path of keys and list positions; LookupError when a part is not there."""
    value = document
    for part in path.split("."):
        if isinstance(value, list) and part.lstrip("-").isdigit():
            value = value[int(part)]
        elif isinstance(value, dict):
            value = value[part]
        else:
            raise LookupError(part)
    return value
