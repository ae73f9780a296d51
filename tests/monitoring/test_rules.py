"""The alerts: Prometheus takes them, each fires when it should, and each leads on-call people to a page."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.api.request import Verb
from tests.cluster.binaries import binary
from tests.monitoring.exposed import names_exposed, operator_telemetry, operator_text, rollout

REPOSITORY = Path(__file__).parents[2]
RULES = REPOSITORY / "helm/fairlead/files/rules.yaml"
CASES = Path(__file__).with_name("alerts.yaml")
ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]
NAMES = [alert["alert"] for alert in ALERTS]
SCRAPED = {"namespace", "job", "instance", "pod"}
"""Labels that come with scraping."""
_SELECTOR = re.compile(r"\b(fairlead_\w+)(?:\{(.*?)\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


def promtool(*arguments: str | Path, input: str = "") -> None:
    command = [binary("promtool"), *arguments]
    done = subprocess.run(command, input=input, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def selectors(text: str) -> list[tuple[str, set[str]]]:
    """Name and labels of every series that an expression or a text asks for."""
    return [(name, set(_MATCHER.findall(matchers))) for name, matchers in _SELECTOR.findall(text)]


def test_promtool_finds_nothing_to_say_about_the_rules() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)


def test_promtool_finds_nothing_to_say_about_the_operator_s_metrics() -> None:
    body = rollout(datetime(2026, 5, 4, 12, 0, tzinfo=UTC))
    promtool("check", "metrics", input=operator_text(operator_telemetry(body), body).decode())


def test_every_alert_fires_when_it_should_and_says_so_in_these_words() -> None:
    promtool("test", "rules", CASES)


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(NAMES)
    # One that fires at once has other resources beside the one that it is about, and they stay silent.
    silent = {case["alertname"] for case in cases if not case["exp_alerts"]}
    assert {alert["alert"] for alert in ALERTS if "for" in alert} <= silent


def test_names_are_unique_and_pages_are_those_of_the_alerts() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {page.stem for page in (REPOSITORY / "docs/runbooks").glob("*.md")} == set(NAMES)


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_how_bad_it_is_what_is_wrong_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"] == {"severity": alert["labels"]["severity"]}
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"
    page = (REPOSITORY / alert["annotations"]["runbook_url"]).read_text()
    title, *_ = page.splitlines()
    assert title == f"# {alert['alert']}"
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["What to look at", "What to do"]
    assert "```sh\n" in page, "exact commands"


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_every_series_of_an_alert_is_exposed_with_the_labels_that_it_is_chosen_by(alert: dict[str, Any]) -> None:
    exposed = names_exposed()
    asked = selectors(alert["expr"] + alert["annotations"]["summary"])
    assert asked
    for name, labels in asked:
        assert name in exposed
        assert labels <= exposed[name] | SCRAPED, name
    kept = {label for part in re.findall(r"\bby \((.*?)\)", alert["expr"]) for label in part.split(", ")}
    assert kept - SCRAPED <= set.union(*(exposed[name] for name, _ in asked))


@pytest.mark.parametrize("page", sorted((REPOSITORY / "docs/runbooks").glob("*.md")), ids=lambda page: page.stem)
def test_every_series_that_a_page_names_is_exposed(page: Path) -> None:
    exposed = names_exposed()
    for name, labels in selectors(page.read_text()):
        assert name in exposed
        assert labels <= exposed[name] | SCRAPED | {"modeldeployment"}, name


def test_what_pages_tell_people_to_ask_for_can_be_asked_for() -> None:
    pages = "".join(page.read_text() for page in (REPOSITORY / "docs/runbooks").glob("*.md"))
    asked = set(re.findall(r"kubectl fairlead -n NAMESPACE (\w+) NAME", pages))
    assert asked
    assert asked <= {str(verb) for verb in Verb}
