"""The operator's settings: one YAML file, written by the Helm chart, checked when the process starts."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel


class _Section(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class RegistryRule(_Section):
    """Registered models (glob patterns) that namespaces (glob patterns) may read, register and alias."""

    namespaces: Annotated[tuple[str, ...], Field(min_length=1)]
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    """`{namespace}` stands for the namespace that asks."""


class RegistrySettings(_Section):
    """Where MLflow is, and who may use what in it."""

    url: str = ""
    """Tracking URI as the operator reaches it; empty: no registry, and every use of it says so."""
    pod_url: str = ""
    """Tracking URI as trainer and serving pods reach it; empty: the same."""
    credentials_dir: str = ""
    """Folder with the files `username` and `password`, or `token`; empty: MLflow is called without credentials."""
    pod_secret_name: str = ""
    """Secret, in the namespace of each pod, whose keys are MLflow's own variables; empty: none."""
    poll_seconds: Annotated[float, Field(ge=1, le=3600)] = 15
    """How often each registered model that is served is asked for."""
    allow: tuple[RegistryRule, ...] = ()
    """Empty: every model where one namespace is watched, else those whose name begins with `<namespace>-`."""


class ServingSettings(_Section):
    """The built-in model server."""

    image: str = "localhost/fairlead-serving:dev"
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    allow_pickle: bool = False
    """Whether it loads models that were saved with pickle: loading one runs the code in it."""


class PrometheusSettings(_Section):
    """Where metrics are asked for."""

    url: str = ""
    """What comes before `/api/v1`; empty: none."""
    credentials_dir: str = ""
    """Folder with the files `username` and `password`, or `token`; empty: Prometheus is called without credentials."""


class AllowedSettings(_Section):
    """Glob patterns of what custom resources may name."""

    images: tuple[str, ...] = ("*",)
    secrets: tuple[str, ...] = ("*",)
    service_accounts: tuple[str, ...] = ("*",)


class PodSecuritySettings(_Section):
    """Pods fit Pod Security `restricted`, but for these namespaces (glob patterns), where root images are let in."""

    baseline_namespaces: tuple[str, ...] = ()


class LeaseSettings(_Section):
    """Leader election, in seconds. A crashed leader is followed after `durationSeconds`."""

    name: str = "fairlead"
    duration_seconds: Annotated[float, Field(gt=0)] = 15
    renew_seconds: Annotated[float, Field(gt=0)] = 5
    retry_seconds: Annotated[float, Field(gt=0)] = 2


class Settings(_Section):
    """All settings, with their defaults."""

    watch_namespaces: tuple[str, ...] = ()
    """Empty: all namespaces."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    registry: RegistrySettings = RegistrySettings()
    serving: ServingSettings = ServingSettings()
    prometheus: PrometheusSettings = PrometheusSettings()
    allowed: AllowedSettings = AllowedSettings()
    pod_security: PodSecuritySettings = PodSecuritySettings()
    retirement_grace_seconds: Annotated[float, Field(ge=0)] = 30
    """How long the pods of a replaced revision go on, so that open connections can end."""
    resync_seconds: Annotated[float, Field(ge=10)] = 300
    """Between two LISTs, the safety net under the watches."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    """Custom resources that are worked on at a time."""
    lease: LeaseSettings = LeaseSettings()

    def registry_rules(self) -> tuple[RegistryRule, ...]:
        """The rules of registry.allow, or those that hold without any."""
        if self.registry.allow:
            return self.registry.allow
        models = "*" if len(self.watch_namespaces) == 1 else "{namespace}-*"
        return (RegistryRule(namespaces=("*",), models=(models,)),)


class InvalidSettings(ValueError):
    """The settings file is wrong. The message names file, field, what was expected and what came."""


def parse_settings(text: str, source: str) -> Settings:
    """Settings from YAML text; InvalidSettings names the field."""
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidSettings(f"{source}: not YAML: {error}") from error
    try:
        return Settings.model_validate(loaded or {})
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}, got {item['input']!r}" for item in error.errors()]
        raise InvalidSettings(f"{source}: " + "; ".join(lines)) from error


def read_settings(path: Path | None) -> Settings:
    """Settings from a file; the defaults when there is none."""
    return parse_settings(path.read_text(), str(path)) if path else Settings()
