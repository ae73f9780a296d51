"""The Authorization header from mounted files."""

import base64
from pathlib import Path

import pytest

from fairlead.adapters.credentials import FileCredentials, metrics_credentials, registry_credentials
from fairlead.errors import MetricsError, RegistryError


def files(folder: Path, **texts: str) -> FileCredentials:
    for name, text in texts.items():
        (folder / name).write_text(text)
    return registry_credentials(str(folder))


def failure(credentials: FileCredentials) -> str:
    with pytest.raises(RegistryError) as caught:
        credentials.authorization()
    assert caught.value.reason == "RegistryNotConfigured"
    return str(caught.value)


def test_without_a_folder_nothing_is_sent() -> None:
    assert registry_credentials("").authorization() == ""


def test_a_username_and_a_password_are_basic_authorization(tmp_path: Path) -> None:
    header = files(tmp_path, username="ann\n", password="sé:cret\n").authorization()
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "ann:sé:cret"


def test_a_token_is_a_bearer_and_gives_way_to_a_password(tmp_path: Path) -> None:
    credentials = files(tmp_path, token=" abc\n")
    assert credentials.authorization() == "Bearer abc"
    assert files(tmp_path, username="ann", password="x").authorization().startswith("Basic ")


def test_files_that_change_count_at_once(tmp_path: Path) -> None:
    credentials = files(tmp_path, token="old")
    assert credentials.authorization() == "Bearer old"
    (tmp_path / "token").write_text("new")
    assert credentials.authorization() == "Bearer new"


@pytest.mark.parametrize(
    ("texts", "got"), [({}, "none of them"), ({"username": "ann"}, "username"), ({"password": "s3"}, "password")]
)
def test_files_that_are_missing_are_told_by_name(tmp_path: Path, texts: dict[str, str], got: str) -> None:
    message = failure(files(tmp_path, **texts))
    expected = f"expected username and password, or token, in {tmp_path}, got {got}"
    assert message == f"the setting registry.credentialsDir: {expected}"


@pytest.mark.parametrize("token", ["two\nlines", "na\u00efve"])
def test_a_token_that_is_no_header_is_told_without_quoting_it(tmp_path: Path, token: str) -> None:
    message = failure(files(tmp_path, token=token))
    assert "one line of printable ASCII" in message
    assert token not in message


def test_a_file_that_cannot_be_read_is_told_without_quoting_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    assert failure(registry_credentials(str(tmp_path))).endswith(f"cannot read {tmp_path}/token: UnicodeDecodeError")
    (tmp_path / "token").unlink()
    (tmp_path / "token").mkdir()
    assert failure(registry_credentials(str(tmp_path))).endswith("IsADirectoryError")


def test_prometheus_credentials_are_the_same_files_and_their_faults_are_its_own(tmp_path: Path) -> None:
    credentials = metrics_credentials(str(tmp_path))
    with pytest.raises(MetricsError, match=r"^the setting prometheus\.credentialsDir: expected username and password"):
        credentials.authorization()
    (tmp_path / "token").write_text("abc")
    assert credentials.authorization() == "Bearer abc"
