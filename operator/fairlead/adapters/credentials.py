"""Credentials from files, as a mounted Secret has them: `username` and `password`, or `token`.

The files are read for each request, so that a rotated Secret counts at once; they are small, and in memory.
"""

import base64
from collections.abc import Callable
from pathlib import Path

from fairlead.api.reasons import Reason
from fairlead.errors import FairleadError, MetricsError, RegistryError


class FileCredentials:
    """The Authorization header from a folder. As in MLflow's own clients, a password goes before a token.

    `unusable` makes the error of what is wrong; the text never quotes what the files hold.
    """

    def __init__(self, folder: str, unusable: Callable[[str], FairleadError]) -> None:
        self._folder = Path(folder) if folder else None
        self._unusable = unusable

    def authorization(self) -> str:
        """`Basic ...`, `Bearer ...`, or empty without a folder; the error of `unusable` when the files do not do."""
        if self._folder is None:
            return ""
        names = ("username", "password", "token")
        found = {name: text for name in names if (text := self._read(self._folder / name))}
        if "username" in found and "password" in found:
            pair = f"{found['username']}:{found['password']}"
            return "Basic " + base64.b64encode(pair.encode()).decode()
        if "token" not in found:
            got = ", ".join(found) or "none of them"
            raise self._unusable(f"expected username and password, or token, in {self._folder}, got {got}")
        if not (found["token"].isascii() and found["token"].isprintable()):
            raise self._unusable(f"expected one line of printable ASCII in {self._folder}/token")
        return f"Bearer {found['token']}"

    def _read(self, path: Path) -> str:
        """The file's text without white space around it; empty when there is no file."""
        try:
            return path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise self._unusable(f"cannot read {path}: {type(error).__name__}") from error


def registry_credentials(folder: str) -> FileCredentials:
    """MLflow's: what is wrong with them is a RegistryError."""

    def unusable(what: str) -> RegistryError:
        return RegistryError(Reason.REGISTRY_NOT_CONFIGURED, f"the setting registry.credentialsDir: {what}")

    return FileCredentials(folder, unusable)


def metrics_credentials(folder: str) -> FileCredentials:
    """Prometheus': what is wrong with them is a MetricsError."""
    return FileCredentials(folder, lambda what: MetricsError(f"the setting prometheus.credentialsDir: {what}"))
