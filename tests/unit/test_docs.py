"""The documents say nothing that is not so: links, targets, files, fields."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.api.crd import KINDS, Kind, schema_of
from fairlead.api.reasons import Reason
from fairlead_gateway.claims import Accepted, Claim, Rejection, RejectionReason
from fairlead_gateway.counters import read_counters
from fairlead_gateway.evidence import standing_series
from fairlead_gateway.gateway import Standing
from fairlead_gateway.render import Deployment
from fairlead_gateway.traffic import parse_traffic

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
README = (REPOSITORY / "README.md").read_text()
TOUR_LINES = 850
_FENCE = re.compile(r"```.*?```", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links(page: Path) -> list[str]:
    """Targets of all links outside code blocks."""
    return _LINK.findall(_FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """GitHub's names of the headings."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in _HEADING.findall(_FENCE.sub("", page.read_text()))
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(REPOSITORY), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, left = set(), [REPOSITORY / "README.md"]
    while left:
        page = left.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        paths = (link.partition("#")[0] for link in links(page) if "://" not in link)
        targets = [(page.parent / path).resolve() for path in paths if path]
        left += [inner for target in targets for inner in (target.glob("*.md") if target.is_dir() else [target])]
    # Measurements are records, not pages to read one after the other.
    assert {page for page in PAGES if "measurements" not in page.parts} <= reached


def test_the_tour_is_five_files_that_are_there_and_no_longer_than_promised() -> None:
    tour = re.findall(r"^\d\. \[[^\]]+\]\((\S+?)\)", README, re.MULTILINE)
    assert len(tour) == 5
    assert sum(len((REPOSITORY / path).read_text().splitlines()) for path in tour) <= TOUR_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    text = page.read_text()
    named = set(re.findall(r"`make ([a-z0-9-]+)`", text)) | set(re.findall(r"^make ([a-z0-9-]+)", text, re.MULTILINE))
    assert named <= targets


def test_every_make_target_is_listed_by_make_help() -> None:
    rules = re.findall(r"^([a-z][a-z0-9-]*):(.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert rules
    assert [name for name, rest in rules if "##" not in rest] == []


def paths_of(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Every field of a schema, list items as `[]`."""
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        inner = child.get("items", child) if child.get("type") == "array" else child
        below = list(paths_of(inner, here + ("[]" if child.get("type") == "array" else "")))
        yield from below or [here]


def paths_in(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The same, of the fields that an object has."""
    if "properties" not in schema:
        if schema.get("type") == "array" and "properties" in schema["items"]:
            for item in value:
                yield from paths_in(item, schema["items"], f"{path}[]")
            return
        yield path
        return
    if not value:
        yield path
    for name, child in value.items():
        yield from paths_in(child, schema["properties"][name], f"{path}.{name}" if path else name)


# A model has an alias or a version, and each of the two affinities can be required or preferred in the same form.
ELSEWHERE = re.compile(
    r"^model\.version$"
    r"|^affinity\.podAffinity\.required"
    r"|^affinity\.podAntiAffinity\.preferred"
    r"|\.preference\.matchFields"
    r"|AntiAffinity\..*\.matchExpressions"
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_full_example_has_every_field_once(kind: Kind) -> None:
    example = yaml.safe_load((REPOSITORY / f"examples/{kind.name.lower()}-full.yaml").read_text())
    schema = schema_of(kind.spec)
    missing = set(paths_of(schema)) - set(paths_in(example["spec"], schema))
    assert {path for path in missing if not ELSEWHERE.search(path)} == set()


@pytest.mark.parametrize("example", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_names_no_namespace_and_says_what_it_is_for(example: Path) -> None:
    text = example.read_text()
    assert text.startswith("# ")
    assert "namespace" not in yaml.safe_load(text)["metadata"]


def test_every_yaml_of_the_readme_fits_the_models() -> None:
    kinds = {kind.name: kind for kind in KINDS}
    blocks = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    bodies = [body for block in blocks for body in yaml.safe_load_all(block)]
    assert {body["kind"] for body in bodies} == set(kinds)
    for body in bodies:
        spec = kinds[body["kind"]].spec.model_validate(body["spec"])
        assert set(body["spec"]) <= set(spec.wire())


def test_reasons_that_a_page_names_exist() -> None:
    named = re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", (REPOSITORY / "docs/security.md").read_text())
    assert named
    assert set(named) <= {str(reason) for reason in Reason}


def test_metrics_that_the_gateway_page_names_are_those_of_a_gateway() -> None:
    arms = [
        {"revision": "old", "role": "stable", "weight": 90},
        {"revision": "new", "role": "canary", "weight": 10, "failover": "old"},
    ]
    status = {"schema": 1, "epoch": 1, "generation": 1, "port": 10000, "arms": arms, "latencyLimit": "1s"}
    traffic = parse_traffic({"status": {"traffic": status}})
    claim = Claim("churn", "u", "", {})
    accepted, rejection = Accepted(claim, traffic), Rejection("u", 2, RejectionReason.INVALID, "no")
    standing = Standing({"churn": accepted}, (), {"churn": rejection}, {"churn": 1}, True)
    series = [
        *read_counters({"stats": []}, [Deployment("churn", traffic, {})]),
        *standing_series(standing, messages=False),
    ]
    clock = {"fairlead_gateway_time_seconds", "fairlead_gateway_start_time_seconds"}
    named = set(re.findall(r"`(fairlead_gateway_[a-z_]+)", (REPOSITORY / "docs/gateway.md").read_text()))
    assert named == {item.name for item in series} | clock


def test_reasons_of_the_gateway_s_own_answers_are_all_on_its_page() -> None:
    page = (REPOSITORY / "docs/gateway.md").read_text()
    _, _, table = page.partition("The gateway's own answers")
    told = {name for row in re.findall(r"^\| 50[34] \| (.+?) \|", table, re.MULTILINE) for name in row.split(", ")}
    source = (REPOSITORY / "serving/fairlead_gateway/envoy/listeners.py").read_text()
    own = set(re.findall(r', 50[34], "(\w+)"', source))
    assert own
    assert told == {f"`{reason}`" for reason in own | {"NoRevision"}}


def test_metrics_that_the_architecture_page_names_are_exposed() -> None:
    modules = [REPOSITORY / "operator/fairlead/shell" / name for name in ("telemetry.py", "rollout_series.py")]
    source = "".join(module.read_text() for module in modules)
    named = set(re.findall(r"`(fairlead_[a-z_]+)", (REPOSITORY / "docs/architecture.md").read_text()))
    assert named == set(re.findall(r'"(fairlead_[a-z_]+)"', source))
