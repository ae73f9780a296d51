"""What the administrator's settings refuse, found before anything is written."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from fairlead.api.pod import Container
from fairlead.api.reasons import Reason
from fairlead.api.workload import PodFields
from fairlead.core.findings import Finding
from fairlead.core.world import Allowed


def _allowed(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _container_secrets(container: Container | None) -> Iterator[tuple[str, str]]:
    if container is None:
        return
    for index, item in enumerate(container.env or ()):
        if item.value_from and item.value_from.secret_key_ref:
            yield f"container.env[{index}].valueFrom.secretKeyRef.name", item.value_from.secret_key_ref.name
    for index, source in enumerate(container.env_from or ()):
        if source.secret_ref:
            yield f"container.envFrom[{index}].secretRef.name", source.secret_ref.name


def _pod_secrets(fields: PodFields) -> Iterator[tuple[str, str]]:
    for index, volume in enumerate(fields.volumes or ()):
        if volume.secret:
            yield f"volumes[{index}].secret.secretName", volume.secret.secret_name
    for index, ref in enumerate(fields.image_pull_secrets or ()):
        yield f"imagePullSecrets[{index}].name", ref.name


def _images(fields: PodFields, image: str | None) -> Iterator[tuple[str, str]]:
    if image:
        yield "container.image", image
    for index, volume in enumerate(fields.volumes or ()):
        if volume.image:
            yield f"volumes[{index}].image.reference", volume.image.reference


def _model_patterns(namespace: str, allowed: Allowed) -> tuple[str, ...]:
    """The patterns of the models that a namespace may use."""
    rules = (rule for rule in allowed.models if _allowed(namespace, rule.namespaces))
    return tuple(pattern.replace("{namespace}", namespace) for rule in rules for pattern in rule.models)


def refused_by_tenancy(field: str, model: str, namespace: str, allowed: Allowed) -> Finding | None:
    """A registered model that the setting registry.allow keeps from this namespace; `field` names it.

    One identity reads and writes the registry for all namespaces, so nothing else tells them apart.
    """
    patterns = _model_patterns(namespace, allowed)
    if _allowed(model, patterns):
        return None
    expected = ", ".join(patterns) or "none"
    rule = f"{{namespaces: [{namespace}], models: [{model}]}}"
    text = (
        f"{field}: expected a model that the setting registry.allow lets namespace {namespace} use ({expected}), "
        f"got {model}; a rule {rule} would allow it"
    )
    return Finding(Reason.MODEL_NOT_ALLOWED, text, final=True)


def refused_by_settings(
    fields: PodFields, container: Container | None, image: str | None, allowed: Allowed
) -> Finding | None:
    """The first image, Secret or service account that the settings do not let in; the message names its field."""
    accounts = [("serviceAccountName", fields.service_account_name)] if fields.service_account_name else []
    checks = (
        (Reason.IMAGE_NOT_ALLOWED, "allowed.images", allowed.images, _images(fields, image)),
        (Reason.SECRET_NOT_ALLOWED, "allowed.secrets", allowed.secrets, _container_secrets(container)),
        (Reason.SECRET_NOT_ALLOWED, "allowed.secrets", allowed.secrets, _pod_secrets(fields)),
        (Reason.SERVICE_ACCOUNT_NOT_ALLOWED, "allowed.serviceAccounts", allowed.service_accounts, iter(accounts)),
    )
    for reason, setting, patterns, names in checks:
        for path, name in names:
            if not _allowed(name, patterns):
                expected = ", ".join(patterns) or "nothing"
                message = f"spec.{path}: expected what the setting {setting} allows ({expected}), got {name}"
                return Finding(reason, message, final=True)
    return None
