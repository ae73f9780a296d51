"""What comes from the operator's settings."""

from dataclasses import replace

import pytest
from tests.unit.builders import DEFAULTS


@pytest.mark.parametrize(
    ("namespace", "restricted"), [("team", True), ("gpu-a", False), ("root", False), ("Root", True)]
)
def test_pods_are_restricted_but_in_the_namespaces_that_the_settings_name(namespace: str, restricted: bool) -> None:
    defaults = replace(DEFAULTS, baseline_namespaces=("gpu-*", "root"))
    assert defaults.restricted(namespace) is restricted


def test_without_a_setting_every_namespace_is_restricted() -> None:
    assert DEFAULTS.restricted("kube-system")


def test_credentials_come_from_a_secret_only_when_the_settings_name_one() -> None:
    assert DEFAULTS.registry_env_from() == []
    assert replace(DEFAULTS, registry_pod_secret="mlflow").registry_env_from() == [{"secretRef": {"name": "mlflow"}}]
