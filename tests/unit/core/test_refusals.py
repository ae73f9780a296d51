"""What the administrator's settings do not let in is found by its field."""

from typing import Any

import pytest

from fairlead.api.model_deployment import ModelDeploymentSpec
from fairlead.api.reasons import Reason
from fairlead.core.findings import Finding
from fairlead.core.refusals import refused_by_settings, refused_by_tenancy
from fairlead.core.world import Allowed, ModelRule


def refused(allowed: Allowed, **spec: Any) -> Finding | None:
    parsed = ModelDeploymentSpec.model_validate(spec)
    image = parsed.container.image if parsed.container else None
    return refused_by_settings(parsed, parsed.container, image, allowed)


SECRETS: list[tuple[str, dict[str, Any]]] = [
    (
        "container.env[1].valueFrom.secretKeyRef.name",
        {
            "container": {
                "env": [{"name": "A"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}]
            }
        },
    ),
    ("container.envFrom[0].secretRef.name", {"container": {"envFrom": [{"secretRef": {"name": "x"}}]}}),
    ("volumes[0].secret.secretName", {"volumes": [{"name": "v", "secret": {"secretName": "x"}}]}),
    ("imagePullSecrets[0].name", {"imagePullSecrets": [{"name": "x"}]}),
]
IMAGES: list[tuple[str, dict[str, Any]]] = [
    ("container.image", {"container": {"image": "x"}}),
    ("volumes[1].image.reference", {"volumes": [{"name": "a"}, {"name": "b", "image": {"reference": "x"}}]}),
]


@pytest.mark.parametrize(("path", "spec"), SECRETS)
def test_a_secret_that_is_not_allowed_is_refused_wherever_it_is_named(path: str, spec: dict[str, Any]) -> None:
    message = f"spec.{path}: expected what the setting allowed.secrets allows (team-*, shared), got x"
    found = refused(Allowed(secrets=("team-*", "shared")), **spec)
    assert found == Finding(Reason.SECRET_NOT_ALLOWED, message, final=True)


@pytest.mark.parametrize(("path", "spec"), IMAGES)
def test_an_image_that_is_not_allowed_is_refused_wherever_it_is_named(path: str, spec: dict[str, Any]) -> None:
    found = refused(Allowed(images=()), **spec)
    message = f"spec.{path}: expected what the setting allowed.images allows (nothing), got x"
    assert found == Finding(Reason.IMAGE_NOT_ALLOWED, message, final=True)


def test_a_service_account_that_is_not_allowed_is_refused() -> None:
    found = refused(Allowed(service_accounts=("model-*",)), serviceAccountName="admin")
    assert found and found.reason is Reason.SERVICE_ACCOUNT_NOT_ALLOWED
    assert found.message.startswith("spec.serviceAccountName: ")


@pytest.mark.parametrize(("_", "spec"), [*SECRETS, *IMAGES])
def test_what_a_pattern_covers_is_let_in(_: str, spec: dict[str, Any]) -> None:
    assert refused(Allowed(), **spec) is None
    assert refused(Allowed(images=("x",), secrets=("?",), service_accounts=()), **spec) is None


def test_a_spec_that_names_nothing_is_let_in_by_settings_that_allow_nothing() -> None:
    spec = {"volumes": [{"name": "v", "emptyDir": {}}], "container": {"envFrom": [{"configMapRef": {"name": "c"}}]}}
    assert refused(Allowed((), (), ()), **spec) is None
    assert refused(Allowed((), (), ())) is None


def test_patterns_tell_upper_from_lower_case_on_every_system() -> None:
    assert refused(Allowed(images=("X",)), container={"image": "x"}) is not None


# -- registered models

RULES = (
    ModelRule(("team", "data-*"), ("{namespace}-*", "shared")),
    ModelRule(("team",), ("champion-?",)),
)


@pytest.mark.parametrize(
    ("namespace", "model", "allowed"),
    [
        ("team", "team-churn", True),
        ("team", "shared", True),
        ("team", "champion-1", True),
        ("team", "champion-10", False),
        ("team", "team", False),
        ("team", "Team-churn", False),
        ("team", "data-a-churn", False),
        ("data-a", "data-a-churn", True),
        ("data-a", "champion-1", False),
        ("other", "shared", False),
    ],
)
def test_a_namespace_may_use_the_models_that_a_rule_for_it_names(namespace: str, model: str, allowed: bool) -> None:
    assert (refused_by_tenancy("spec.model.name", model, namespace, Allowed(models=RULES)) is None) is allowed


def test_a_model_that_is_not_allowed_is_told_with_the_setting_and_the_rule_that_would_allow_it() -> None:
    found = refused_by_tenancy("spec.model.name", "churn", "team", Allowed(models=RULES))
    message = (
        "spec.model.name: expected a model that the setting registry.allow lets namespace team use "
        "(team-*, shared, champion-?), got churn; a rule {namespaces: [team], models: [churn]} would allow it"
    )
    assert found == Finding(Reason.MODEL_NOT_ALLOWED, message, final=True)


def test_a_namespace_that_no_rule_names_may_use_none() -> None:
    found = refused_by_tenancy("spec.register.model", "x", "other", Allowed(models=RULES))
    assert found
    assert found.message.startswith("spec.register.model: ")
    assert "(none)" in found.message
