"""The settings: environment variables, read once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
METRICS_PORT = 8081
EVIDENCE_PORT = 8082


class SettingsError(ValueError):
    """A variable that does not fit; the text names it, what was expected and what came."""

    def __init__(self, name: str, expected: str, got: str) -> None:
        super().__init__(f"{name}: expected {expected}, got {got!r}")


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """The API server's address, and the files with our token and with the certificate that signs the server's."""

    url: str
    token_file: Path
    ca_file: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Whose ModelDeployments are served, where Envoy's files lie, and who may read the evidence.

    evidence_subject: `system:serviceaccount:<namespace>:<name>` of the operator; empty: nobody may.
    """

    namespace: str
    directory: Path
    evidence_subject: str
    metrics_port: int
    evidence_port: int
    api: ApiAccess


def parse_settings(env: Mapping[str, str]) -> Settings:
    """Read the settings. Raises SettingsError with the variable's name for a value that does not fit."""
    return Settings(
        namespace=_parse_namespace(env.get("POD_NAMESPACE", "")),
        directory=parse_directory(env),
        evidence_subject=_parse_subject(env.get("EVIDENCE_SUBJECT", "")),
        metrics_port=_parse_port(env, "METRICS_PORT", METRICS_PORT),
        evidence_port=_parse_port(env, "EVIDENCE_PORT", EVIDENCE_PORT),
        api=_parse_access(env),
    )


def parse_directory(env: Mapping[str, str]) -> Path:
    """The folder that Envoy and this process share."""
    directory = Path(env.get("FAIRLEAD_DIR") or "/run/fairlead")
    if not directory.is_absolute():
        raise SettingsError("FAIRLEAD_DIR", "an absolute path", str(directory))
    return directory


def _parse_namespace(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise SettingsError("POD_NAMESPACE", "a namespace", text)
    return text


def _parse_subject(text: str) -> str:
    if text and not re.fullmatch(r"system:serviceaccount:[-a-z0-9]+:[-a-z0-9.]+", text):
        raise SettingsError("EVIDENCE_SUBJECT", "system:serviceaccount:<namespace>:<name>", text)
    return text


def _parse_port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise SettingsError(name, "a port", text)
    return int(text)


def _parse_access(env: Mapping[str, str]) -> ApiAccess:
    url = env.get("KUBE_API_URL", "")
    if not url:
        host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise SettingsError("KUBERNETES_SERVICE_HOST", "the API server's address, as every pod has it", host)
        url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    if not url.startswith("https://"):
        raise SettingsError("KUBE_API_URL", "an https address", url)
    return ApiAccess(
        url=url.rstrip("/"),
        token_file=Path(env.get("KUBE_TOKEN_FILE") or SERVICE_ACCOUNT / "token"),
        ca_file=Path(env.get("KUBE_CA_FILE") or SERVICE_ACCOUNT / "ca.crt"),
    )
