from pathlib import Path

import pytest

from fairlead_gateway.settings import SettingsError, parse_directory, parse_settings

POD = {
    "POD_NAMESPACE": "team-a",
    "EVIDENCE_SUBJECT": "system:serviceaccount:fairlead-system:fairlead",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}


def test_a_pods_environment_is_enough() -> None:
    settings = parse_settings(POD)
    assert (settings.namespace, settings.metrics_port, settings.evidence_port) == ("team-a", 8081, 8082)
    assert settings.api.url == "https://10.96.0.1:443"
    assert settings.api.token_file == Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    assert settings.directory == Path("/run/fairlead")


def test_the_api_server_and_the_ports_can_be_others() -> None:
    there = {"KUBE_API_URL": "https://127.0.0.1:1/", "KUBE_TOKEN_FILE": "/t", "KUBE_CA_FILE": "/c"}
    settings = parse_settings({"POD_NAMESPACE": "a", **there, "METRICS_PORT": "0", "EVIDENCE_PORT": "9999"})
    assert (settings.api.url, settings.api.token_file, settings.api.ca_file) == (
        "https://127.0.0.1:1",
        Path("/t"),
        Path("/c"),
    )
    assert (settings.metrics_port, settings.evidence_port, settings.evidence_subject) == (0, 9999, "")


def test_an_address_of_the_sixth_version_gets_its_brackets() -> None:
    assert parse_settings({**POD, "KUBERNETES_SERVICE_HOST": "fd00::1"}).api.url == "https://[fd00::1]:443"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POD_NAMESPACE", ""),
        ("POD_NAMESPACE", "../other"),
        ("EVIDENCE_SUBJECT", "fairlead"),
        ("METRICS_PORT", "http"),
        ("METRICS_PORT", "65536"),
        ("EVIDENCE_PORT", "-1"),
        ("FAIRLEAD_DIR", "run"),
        ("KUBERNETES_SERVICE_HOST", ""),
        ("KUBE_API_URL", "http://10.0.0.1"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name}: expected .*, got "):
        parse_settings({**POD, name: value})


def test_the_folder_is_known_without_the_rest() -> None:
    assert parse_directory({"FAIRLEAD_DIR": "/x"}) == Path("/x")
