"""What decides whether an image is built again."""

from pathlib import Path

import pytest
from tests.cluster.context import content_key, context_files


@pytest.fixture
def context(tmp_path: Path) -> Path:
    for name in ("Dockerfile", "app/main.py", "app/notes.md", "app/__pycache__/main.pyc", "docs/a.txt", ".git/HEAD"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def names(context: Path) -> list[str]:
    return [path.relative_to(context).as_posix() for path in context_files(context / "Dockerfile", context)]


def key(context: Path, **changes: str) -> str:
    return content_key(context / "Dockerfile", context, {"A": changes.get("a", "1")}, changes.get("base", "id"))


def test_without_an_ignore_file_all_but_git_counts(context: Path) -> None:
    assert names(context) == [
        "Dockerfile", "app/main.py", "app/notes.md", "app/__pycache__/main.pyc", "docs/a.txt",
    ]  # fmt: skip


def test_an_allow_list_leaves_the_rest_out(context: Path) -> None:
    (context / ".dockerignore").write_text("# only the program\n*\n!app\n**/__pycache__\n**/*.md\n")
    assert names(context) == ["app/main.py"]


def test_a_folder_that_is_ignored_takes_its_files_with_it(context: Path) -> None:
    (context / ".dockerignore").write_text("app/\n.dockerignore\n")
    assert names(context) == ["Dockerfile", "docs/a.txt"]


def test_the_ignore_file_of_the_dockerfile_comes_first(context: Path) -> None:
    (context / ".dockerignore").write_text("*\n")
    (context / "Dockerfile.dockerignore").write_text("*\n!docs/?.txt\n")
    assert names(context) == ["docs/a.txt"]


@pytest.mark.parametrize("changed", ["app/main.py", "Dockerfile"])
def test_a_changed_file_changes_the_key(context: Path, changed: str) -> None:
    before = key(context)
    (context / changed).write_text("other")
    assert key(context) != before


def test_a_renamed_file_changes_the_key(context: Path) -> None:
    before = key(context)
    (context / "docs/a.txt").rename(context / "docs/b.txt")
    assert key(context) != before


def test_a_file_made_executable_changes_the_key(context: Path) -> None:
    before = key(context)
    (context / "app/main.py").chmod(0o755)
    assert key(context) != before


def test_build_arguments_and_the_base_image_change_the_key(context: Path) -> None:
    assert len({key(context), key(context, a="2"), key(context, base="other")}) == 3


def test_an_ignored_file_leaves_the_key_alone(context: Path) -> None:
    (context / ".dockerignore").write_text("docs\n")
    before = key(context)
    (context / "docs/a.txt").write_text("other")
    assert key(context) == before
