"""What the chart makes of the alerts and the dashboard is what the files say."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.binaries import binary
from tests.monitoring.dashboard import FILE, read_dashboard

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "helm/fairlead"
RULES = yaml.safe_load((CHART / "files/rules.yaml").read_text())


def rendered(*arguments: str) -> dict[str, dict[str, Any]]:
    """The chart's objects by kind and name."""
    command = [str(binary("helm")), "template", "fairlead", str(CHART), "-n", "fairlead-system", *arguments]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    bodies = (body for body in yaml.safe_load_all(text) if body)
    return {f"{body['kind']}/{body['metadata']['name']}": body for body in bodies}


def test_neither_is_made_unless_it_is_asked_for() -> None:
    assert {"PrometheusRule/fairlead", "ConfigMap/fairlead-dashboard"} & set(rendered()) == set()


def test_the_rules_are_those_of_the_file_and_prometheus_takes_them(tmp_path: Path) -> None:
    arguments = ["--set", "prometheusRule.enabled=true", "--set", "prometheusRule.labels.release=prom"]
    made = rendered(*arguments)["PrometheusRule/fairlead"]
    assert made["spec"] == RULES
    assert made["metadata"]["labels"]["release"] == "prom"
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(made["spec"]))
    command = [binary("promtool"), "check", "rules", "--lint=all", "--lint-fatal", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_address_of_the_repository_is_put_before_each_page() -> None:
    base = "https://git.example.com/fairlead/blob/main/"
    arguments = ["--set", "prometheusRule.enabled=true", "--set", f"prometheusRule.runbookUrl={base}"]
    made = rendered(*arguments)["PrometheusRule/fairlead"]
    rules = [rule for group in made["spec"]["groups"] for rule in group["rules"]]
    assert rules
    assert all(rule["annotations"]["runbook_url"] == f"{base}docs/runbooks/{rule['alert']}.md" for rule in rules)


def test_the_dashboard_is_the_file_under_the_label_that_the_sidecar_looks_for() -> None:
    made = rendered("--set", "dashboard.enabled=true", "--set", "dashboard.label=boards")[
        "ConfigMap/fairlead-dashboard"
    ]
    assert made["metadata"]["labels"]["boards"] == "1"
    assert json.loads(made["data"][FILE.name]) == read_dashboard()
