"""Which binary is taken, and when one is built again."""

from pathlib import Path

import pytest
from tests.cluster import binaries
from tests.cluster.progress import ClusterError
from tests.cluster.versions import ALL_BINARIES, Binary


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go modules of our own: `tool` with one command `./hello`; the cache is empty."""
    folder = tmp_path / "go"
    (folder / "tool" / "hello").mkdir(parents=True)
    for name in ("go.mod", "go.sum", "hello/main.go"):
        (folder / "tool" / name).write_text(name)
    monkeypatch.setattr(binaries, "GO_MODULES", folder)
    monkeypatch.setenv("FAIRLEAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FAIRLEAD_BIN_DIR", raising=False)
    return folder


HELLO = Binary("hello", "tool", "./hello")


@pytest.mark.parametrize("changed", ["go.mod", "go.sum", "hello/main.go"])
def test_a_changed_source_changes_the_key(modules: Path, changed: str) -> None:
    before = binaries.content_key(HELLO)
    (modules / "tool" / changed).write_text("other")
    assert binaries.content_key(HELLO) != before


def test_our_own_source_does_not_change_the_key_of_other_packages(modules: Path) -> None:
    other = Binary("other", "tool", "example.com/other")
    before = binaries.content_key(other)
    (modules / "tool" / "hello" / "main.go").write_text("other")
    assert binaries.content_key(other) == before


def test_other_linker_flags_change_the_key(modules: Path) -> None:
    assert binaries.content_key(HELLO) != binaries.content_key(Binary("hello", "tool", "./hello", "-X a=b"))


def test_other_build_tags_change_the_key(modules: Path) -> None:
    tagged = Binary("hello", "tool", "./hello", tags="no_colour")
    assert binaries.content_key(HELLO) != binaries.content_key(tagged)
    assert binaries.content_key(tagged) != binaries.content_key(Binary("hello", "tool", "./hello", tags="colour"))


def test_a_given_folder_comes_before_the_cache(modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = tmp_path / "cache" / "bin" / binaries.content_key(HELLO) / "hello"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert binaries.ensure([HELLO]) == {"hello": cached}
    given = tmp_path / "given" / "hello"
    given.parent.mkdir()
    given.touch()
    monkeypatch.setenv("FAIRLEAD_BIN_DIR", str(given.parent))
    assert binaries.ensure([HELLO]) == {"hello": given}


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ClusterError, match="no binary named kubeadm: expected one of etcd, "):
        binaries.binary("kubeadm")


def test_what_the_apiserver_tier_needs_is_built_first() -> None:
    assert [item.name for item in ALL_BINARIES][:3] == ["etcd", "kube-apiserver", "kubectl"]


def test_what_only_the_example_platform_needs_is_built_last() -> None:
    assert [item.name for item in ALL_BINARIES][-2:] == ["prometheus", "promtool"]
