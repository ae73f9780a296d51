"""How to reach the API server: the pod's service account, or a kubeconfig."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from kubernetes import client, config

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
REQUEST_TIMEOUT_SECONDS = 10.0


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
    trust = ssl.create_default_context(cafile=settings.ssl_ca_cert)
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
