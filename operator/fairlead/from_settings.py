"""What the settings, and the pod that the operator runs in, mean to its parts."""

import os
import socket
from collections.abc import Mapping

from fairlead.adapters.credentials import metrics_credentials, registry_credentials
from fairlead.adapters.lease import LeaseTerms
from fairlead.adapters.mlflow import MlflowRegistry
from fairlead.adapters.mlflow_http import Observe
from fairlead.adapters.prometheus import GatewayQuery, PrometheusMetrics
from fairlead.adapters.tls import metrics_tls
from fairlead.core.world import Allowed, ModelRule
from fairlead.ports import Clock, Metrics
from fairlead.render.defaults import GatewayDefaults, RenderDefaults
from fairlead.settings import Settings
from fairlead.shell.rollouts import Limits
from fairlead.shell.second_source import SecondSource
from fairlead.shell.telemetry import Telemetry

Environment = Mapping[str, str]


def render_defaults(settings: Settings) -> RenderDefaults:
    """What every pod of a model or a training gets."""
    return RenderDefaults(
        serving_image=settings.serving.image,
        image_pull_policy=settings.serving.image_pull_policy,
        registry_pod_url=settings.registry.pod_url or settings.registry.url,
        baseline_namespaces=settings.pod_security.baseline_namespaces,
        registry_pod_secret=settings.registry.pod_secret_name,
        allow_pickle=settings.serving.allow_pickle,
    )


def gateway_defaults(settings: Settings, environment: Environment) -> GatewayDefaults:
    """What every gateway gets. The operator alone, by its service account, may read what gateways count."""
    account = environment.get("SERVICE_ACCOUNT", "fairlead")
    return GatewayDefaults(
        image=settings.gateway.image,
        image_pull_policy=settings.gateway.image_pull_policy,
        replicas=settings.gateway.replicas,
        resources=settings.gateway.resources.rendered(),
        cluster_role=settings.gateway.cluster_role,
        binds=not settings.watch_namespaces,
        evidence_subject=f"system:serviceaccount:{_namespace(environment)}:{account}",
        priority_class=settings.gateway.priority_class_name,
    )


def mlflow(settings: Settings, clock: Clock, observe: Observe) -> MlflowRegistry:
    """What models and runs are asked of."""
    given = settings.registry
    return MlflowRegistry(
        given.url, clock, authorization=registry_credentials(given.credentials_dir).authorization, observe=observe
    )


def prometheus(settings: Settings) -> PrometheusMetrics:
    """What metrics are asked of."""
    given = settings.prometheus
    return PrometheusMetrics(
        given.url,
        query=GatewayQuery(given.queries.gateway_evidence, given.pod_label),
        authorization=metrics_credentials(given.credentials_dir).authorization,
        tls=metrics_tls(given.tls_dir).context,
    )


def second_source(settings: Settings, metrics: Metrics, clock: Clock, telemetry: Telemetry) -> SecondSource | None:
    """What is asked when gateway pods do not answer; None without a Prometheus."""
    given = settings.prometheus
    return SecondSource(metrics, clock, telemetry, stale_seconds=given.stale_seconds) if given.url else None


def allowed(settings: Settings) -> Allowed:
    """What custom resources may name."""
    return Allowed(
        settings.allowed.images,
        settings.allowed.secrets,
        settings.allowed.service_accounts,
        tuple(ModelRule(rule.namespaces, rule.models) for rule in settings.registry_rules()),
    )


def rollout_limits(settings: Settings) -> Limits:
    """How many rollouts may be on, and whether any may move."""
    most = settings.rollouts.max_concurrent
    return Limits(settings.rollouts.frozen, most.cluster, most.namespace)


def lease_terms(settings: Settings, environment: Environment) -> LeaseTerms:
    """Which Lease, under what name, for how long."""
    return LeaseTerms(
        namespace=_namespace(environment),
        name=settings.lease.name,
        identity=f"{environment.get('POD_NAME', socket.gethostname())}-{os.getpid()}",
        duration_seconds=settings.lease.duration_seconds,
        renew_seconds=settings.lease.renew_seconds,
        retry_seconds=settings.lease.retry_seconds,
    )


def _namespace(environment: Environment) -> str:
    return environment.get("POD_NAMESPACE", "default")
