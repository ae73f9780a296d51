"""What is served, kept beside Envoy's files: a gateway that starts anew goes on with it, whatever it can ask."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead_gateway.claims import Accepted, Claim
from fairlead_gateway.confirming import Part
from fairlead_gateway.traffic import InvalidTraffic, parse_traffic

SAVED_FILE = "applied.json"
_SCHEMA = 1


def render_saved(applied: Mapping[str, Accepted]) -> str:
    """The text of the file."""
    items = [
        {"name": item.claim.name, "uid": item.claim.uid, "created": item.claim.created, "body": item.claim.body}
        for item in applied.values()
    ]
    return json.dumps({"schema": _SCHEMA, "deployments": items}, sort_keys=True)


def parse_saved(text: str) -> dict[str, Accepted]:
    """What an earlier process served, by name; what this version cannot read is left out."""
    found = {}
    for item in _items(text):
        try:
            claim = Claim(item["name"], item["uid"], item["created"], item["body"])
            found[claim.name] = Accepted(claim, parse_traffic(claim.body))
        except (KeyError, TypeError, InvalidTraffic):
            continue
    return found


def parse_left(texts: Mapping[Part, str]) -> tuple[dict[Part, str], dict[str, str]]:
    """The versions of Envoy's files as they lie there, and the clusters among them, text by name."""
    versions, clusters = {}, {}
    for part, text in texts.items():
        try:
            message = json.loads(text)
            versions[part] = str(message["version_info"])
            if part is Part.CLUSTERS:
                clusters = {item["name"]: _canonical(item) for item in message["resources"]}
        except (ValueError, KeyError, TypeError):
            versions.pop(part, None)
    return versions, clusters


def _items(text: str) -> Iterable[Mapping[str, Any]]:
    try:
        saved = json.loads(text)
    except ValueError:
        return []
    items = saved.get("deployments") if isinstance(saved, dict) and saved.get("schema") == _SCHEMA else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _canonical(item: object) -> str:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
