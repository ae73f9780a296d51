"""Reading what MLflow answers: nothing of it is trusted to be there, to be brief, or to be MLflow's at all.

Source: MLflow REST API reference, and what a 3.17 server answered. Empty lists and strings are left out of its answers.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import httpx

from fairlead.api.reasons import Reason
from fairlead.errors import RegistryError

BODY_LIMIT_BYTES = 4 * 1024 * 1024
_TEXT_LIMIT = 300
_NOT_FOUND = "RESOURCE_DOES_NOT_EXIST"
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """A run."""

    run_id: str
    experiment_id: str
    url: str
    status: str
    attempt: int = 1
    gate: str = ""
    git_commit: str = ""


@dataclass(frozen=True, slots=True)
class MlflowVersion:
    """A registered version."""

    number: str
    digest: str


@dataclass(frozen=True, slots=True)
class MlflowAlias:
    """An alias; empty strings for what is not there."""

    version: str = ""
    writer: str = ""
    trained: bool = False


class Missing(RegistryError):
    """MLflow knows no such thing. Who asks says what was missing; elsewhere it has vanished meanwhile: retried."""

    def __init__(self, path: str) -> None:
        super().__init__(Reason.REGISTRY_UNAVAILABLE, f"MLflow no longer knows what {path} is about")


async def read_body(response: httpx.Response) -> bytes:
    """The body, up to a limit; RegistryError beyond it."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > BODY_LIMIT_BYTES:
            text = f"MLflow answered with more than {BODY_LIMIT_BYTES} bytes"
            raise RegistryError(Reason.REGISTRY_UNAVAILABLE, text)
    return bytes(body)


def parse_answer(code: int, body: bytes, path: str, host: str) -> dict[str, Any]:
    """The JSON object of a 200; Missing for what does not exist; RegistryError for everything else."""
    try:
        found = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        found = None  # a proxy's page, for example
    if code == 200 and isinstance(found, dict):
        return found
    kind = str(found.get("error_code", "")) if isinstance(found, dict) else ""
    if kind == _NOT_FOUND or (code == 404 and kind):
        raise Missing(path)
    said = str(found.get("message", "")) if isinstance(found, dict) else ""
    text = f"MLflow answered {code} to {path}: {_brief(said or kind) or _page(body)}"
    if code == 403 and not kind:
        raise RegistryError(Reason.REGISTRY_FORBIDDEN, f"{text}; does its --allowed-hosts cover {host}?")
    if code in (401, 403):
        hint = "are the files of registry.credentialsDir right, and may their user do this?"
        raise RegistryError(Reason.REGISTRY_FORBIDDEN, f"{text}; {hint}")
    raise RegistryError(Reason.REGISTRY_UNAVAILABLE, text)


def _brief(text: str) -> str:
    """On one line, without control characters, and not long."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_TEXT_LIMIT]


def _page(body: bytes) -> str:
    """What a body that is not MLflow's says: of a page its title is enough."""
    text = body[: 4 * _TEXT_LIMIT].decode(errors="replace")
    if title := _TITLE.search(text):
        return f"a page with the title {_brief(title[1])!r}, perhaps a proxy's"
    return _brief(text) or "nothing"


def _unexpected(path: str, field: str, expected: str, got: object) -> RegistryError:
    text = f"MLflow answered {path} in a form that is not known: {field}: expected {expected}, got {got!r:.60}"
    return RegistryError(Reason.REGISTRY_UNAVAILABLE, text)


def field_of(found: Any, path: str, *keys: str) -> Any:
    """What stands at `keys`; RegistryError, with the path of the call, when nothing does."""
    for depth, key in enumerate(keys, start=1):
        if not isinstance(found, dict) or key not in found:
            raise _unexpected(path, ".".join(keys[:depth]), "a value", found)
        found = found[key]
    return found


def text_of(found: Any, path: str, *keys: str) -> str:
    """An id, a word or a number as text."""
    value = field_of(found, path, *keys)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise _unexpected(path, ".".join(keys), "a word or a number", value)
    return str(value)


def number_of(found: Any, path: str, *keys: str) -> float:
    """A number; MLflow writes NaN and infinities as words."""
    value = field_of(found, path, *keys)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise _unexpected(path, ".".join(keys), "a number", value) from error


def version_of(found: Any, path: str) -> str:
    """The number of a version."""
    number = text_of(found, path, "version")
    if not _VERSION.fullmatch(number):
        raise _unexpected(path, "version", "a whole number", number)
    return number


def items_of(found: Any, path: str, key: str) -> list[dict[str, Any]]:
    """A list of objects; empty when it is left out."""
    value = found.get(key, []) if isinstance(found, dict) else None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _unexpected(path, key, "a list of objects", value)
    return value


def tags_of(found: Any, path: str) -> dict[str, str]:
    """Tags by key."""
    return {text_of(item, path, "key"): str(item.get("value", "")) for item in items_of(found, path, "tags")}


def aliases_of(found: Any, path: str) -> dict[str, str]:
    """Of a registered model: the version that each alias points at."""
    model = field_of(found, path, "registered_model")
    return {text_of(item, path, "alias"): version_of(item, path) for item in items_of(model, path, "aliases")}


def quoted(text: str) -> str:
    """A string literal of MLflow's filter language, which has no escape character; ValueError when it cannot be one."""
    for mark in ("'", '"'):
        if mark not in text and "\\" not in text:
            return f"{mark}{text}{mark}"
    raise ValueError(f"expected a text without both kinds of quotes and without a backslash, got {text!r}")
