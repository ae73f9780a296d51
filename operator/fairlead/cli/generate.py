"""Writes what is generated from the API models: the CRDs, the chart's copies of them, and two reference pages.

`python -m fairlead.cli.generate` writes; with `--check` it only says which files are out of date (exit code 1).
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from fairlead.api.crd import KINDS, Kind, render_crd
from fairlead.api.reasons import EXPLAINED, Reason

_HEADER = "# Generated from operator/fairlead/api by `make generate`; do not edit.\n"


def _crd_text(kind: Kind) -> str:
    return _HEADER + yaml.safe_dump(render_crd(kind), sort_keys=False, width=120, allow_unicode=True)


def _type_of(node: dict[str, Any]) -> str:
    if node.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "enum" in node:
        return " \\| ".join(f"`{value}`" for value in node["enum"])
    match node.get("type"):
        case "array":
            return f"list of {_type_of(node['items'])}"
        case "object" if "additionalProperties" in node:
            return f"map of {_type_of(node['additionalProperties'])}"
        case str(name):
            return name
    return ""


def _rows(node: dict[str, Any], path: str) -> list[str]:
    rows = []
    required = set(node.get("required", ()))
    for name, child in node.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        default = f"`{child['default']}`" if child.get("default") not in (None, {}, [], "") else ""
        need = "required" if name in required else default
        rows.append(f"| `{here}` | {_type_of(child)} | {need} | {child.get('description', '')} |")
        inner = child.get("items", child) if child.get("type") == "array" else child
        rows.extend(_rows(inner, here + ("[]" if child.get("type") == "array" else "")))
    return rows


def _reference(kind: Kind) -> str:
    schema = render_crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    parts = [f"# {kind.name} (`{kind.short}`)\n", kind.summary + "\n"]
    for part in ("spec", "status"):
        head = f"## {part}\n\n| path | type | default | meaning |\n| --- | --- | --- | --- |\n"
        parts.append(head + "\n".join(_rows(schema[part], "")) + "\n")
    return f"<!-- {_HEADER[2:].strip()} -->\n\n" + "\n".join(parts)


def _reasons() -> str:
    head = (
        f"<!-- {_HEADER[2:].strip()} -->\n\n# Reasons\n\nConditions, events, logs and metrics carry the same word for "
        "the same thing. *Stalled* says that nothing moves until someone acts.\n\n"
        "| reason | meaning | what to do | Stalled |\n| --- | --- | --- | --- |\n"
    )
    rows = [
        f"| `{reason}` | {EXPLAINED[reason].meaning} | {EXPLAINED[reason].action} | "
        f"{'yes' if EXPLAINED[reason].stalls else ''} |"
        for reason in Reason
    ]
    return head + "\n".join(rows) + "\n"


def render_all() -> dict[str, str]:
    """Path below the repository's root -> text of every generated file."""
    files = {"docs/reasons.md": _reasons()}
    for kind in KINDS:
        files[f"crds/{kind.plural}.yaml"] = _crd_text(kind)
        files[f"helm/fairlead/files/crds/{kind.plural}.yaml"] = _crd_text(kind)
        files[f"docs/reference/{kind.name.lower()}.md"] = _reference(kind)
    return files


def main() -> int:
    """Writes or checks the files below the current folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is out of date")
    check = parser.parse_args().check
    stale = 0
    for name, text in render_all().items():
        path = Path(name)
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        if check:
            print(f"{name} is out of date: run `make generate`", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
