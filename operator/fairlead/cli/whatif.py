"""A policy from the command line: the defaults, or those of a record, with fields set otherwise."""

import json
from argparse import ArgumentTypeError
from collections.abc import Iterable

from fairlead.core.evidence.policy import InvalidPolicy, Policy
from fairlead.core.evidence.record import InvalidRecord, as_json, from_json


def parse_setting(text: str) -> tuple[str, object]:
    """`alpha=0.001` or `steps_percent=[5,50]` as a name and a JSON value; what is no JSON is a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ArgumentTypeError(f"expected FIELD=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def policy_with(policy: Policy, settings: Iterable[tuple[str, object]]) -> Policy:
    """The policy with these fields set.

    Raises:
        InvalidRecord: there is no such field, or the value has the wrong type.
        InvalidPolicy: the value is out of range.
    """
    return from_json(Policy, {**as_json(policy), **dict(settings)}, "policy")


__all__ = ["InvalidPolicy", "InvalidRecord", "parse_setting", "policy_with"]
