"""What the queue holds: which custom resource to look at, or which namespace's gateway."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.api.kinds import OWNED
from fairlead.api.names import GATEWAY, LABEL_MODEL_DEPLOYMENT, LABEL_NAME, LABEL_TRAINING_JOB


@dataclass(frozen=True, slots=True)
class Key:
    """A custom resource by kind, namespace and name; the gateway of a namespace has the kind `Gateway`."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


_OWNED_KINDS = frozenset(item.kind for item in OWNED)
_LABELS = {LABEL_MODEL_DEPLOYMENT: "ModelDeployment", LABEL_TRAINING_JOB: "TrainingJob"}


GATEWAY_KIND = "Gateway"
"""No kind of the API: a gateway has no custom resource of its own."""


def gateway_key(namespace: str) -> Key:
    """The gateway of a namespace."""
    return Key(GATEWAY_KIND, namespace, GATEWAY)


def key_of(body: Mapping[str, Any]) -> Key | None:
    """What an object is, or belongs to by its labels; None for anything else."""
    meta = body["metadata"]
    namespace = str(meta.get("namespace", ""))
    if body.get("kind") in _OWNED_KINDS:
        return Key(str(body["kind"]), namespace, str(meta["name"]))
    labels = meta.get("labels") or {}
    for label, kind in _LABELS.items():
        if label in labels:
            return Key(kind, namespace, str(labels[label]))
    return gateway_key(namespace) if labels.get(LABEL_NAME) == GATEWAY else None
