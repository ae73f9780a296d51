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


class Resources(_Section):
    """Requests and limits of a container, as Kubernetes spells them."""

    requests: dict[str, str | int | float] = Field(default_factory=dict)
    limits: dict[str, str | int | float] = Field(default_factory=dict)

    def rendered(self) -> dict[str, dict[str, str]]:
        """As a container has them."""
        given = {"requests": self.requests, "limits": self.limits}
        return {part: {name: str(value) for name, value in given[part].items()} for part in given if given[part]}


class GatewaySettings(_Section):
    """The gateway that each namespace with ModelDeployments gets."""

    image: str = "localhost/fairlead-gateway:dev"
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    replicas: Annotated[int, Field(ge=1, le=100)] = 2
    resources: Resources = Resources(requests={"cpu": "100m", "memory": "64Mi"}, limits={"cpu": "2", "memory": "512Mi"})
    """Of Envoy; the limit on its CPU, rounded up, is the number of its threads."""
    cluster_role: str = "fairlead-gateway"
    """What the gateways may read. The operator binds it, unless it watches some namespaces only."""
    priority_class_name: str = ""


class QuerySettings(_Section):
    """What Prometheus is asked, in PromQL. `{namespace}` stands for the namespace that is asked about."""

    gateway_evidence: Annotated[str, Field(pattern=r"\{namespace\}")] = (
        '{__name__=~"fairlead_gateway_.+",namespace="{namespace}"}'
    )
    """Every series of the namespace's gateways, as they were scraped."""


class PrometheusSettings(_Section):
    """Where metrics are asked for."""

    url: str = ""
    """What comes before `/api/v1`; empty: none."""
    credentials_dir: str = ""
    """Folder with the files `username` and `password`, or `token`; empty: Prometheus is called without credentials."""
    tls_dir: str = ""
    """Folder with the files `ca.crt`, `tls.crt` and `tls.key`, of which the last two belong together; empty: the public
    authorities are trusted, and no certificate is shown."""
    queries: QuerySettings = QuerySettings()
    pod_label: Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")] = "pod"
    """The label by which Prometheus tells the pods of a namespace apart."""
    stale_seconds: Annotated[float, Field(ge=15, le=600)] = 75
    """For how long it may have nothing new of a gateway: a bit more than two scrapes."""


class MaxConcurrent(_Section):
    """How many rollouts may be on at a time; absent: any number."""

    cluster: Annotated[int, Field(ge=1)] | None = None
    namespace: Annotated[int, Field(ge=1)] | None = None


class RolloutSettings(_Section):
    """Brakes for an administrator, against storms."""

    frozen: bool = False
    """No rollout begins, and none moves. Gateways go on shielding users by themselves."""
    max_concurrent: MaxConcurrent = MaxConcurrent()


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
    gateway: GatewaySettings = GatewaySettings()
    prometheus: PrometheusSettings = PrometheusSettings()
    rollouts: RolloutSettings = RolloutSettings()
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
