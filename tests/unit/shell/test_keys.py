"""Which custom resource an object belongs to."""

from typing import Any

import pytest
from tests.unit.builders import serving_body, training_body
from tests.unit.shell.in_memory import MD, TJ

from fairlead.shell.keys import Key, gateway_key, key_of


@pytest.mark.parametrize(("body", "key"), [(serving_body(), MD), (training_body(), TJ)])
def test_a_custom_resource_is_its_own(body: dict[str, Any], key: Key) -> None:
    assert key_of(body) == key


@pytest.mark.parametrize(
    ("labels", "key"),
    [
        ({"fairlead.dev/modeldeployment": "churn"}, MD),
        ({"fairlead.dev/trainingjob": "fit"}, TJ),
        ({"app.kubernetes.io/name": "fairlead-gateway"}, gateway_key("team")),
        ({"app.kubernetes.io/name": "fairlead-gateway", "fairlead.dev/modeldeployment": "churn"}, MD),
        ({"app": "other"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_child_is_known_by_its_label(labels: dict[str, str] | None, key: Key | None) -> None:
    assert key_of({"kind": "Pod", "metadata": {"name": "p", "namespace": "team", "labels": labels}}) == key


def test_a_custom_resource_is_not_known_by_a_label_that_someone_gave_it() -> None:
    body = serving_body()
    body["metadata"]["labels"] = {"fairlead.dev/trainingjob": "fit"}
    assert key_of(body) == MD


def test_a_key_reads_as_a_path() -> None:
    assert str(MD) == "ModelDeployment/team/churn"
    assert str(gateway_key("team")) == "Gateway/team/fairlead-gateway"
