"""What Envoy says about the files that it reads: which version it has taken, and how often it refused one. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fairlead_gateway.envoy.listeners import STAT_PREFIX
from fairlead_gateway.envoy.routes import ROUTES_NAME
from fairlead_gateway.render import CLUSTERS_FILE, LISTENERS_FILE, ROUTES_FILE


class Part(Enum):
    """One of the files, and what its counters are called. The order is that of writing."""

    CLUSTERS = (CLUSTERS_FILE, "cluster_manager.cds")
    ROUTES = (ROUTES_FILE, f"http.{STAT_PREFIX}.rds.{ROUTES_NAME}")
    LISTENERS = (LISTENERS_FILE, "listener_manager.lds")

    def __init__(self, path: str, scope: str) -> None:
        self.path = path
        self.scope = scope


@dataclass(frozen=True, slots=True)
class Taken:
    """One file as Envoy has it. version: empty until it took one; refusals: since Envoy started."""

    version: str = ""
    refusals: int = 0


def confirmation_path() -> str:
    """Where Envoy's admin interface tells it."""
    scopes = "|".join(part.scope.replace(".", "[.]") for part in Part)
    return f"/stats?format=json&filter=^({scopes})[.](version_text|update_rejected)$"


def parse_taken(answer: Mapping[str, Any]) -> dict[Part, Taken]:
    """Every part, from the answer to `confirmation_path`; Envoy counts nothing for routes that no listener uses."""
    values = {item["name"]: item.get("value") for item in _named(answer.get("stats"))}
    return {
        part: Taken(
            str(values.get(f"{part.scope}.version_text") or ""), int(values.get(f"{part.scope}.update_rejected") or 0)
        )
        for part in Part
    }


def _named(stats: object) -> Iterable[Mapping[str, Any]]:
    return [item for item in stats if isinstance(item, Mapping) and "name" in item] if isinstance(stats, list) else []
