"""How to reach the API server: the pod's service account, or a kubeconfig."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from kubernetes import client, config

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
REQUEST_TIMEOUT_SECONDS = 10.0


class NoConnection(ValueError):
    """Nothing says where the API server is. The message names what was looked at."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An HTTP client, and the header that authorizes it (empty with client certificates); tokens rotate."""

    http: httpx.AsyncClient
    authorization: Callable[[], str]


def connect() -> Connection:
    """The in-cluster configuration where there is one, else the kubeconfig of $KUBECONFIG or the home folder."""
    settings = client.Configuration()
    if _SERVICE_ACCOUNT.exists():
        config.load_incluster_config(client_configuration=settings)
    else:
        config.load_kube_config(client_configuration=settings)
    return _connection(settings)


def connect_as_user(kubeconfig: str | None, context: str | None) -> tuple[Connection, str]:
    """As kubectl does it: a kubeconfig, else the pod's service account. Also the namespace that stands there.

    Raises:
        NoConnection: there is neither, or the context is unknown.
    """
    settings = client.Configuration()
    try:
        config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=settings)
        return _connection(settings), _namespace(kubeconfig, context)
    except (config.ConfigException, OSError) as error:
        if kubeconfig or context or not _SERVICE_ACCOUNT.exists():
            raise NoConnection(f"expected a kubeconfig that leads to a cluster, got: {error}") from error
    config.load_incluster_config(client_configuration=settings)
    return _connection(settings), _SERVICE_ACCOUNT.with_name("namespace").read_text().strip()


def _namespace(kubeconfig: str | None, context: str | None) -> str:
    contexts, current = config.list_kube_config_contexts(config_file=kubeconfig)
    chosen = next((item for item in contexts if item["name"] == context), current)
    return str(chosen["context"].get("namespace") or "default")


def _connection(settings: client.Configuration) -> Connection:
    trust = ssl.create_default_context(cafile=settings.ssl_ca_cert)
    if not settings.verify_ssl:
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    if settings.cert_file:
        trust.load_cert_chain(settings.cert_file, settings.key_file)
    http = httpx.AsyncClient(
        base_url=settings.host,
        verify=trust,
        timeout=REQUEST_TIMEOUT_SECONDS,
        limits=httpx.Limits(max_connections=32),
        trust_env=False,
    )
    return Connection(http, lambda: settings.get_api_key_with_prefix("BearerToken") or "")
