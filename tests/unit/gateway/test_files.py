from pathlib import Path

from fairlead_gateway.files import SharedFolder, read_file, write_file


def test_a_file_is_replaced_in_one_step_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "routes" / "churn" / "rds.json"
    write_file(path, "one")
    inode = path.stat().st_ino
    write_file(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_ino != inode
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_not_there_has_no_text(tmp_path: Path) -> None:
    assert read_file(tmp_path / "none") is None
    (tmp_path / "some").write_text("x")
    assert read_file(tmp_path / "some") == "x"


def test_the_shared_folder_knows_its_files_by_their_path(tmp_path: Path) -> None:
    folder = SharedFolder(tmp_path)
    assert folder.names("endpoints") == []
    folder.write("endpoints/b.json", "B")
    folder.write("endpoints/a|x.json", "A")
    (tmp_path / "endpoints" / ".c.json.partial").write_text("half")
    assert folder.names("endpoints") == ["endpoints/a|x.json", "endpoints/b.json"]
    assert (folder.read("endpoints/b.json"), folder.read("none")) == ("B", None)
    folder.remove("endpoints/b.json")
    folder.remove("endpoints/b.json")
    assert folder.names("endpoints") == ["endpoints/a|x.json"]
