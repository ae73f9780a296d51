"""What a Grafana dashboard asks of Prometheus, with its variables put in."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "helm/fairlead/files/dashboards/fairlead.json"
_LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")


@dataclass(frozen=True)
class Query:
    """One query. where: the panel, annotation or variable; label: its values are asked for, not its samples."""

    where: str
    expr: str
    label: str = ""

    def filled(self, variables: Mapping[str, str]) -> str:
        """The expression as Grafana sends it. KeyError names a variable that there is not."""
        return re.sub(r"\$(\w+)", lambda found: variables[found[1]], self.expr)


def read_dashboard() -> dict[str, Any]:
    """The file."""
    body: dict[str, Any] = json.loads(FILE.read_text())
    return body


def queries(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Every query of panels, annotations and variables."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Query(f"{panel['title']} {target['refId']}", target["expr"])
    for annotation in dashboard["annotations"]["list"]:
        yield Query(f"annotation {annotation['name']}", annotation["expr"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert found, variable["query"]
            yield Query(f"variable {variable['name']}", found[1], found[2])
