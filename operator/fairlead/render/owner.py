"""The owner reference that ties a child to its custom resource: deletion needs nothing else."""

from typing import Any

from fairlead.api.names import API_VERSION
from fairlead.api.resource import Meta


def owner_reference(kind: str, meta: Meta) -> dict[str, Any]:
    """A controller reference by UID."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
    }
