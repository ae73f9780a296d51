"""The settings file: defaults, and errors that name file and field."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from fairlead.settings import InvalidSettings, Settings, parse_settings, read_settings


def test_without_a_file_and_with_an_empty_one_the_defaults_hold() -> None:
    assert read_settings(None) == Settings()
    assert parse_settings("", "x") == Settings()
    assert parse_settings("# nothing\n", "x") == Settings()


def test_names_are_spelled_as_in_the_chart() -> None:
    text = "watchNamespaces: [a, b]\nregistry: {url: 'http://m', podUrl: 'http://p'}\nlease: {durationSeconds: 30}\n"
    found = parse_settings(text, "x")
    assert found.watch_namespaces == ("a", "b")
    assert (found.registry.url, found.registry.pod_url) == ("http://m", "http://p")
    assert found.lease.duration_seconds == 30


def test_the_default_lease_is_renewed_in_time() -> None:
    lease = Settings().lease
    assert lease.retry_seconds < lease.renew_seconds < lease.duration_seconds


@pytest.mark.parametrize(
    ("text", "field", "got"),
    [
        ("concurency: 3", "concurency", "3"),
        ("registry: {uri: http://m}", "registry.uri", "'http://m'"),
        ("concurrency: 0", "concurrency", "0"),
        ("concurrency: many", "concurrency", "'many'"),
        ("logLevel: loud", "logLevel", "'loud'"),
        ("allowed: {images: 7}", "allowed.images", "7"),
        ("serving: {imagePullPolicy: Sometimes}", "serving.imagePullPolicy", "'Sometimes'"),
        ("gateway: {replicas: 0}", "gateway.replicas", "0"),
        ("gateway: {resources: {limit: {cpu: 1}}}", "gateway.resources.limit", "{'cpu': 1}"),
        ("resyncSeconds: 1", "resyncSeconds", "1"),
        ("retirementGraceSeconds: -1", "retirementGraceSeconds", "-1"),
        ("prometheus: {uri: http://p}", "prometheus.uri", "'http://p'"),
        ("prometheus: {queries: {gatewayEvidence: up}}", "prometheus.queries.gatewayEvidence", "'up'"),
        ("prometheus: {queries: {other: up}}", "prometheus.queries.other", "'up'"),
        ("prometheus: {podLabel: a-b}", "prometheus.podLabel", "'a-b'"),
        ("prometheus: {staleSeconds: 5}", "prometheus.staleSeconds", "5"),
        ("lease: {renewSeconds: 0}", "lease.renewSeconds", "0"),
        ("podSecurity: {baselineNamespaces: [1]}", "podSecurity.baselineNamespaces.0", "1"),
    ],
)
def test_a_wrong_value_is_told_by_file_field_and_what_came(text: str, field: str, got: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        parse_settings(text, "/etc/fairlead/settings.yaml")
    message = str(caught.value)
    assert message.startswith(f"/etc/fairlead/settings.yaml: {field}: ")
    assert f"got {got}" in message


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(InvalidSettings, match=r"logLevel: .*; typo: "):
        parse_settings("logLevel: loud\ntypo: 1", "x")


@pytest.mark.parametrize("text", ["a: [", "- a\n- b", "just text"])
def test_a_file_that_is_no_mapping_is_told(text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"^settings: "):
        parse_settings(text, "settings")


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("logLevel: debug")
    assert read_settings(path).log_level == "debug"
    path.write_text("logLevel: 3")
    with pytest.raises(InvalidSettings, match=str(path)):
        read_settings(path)


def test_settings_cannot_be_changed_later() -> None:
    with pytest.raises(ValidationError):
        Settings().concurrency = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "namespaces", "models"),
    [
        ("", ("*",), ("{namespace}-*",)),
        ("watchNamespaces: [a]", ("*",), ("*",)),
        ("watchNamespaces: [a, b]", ("*",), ("{namespace}-*",)),
        ("watchNamespaces: [a]\nregistry: {allow: [{namespaces: [a], models: [m]}]}", ("a",), ("m",)),
    ],
)
def test_without_rules_a_namespace_has_the_registry_to_itself_or_its_own_prefix(
    text: str, namespaces: tuple[str, ...], models: tuple[str, ...]
) -> None:
    (rule,) = parse_settings(text, "x").registry_rules()
    assert (rule.namespaces, rule.models) == (namespaces, models)


def test_a_rule_that_names_no_model_is_refused() -> None:
    with pytest.raises(InvalidSettings, match=r"registry\.allow\.0\.models"):
        parse_settings("registry: {allow: [{namespaces: [a], models: []}]}", "x")


def test_resources_are_rendered_as_text_and_what_is_empty_is_left_out() -> None:
    found = parse_settings("gateway: {resources: {limits: {cpu: 2, memory: 1Gi}, requests: {}}}", "x")
    assert found.gateway.resources.rendered() == {"limits": {"cpu": "2", "memory": "1Gi"}}
