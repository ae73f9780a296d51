"""The JSON Patch that replaces a status, if it is still the one that was read.

One form for both kinds: the object is the same (UID), and neither another leader (epoch) nor another write (generation
of the traffic, phase and attempt) has come between. A change of the arms also tests the spec's generation: it was
decided for it.
Source: RFC 6902; `test` against an absent path with null is how the API server's library spells "there is none".
"""

from collections.abc import Mapping
from typing import Any

from fairlead.api.resource import Meta


def _test(path: str, value: Any) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


def render_status_patch(
    meta: Meta, *, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The operations, tests first."""
    tests = [_test("/metadata/uid", meta.uid)]
    if before is None:
        return [*tests, _test("/status", None), {"op": "add", "path": "/status", "value": after}]
    if not before:
        tests.append(_test("/status/phase", None))  # someone has emptied it
    old, new = before.get("traffic"), after.get("traffic")
    if old is not None:
        tests += [_test("/status/traffic/generation", old["generation"]), _test("/status/traffic/epoch", old["epoch"])]
        if new is not None and new["generation"] != old["generation"]:
            tests.append(_test("/metadata/generation", meta.generation))
    else:
        tests += [
            _test(f"/status/{field}", before[field]) for field in ("epoch", "phase", "attempt") if field in before
        ]
    return [*tests, {"op": "replace", "path": "/status", "value": after}]
