"""A custom resource as read from the cluster: metadata, spec and status, parsed once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from fairlead.api.model import ApiModel
from fairlead.api.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus
from fairlead.api.training_job import TrainingJobSpec, TrainingJobStatus

S = TypeVar("S", bound=ApiModel)
T = TypeVar("T", bound=ApiModel)


class InvalidResource(ValueError):
    """The stored object does not fit the schema (an older or newer CRD let it in). Names field, expected and got."""


@dataclass(frozen=True, slots=True)
class Meta:
    """The metadata that decisions need."""

    name: str
    namespace: str
    uid: str
    generation: int
    deleting: bool


@dataclass(frozen=True, slots=True)
class Resource(Generic[S, T]):
    """One custom resource.

    `has_status`: it has one that says something. `emptied`: one is there that does not: a tool has written an empty
    one, say, and the API server reads the schema's defaults into it, zeros and empty lists.
    """

    meta: Meta
    spec: S
    status: T
    has_status: bool
    emptied: bool = False

    @property
    def stored_status(self) -> dict[str, Any] | None:
        """The status as a patch has to find it; None when there is none."""
        if self.has_status:
            return self.status.wire()
        return {} if self.emptied else None


ModelDeployment = Resource[ModelDeploymentSpec, ModelDeploymentStatus]
TrainingJob = Resource[TrainingJobSpec, TrainingJobStatus]


def parse_meta(body: Mapping[str, Any]) -> Meta:
    """The metadata of any object of the cluster."""
    meta = body["metadata"]
    return Meta(
        name=meta["name"],
        namespace=meta.get("namespace", ""),
        uid=meta["uid"],
        generation=meta.get("generation", 0),
        deleting="deletionTimestamp" in meta,
    )


def _parse(body: Mapping[str, Any], spec: type[S], status: type[T]) -> Resource[S, T]:
    written = any((body.get("status") or {}).values())
    try:
        return Resource(
            meta=parse_meta(body),
            spec=spec.model_validate(body.get("spec") or {}),
            status=status.model_validate(body.get("status") or {}),
            has_status=written,
            emptied=body.get("status") is not None and not written,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidResource(f"{where}: {first['msg']}, got {first['input']!r:.100}") from error


def parse_model_deployment(body: Mapping[str, Any]) -> ModelDeployment:
    """The ModelDeployment in `body`; InvalidResource when it does not fit the schema."""
    return _parse(body, ModelDeploymentSpec, ModelDeploymentStatus)


def parse_training_job(body: Mapping[str, Any]) -> TrainingJob:
    """The TrainingJob in `body`; InvalidResource when it does not fit the schema."""
    return _parse(body, TrainingJobSpec, TrainingJobStatus)
