"""The settings: environment variables, read once."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from fairlead_serving.errors import SettingsError

_Number = TypeVar("_Number", int, float)

UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """How MLflow is asked: its address, the Authorization header (empty: none), and for how long."""

    url: str
    authorization: str = field(repr=False)
    deadline_seconds: float


@dataclass(frozen=True, slots=True)
class Settings:
    """What to serve, where it comes from, and the bounds that hold."""

    model_name: str
    model_version: str
    model_digest: str
    served_name: str
    access: RegistryAccess
    model_dir: Path
    port: int
    drain_delay_seconds: float
    request_deadline_seconds: float
    max_waiting_requests: int
    max_body_bytes: int
    max_model_bytes: int
    allow_pickle: bool
    termination_log: Path


@dataclass(frozen=True, slots=True)
class ManifestSettings:
    """Which logged model's files to hash, and the run that keeps the manifest."""

    model_id: str
    run_id: str
    access: RegistryAccess


def parse_settings(env: Mapping[str, str]) -> Settings:
    """Read the settings. Raises SettingsError with the variable's name for a value that does not fit."""
    model_name = env.get("MODEL_NAME", "")
    return Settings(
        model_name=model_name,
        model_version=env.get("MODEL_VERSION", ""),
        model_digest=_parse_digest(env.get("MODEL_DIGEST", "")),
        served_name=env.get("SERVED_MODEL_NAME") or model_name or "model",
        access=_parse_access(env),
        model_dir=Path(env.get("MODEL_DIR") or "/tmp/model"),  # noqa: S108 -- an emptyDir of the pod's own
        port=_parse_number(env, "PORT", 8080, at_least=0, at_most=65535),
        drain_delay_seconds=_parse_number(env, "DRAIN_DELAY_SECONDS", 5.0, at_least=0, at_most=3600),
        request_deadline_seconds=_parse_number(env, "REQUEST_DEADLINE_SECONDS", 20.0, at_least=0.01, at_most=3600),
        max_waiting_requests=_parse_number(env, "MAX_WAITING_REQUESTS", 256, at_least=1, at_most=100_000),
        max_body_bytes=_parse_number(env, "MAX_BODY_BYTES", 10 * 2**20, at_least=1, at_most=2**31),
        max_model_bytes=_parse_number(env, "MAX_MODEL_BYTES", 10 * 2**30, at_least=1, at_most=2**50),
        allow_pickle=_parse_bool(env, "ALLOW_PICKLE"),
        termination_log=termination_log(env),
    )


def parse_manifest_settings(env: Mapping[str, str]) -> ManifestSettings:
    """Read the settings of the manifest command. Raises SettingsError."""
    if not env.get("MLFLOW_TRACKING_URI"):
        raise SettingsError("MLFLOW_TRACKING_URI", "an http or https address of an MLflow server", "")
    return ManifestSettings(
        model_id=_parse_id(env, "MODEL_ID"), run_id=_parse_id(env, "RUN_ID"), access=_parse_access(env)
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


def _parse_id(env: Mapping[str, str], name: str) -> str:
    text = env.get(name, "")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", text):
        raise SettingsError(name, "an id of MLflow", text)
    return text


def _parse_digest(text: str) -> str:
    if text in ("", UNVERIFIED):
        return UNVERIFIED
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        raise SettingsError("MODEL_DIGEST", f"sha256: and 64 hexadecimal digits, or {UNVERIFIED!r}", text)
    return text


def _parse_access(env: Mapping[str, str]) -> RegistryAccess:
    url = env.get("MLFLOW_TRACKING_URI", "")
    if url and not url.startswith(("http://", "https://")):
        raise SettingsError("MLFLOW_TRACKING_URI", "an http or https address of an MLflow server", url)
    return RegistryAccess(
        url=url.rstrip("/"),
        authorization=_parse_authorization(env),
        deadline_seconds=_parse_number(env, "LOAD_DEADLINE_SECONDS", 600.0, at_least=1, at_most=86400),
    )


def _parse_authorization(env: Mapping[str, str]) -> str:
    """Username and password before the token, as MLflow's own clients choose. The values are never shown."""
    username, password = env.get("MLFLOW_TRACKING_USERNAME", ""), env.get("MLFLOW_TRACKING_PASSWORD", "")
    if username and password:
        return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"
    token = env.get("MLFLOW_TRACKING_TOKEN", "")
    if not token:
        return ""
    if not re.fullmatch(r"[!-~]+", token):
        raise SettingsError(
            "MLFLOW_TRACKING_TOKEN", "printable characters without spaces or line ends", "something else"
        )
    return f"Bearer {token}"
