"""How the API server is found."""

from pathlib import Path

import certifi
import pytest
import yaml

from fairlead.adapters import connection
from fairlead.adapters.connection import REQUEST_TIMEOUT_SECONDS, NoConnection, connect, connect_as_user


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


@pytest.fixture
def two_contexts(kubeconfig: Path) -> str:
    """The same kubeconfig with a context `d` that names a namespace."""
    document = yaml.safe_load(kubeconfig.read_text())
    document["contexts"].append({"name": "d", "context": {"cluster": "k", "user": "u", "namespace": "team"}})
    kubeconfig.write_text(yaml.safe_dump(document))
    return str(kubeconfig)


async def test_a_user_gets_the_context_of_the_kubeconfig_and_its_namespace(two_contexts: str) -> None:
    for context, namespace in ((None, "default"), ("c", "default"), ("d", "team")):
        found, here = connect_as_user(two_contexts, context)
        assert (str(found.http.base_url), here) == ("https://api.example:6443", namespace)
        await found.http.aclose()


@pytest.mark.usefixtures("kubeconfig")
@pytest.mark.parametrize(("file", "context"), [("absent", None), (None, "other")])
def test_a_user_without_such_a_kubeconfig_or_context_is_told_so(
    tmp_path: Path, file: str | None, context: str | None
) -> None:
    with pytest.raises(NoConnection, match="expected a kubeconfig that leads to a cluster, got: "):
        connect_as_user(str(tmp_path / file) if file else None, context)


@pytest.mark.usefixtures("pod")
async def test_a_user_in_a_pod_without_a_kubeconfig_is_its_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "absent"))
    (tmp_path / "namespace").write_text("team\n")
    found, here = connect_as_user(None, None)
    assert (found.authorization(), here) == ("bearer pod-token", "team")
    await found.http.aclose()
