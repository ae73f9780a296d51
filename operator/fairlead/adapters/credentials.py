"""MLflow's credentials from files, as a mounted Secret has them: `username` and `password`, or `token`.

The files are read for each request, so that a rotated Secret counts at once; they are small, and in memory.
"""

import base64
from pathlib import Path

from fairlead.api.reasons import Reason
from fairlead.errors import RegistryError

_SETTING = "registry.credentialsDir"


class FileCredentials:
    """The Authorization header from a folder. As in MLflow's own clients, a password goes before a token."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) if folder else None

    def authorization(self) -> str:
        """`Basic ...`, `Bearer ...`, or empty without a folder; RegistryError when the files are not usable."""
        if self._folder is None:
            return ""
        found = {name: text for name in ("username", "password", "token") if (text := _read(self._folder / name))}
        if "username" in found and "password" in found:
            pair = f"{found['username']}:{found['password']}"
            return "Basic " + base64.b64encode(pair.encode()).decode()
        if "token" not in found:
            raise _unusable(f"expected username and password, or token, in {self._folder}, got {_names(found)}")
        if not (found["token"].isascii() and found["token"].isprintable()):
            raise _unusable(f"expected one line of printable ASCII in {self._folder}/token")
        return f"Bearer {found['token']}"


def _names(found: dict[str, str]) -> str:
    return ", ".join(found) or "none of them"


def _unusable(what: str) -> RegistryError:
    """The message never quotes what the files hold."""
    return RegistryError(Reason.REGISTRY_NOT_CONFIGURED, f"the setting {_SETTING}: {what}")


def _read(path: Path) -> str:
    """The file's text without white space around it; empty when there is no file."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(f"cannot read {path}: {type(error).__name__}") from error
