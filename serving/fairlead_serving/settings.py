"""The server's settings: environment variables, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fairlead_serving.errors import SettingsError

_Number = TypeVar("_Number", int, float)

UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Settings:
    """What to serve, where it comes from, and the bounds that hold."""

    model_name: str
    model_version: str
    model_digest: str
    served_name: str
    tracking_uri: str
    model_dir: Path
    port: int
    load_deadline_seconds: float
    drain_delay_seconds: float
    max_body_bytes: int
    max_model_bytes: int
    allow_pickle: bool
    termination_log: Path


def parse_settings(env: Mapping[str, str]) -> Settings:
    """Read the settings. Raises SettingsError with the variable's name for a value that does not fit."""
    model_name = env.get("MODEL_NAME", "")
    return Settings(
        model_name=model_name,
        model_version=env.get("MODEL_VERSION", ""),
        model_digest=_parse_digest(env.get("MODEL_DIGEST", "")),
        served_name=env.get("SERVED_MODEL_NAME") or model_name or "model",
        tracking_uri=_parse_url("MLFLOW_TRACKING_URI", env.get("MLFLOW_TRACKING_URI", "")),
        model_dir=Path(env.get("MODEL_DIR") or "/tmp/model"),  # noqa: S108 -- an emptyDir of the pod's own
        port=_parse_number(env, "PORT", 8080, at_least=0, at_most=65535),
        load_deadline_seconds=_parse_number(env, "LOAD_DEADLINE_SECONDS", 600.0, at_least=1, at_most=86400),
        drain_delay_seconds=_parse_number(env, "DRAIN_DELAY_SECONDS", 5.0, at_least=0, at_most=3600),
        max_body_bytes=_parse_number(env, "MAX_BODY_BYTES", 10 * 2**20, at_least=1, at_most=2**31),
        max_model_bytes=_parse_number(env, "MAX_MODEL_BYTES", 10 * 2**30, at_least=1, at_most=2**50),
        allow_pickle=_parse_bool(env, "ALLOW_PICKLE"),
        termination_log=termination_log(env),
    )


def termination_log(env: Mapping[str, str]) -> Path:
    """Where the kubelet looks for a container's last words."""
    return Path(env.get("TERMINATION_LOG") or "/dev/termination-log")


def _parse_number(
    env: Mapping[str, str], name: str, default: _Number, *, at_least: _Number, at_most: _Number
) -> _Number:
    text = env.get(name, "")
    if not text:
        return default
    expected = f"a number from {at_least} to {at_most}"
    try:
        value = type(default)(text)
    except ValueError:
        raise SettingsError(name, expected, text) from None
    if not at_least <= value <= at_most:  # also refuses NaN
        raise SettingsError(name, expected, text)
    return value


def _parse_bool(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name) or "false"
    if text not in ("true", "false"):
        raise SettingsError(name, "true or false", text)
    return text == "true"


def _parse_url(name: str, text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise SettingsError(name, "an http or https address of an MLflow server", text)
    return text.rstrip("/")


def _parse_digest(text: str) -> str:
    """Refuse a digest that nobody would check: to carry it would be a promise."""
    if text not in ("", UNVERIFIED):
        raise SettingsError("MODEL_DIGEST", f"{UNVERIFIED!r}: this server does not verify digests", text)
    return UNVERIFIED
