"""What the queue holds: which custom resource to look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.api.kinds import OWNED
from fairlead.api.names import LABEL_MODEL_DEPLOYMENT, LABEL_TRAINING_JOB


@dataclass(frozen=True, slots=True)
class Key:
    """A custom resource by kind, namespace and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


_OWNED_KINDS = frozenset(item.kind for item in OWNED)
_LABELS = {LABEL_MODEL_DEPLOYMENT: "ModelDeployment", LABEL_TRAINING_JOB: "TrainingJob"}


def key_of(body: Mapping[str, Any]) -> Key | None:
    """The custom resource that an object is, or belongs to by its labels; None for anything else."""
    meta = body["metadata"]
    namespace = str(meta.get("namespace", ""))
    if body.get("kind") in _OWNED_KINDS:
        return Key(str(body["kind"]), namespace, str(meta["name"]))
    labels = meta.get("labels") or {}
    for label, kind in _LABELS.items():
        if label in labels:
            return Key(kind, namespace, str(labels[label]))
    return None
