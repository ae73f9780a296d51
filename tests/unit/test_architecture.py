"""The shape of the code: who may import whom, how long a module may be, and that the checks themselves bite."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("operator/fairlead", "serving/fairlead_serving", "serving/fairlead_gateway")
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 50

SOURCES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
HARNESS = sorted(
    path for folder in ("bench", "cluster", "load", "demo") for path in (REPOSITORY / "tests" / folder).rglob("*.py")
)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Checks the contracts of pyproject.toml on the packages in `folder`."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder / 'operator'}:{folder / 'serving'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_import_goes_the_way_that_the_contracts_allow() -> None:
    done = lint_imports(REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("operator/fairlead/api/model.py", "import fairlead.ports", "layers"),
        ("operator/fairlead/ports.py", "import fairlead.adapters.kubernetes", "layers"),
        ("operator/fairlead/adapters/clock.py", "import fairlead.shell.loop", "layers"),
        ("operator/fairlead/core/serving/decide.py", "import fairlead.ports", "core and render stand on api alone"),
        ("operator/fairlead/render/pods.py", "import fairlead.settings", "core and render stand on api alone"),
        ("operator/fairlead/core/training/decide.py", "import time", "core and render do no input or output"),
        ("operator/fairlead/core/compare.py", "import random", "core and render do no input or output"),
        ("operator/fairlead/render/serving.py", "import httpx", "core and render do no input or output"),
        ("operator/fairlead/api/crd.py", "from pathlib import Path", "core and render do no input or output"),
        ("operator/fairlead/adapters/kubernetes.py", "import kopf", "only the handlers"),
        (
            "operator/fairlead/__init__.py",
            "import fairlead_serving",
            "operator, model server and gateway share nothing",
        ),
    ],
)
def test_a_forbidden_import_breaks_its_contract(tmp_path: Path, module: str, statement: str, contract: str) -> None:
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    changed = tmp_path / module
    changed.write_text(f"{changed.read_text()}\n{statement}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), broken


def test_the_folder_operator_does_not_hide_the_standard_library_s_module() -> None:
    assert not (REPOSITORY / "operator" / "__init__.py").exists()
    code = "import operator; print(operator.__file__, operator.add(1, 2))"
    environment = {**os.environ, "PYTHONPATH": "operator:serving:."}
    said = subprocess.check_output([sys.executable, "-c", code], cwd=REPOSITORY, env=environment, text=True)
    file, total = said.split()
    assert not Path(file).is_relative_to(REPOSITORY)
    assert total == "3"


def imported(path: Path) -> set[str]:
    """Top-level names of all that a module imports, wherever in the module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_only_the_handlers_and_the_composition_root_import_kopf() -> None:
    users = {str(path.relative_to(REPOSITORY)) for path in SOURCES if "kopf" in imported(path)}
    assert users == {"operator/fairlead/__main__.py", "operator/fairlead/shell/handlers.py"}


def test_the_model_server_needs_neither_kubernetes_nor_mlflow() -> None:
    for path in SOURCES:
        if "fairlead_serving" in path.parts:
            assert not imported(path) & {"kubernetes", "kopf", "mlflow", "fairlead"}, path


def long_parts(path: Path) -> list[str]:
    """The module when it is too long, and its functions that are."""
    text = path.read_text()
    found = [f"{path}: {len(text.splitlines())} lines"] if len(text.splitlines()) > MAX_MODULE_LINES else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            found += [f"{path}: {node.name} has {lines} lines"] if lines > MAX_FUNCTION_LINES else []
    return found


def test_modules_and_functions_fit_on_the_page() -> None:
    assert [part for path in (*SOURCES, *HARNESS) for part in long_parts(path)] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "helpers", "common", "manager", "base", "misc"}
    inside = [path.relative_to(REPOSITORY).with_suffix("") for path in (*SOURCES, *HARNESS)]
    assert [str(path) for path in inside if empty & set(path.parts)] == []


def broad_excepts(path: Path) -> list[int]:
    """Lines that catch everything."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else {""}
            if caught & {"", "Exception", "BaseException"}:
                found.append(node.lineno)
    return found


def test_only_the_loop_and_the_call_into_a_model_catch_everything() -> None:
    found = {str(path.relative_to(REPOSITORY)): len(lines) for path in SOURCES if (lines := broad_excepts(path))}
    assert found == {"operator/fairlead/shell/loop.py": 1, "serving/fairlead_serving/backend.py": 1}


TIME = {("time", "time"), ("time", "monotonic"), ("time", "sleep"), ("datetime", "now"), ("datetime", "utcnow")}


def test_in_the_operator_only_adapters_ask_for_the_time() -> None:
    asked = [
        f"{path}:{node.lineno}"
        for path in SOURCES
        if not {"adapters", "fairlead_serving", "fairlead_gateway"} & set(path.parts)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if (node.value.id, node.attr) in TIME
    ]
    assert asked == []
