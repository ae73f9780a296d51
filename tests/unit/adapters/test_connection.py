"""How the API server is found."""

from pathlib import Path

import certifi
import pytest
import yaml

from fairlead.adapters import connection
from fairlead.adapters.connection import REQUEST_TIMEOUT_SECONDS, connect


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig with a token, in a process that is no pod."""
    path = tmp_path / "config"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://api.example:6443"}}],
        "users": [{"name": "u", "user": {"token": "secret-token"}}],
    }
    path.write_text(yaml.safe_dump(document))
    monkeypatch.setattr(connection, "_SERVICE_ACCOUNT", tmp_path / "absent")
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    return path


@pytest.mark.usefixtures("kubeconfig")
async def test_outside_of_a_pod_the_kubeconfig_tells() -> None:
    found = connect()
    assert str(found.http.base_url) == "https://api.example:6443"
    assert found.authorization() == "Bearer secret-token"
    assert found.http.timeout.read == REQUEST_TIMEOUT_SECONDS
    await found.http.aclose()


@pytest.fixture
def without_token(kubeconfig: Path) -> None:
    """The same kubeconfig, whose user has no token."""
    document = yaml.safe_load(kubeconfig.read_text())
    document["users"] = [{"name": "u", "user": {}}]
    kubeconfig.write_text(yaml.safe_dump(document))


@pytest.mark.usefixtures("without_token")
async def test_with_client_certificates_there_is_no_header() -> None:
    found = connect()
    assert found.authorization() == ""
    await found.http.aclose()


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in a pod, with the files of its service account."""
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("pod-token")
    authority.write_text(Path(certifi.where()).read_text())
    monkeypatch.setattr(connection, "_SERVICE_ACCOUNT", token)
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")


@pytest.mark.usefixtures("pod")
async def test_inside_of_a_pod_the_service_account_tells() -> None:
    found = connect()
    assert str(found.http.base_url) == "https://10.96.0.1"
    assert found.authorization().lower() == "bearer pod-token"
    await found.http.aclose()
