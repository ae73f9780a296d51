"""The JSON that travels to and from the Kubernetes API."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

Manifest: TypeAlias = Mapping[str, Json]
"""One whole Kubernetes object, `apiVersion` and `kind` included."""
