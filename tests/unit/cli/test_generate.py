"""The generated files."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fairlead.cli import generate

REPOSITORY = Path(__file__).parents[3]


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fairlead.cli.generate", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY / "operator")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_checked_in_files_are_current() -> None:
    stale = [name for name, text in generate.render_all().items() if (REPOSITORY / name).read_text() != text]
    assert stale == [], "run `make generate`"


def test_check_names_each_file_that_is_out_of_date_and_writes_none(tmp_path: Path) -> None:
    done = _run(tmp_path, "--check")
    assert done.returncode == 1
    assert "crds/modeldeployments.yaml is out of date: run `make generate`" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_finds_nothing_to_do(tmp_path: Path) -> None:
    assert _run(tmp_path).returncode == 0
    assert _run(tmp_path, "--check").returncode == 0
    assert _run(tmp_path).stdout == ""


@pytest.mark.parametrize("plural", ["modeldeployments", "trainingjobs"])
def test_the_chart_ships_the_same_crd(plural: str) -> None:
    files = generate.render_all()
    assert files[f"crds/{plural}.yaml"] == files[f"helm/fairlead/files/crds/{plural}.yaml"]
    assert yaml.safe_load(files[f"crds/{plural}.yaml"])["metadata"]["name"] == f"{plural}.fairlead.dev"


def test_the_reference_has_a_row_for_fields_inside_lists() -> None:
    page = generate.render_all()["docs/reference/modeldeployment.md"]
    assert "| `container.env[].valueFrom.secretKeyRef.key` | string | required |" in page
    assert "| `rollout.progressDeadline` | string | `30m` |" in page


def test_every_table_row_of_the_generated_pages_has_as_many_cells_as_its_head() -> None:
    for name, text in generate.render_all().items():
        if name.endswith(".md"):
            rows = [line for line in text.splitlines() if line.startswith("|")]
            widths = {line.replace("\\|", "").count("|") for line in rows}
            assert len(widths) == 1, name
