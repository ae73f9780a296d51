"""Argo CD's health checks as Argo CD runs them: the script of the resource's kind, in Lua 5.1, with few libraries."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lupa.lua51 import LuaRuntime

CONFIG = Path(__file__).resolve().parents[1] / "examples/argocd/argocd-cm.yaml"
KEY = "resource.customizations.health."
CLOSED = ("string", "math", "io", "os", "debug", "coroutine", "python")
"""Libraries that Argo CD does not open: it has base, table, package and a piece of os."""
WORDS = {"Healthy", "Progressing", "Degraded", "Suspended"}


@dataclass(frozen=True)
class Health:
    """What Argo CD shows."""

    status: str
    message: str


def scripts() -> dict[str, str]:
    """Kind -> script, as `data` of argocd-cm has them."""
    data = yaml.safe_load(CONFIG.read_text())["data"]
    found = {}
    for key, script in data.items():
        group, _, kind = key.removeprefix(KEY).rpartition("_")
        assert group == "fairlead.dev", key
        found[kind] = script
    return found


def health_of(body: Mapping[str, Any]) -> Health:
    """The health of a resource as the API server shows it; AssertionError when Argo CD would not take the answer."""
    lua = LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    scope = lua.globals()
    for name in CLOSED:
        scope[name] = None
    lua.execute("getmetatable('').__index = nil")
    scope["obj"] = _table(lua, body)
    answer = lua.execute(scripts()[body["kind"]])
    told = dict(answer)
    assert set(told) == {"status", "message"}, told
    assert told["status"] in WORDS, told
    assert isinstance(told["message"], str), told
    return Health(told["status"], told["message"])


def _table(lua: LuaRuntime, value: Any) -> Any:
    """The value as Argo CD hands it over: numbers are floats, lists count from 1, null is nil."""
    if isinstance(value, Mapping):
        return lua.table_from({key: _table(lua, item) for key, item in value.items() if item is not None})
    if isinstance(value, list | tuple):
        return lua.table_from([_table(lua, item) for item in value])
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
