"""What the shell asks of the outside world. Each Protocol has one adapter of the same name in `adapters/`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from fairlead.api.gateway_evidence import PodEvidence
from fairlead.api.kinds import ResourceType
from fairlead.api.manifests import Manifest


class Clock(Protocol):
    """The only way to the time."""

    def now(self) -> datetime:
        """Wall-clock time, UTC, for what is written into status."""
        ...

    def wall_seconds(self) -> float:
        """Wall-clock time with its fractions, seconds since 1970, for what happens every second."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations and leases."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Cluster(Protocol):
    """The Kubernetes API. Raises RetryLater, ReadAgain or Refused (errors.py)."""

    async def get(self, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        """One object, or None."""
        ...

    async def list(self, resource: ResourceType, namespace: str, selector: str) -> Sequence[Mapping[str, Any]]:
        """All objects of a kind in a namespace (all namespaces when empty), `kind` and `apiVersion` filled in."""
        ...

    async def apply(self, manifest: Manifest, *, force: bool) -> Mapping[str, Any]:
        """Server-side apply under our field manager; the object as it is now."""
        ...

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Delete the object if it still has this UID; its pods go too. Gone already is fine."""
        ...

    async def suspend(self, kind: str, namespace: str, name: str, uid: str, *, on: bool) -> Mapping[str, Any]:
        """Set a Job's spec.suspend; the object as it is now. ReadAgain when it is another one, or gone."""
        ...

    async def patch_status(
        self, kind: str, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """JSON Patch on the status; ReadAgain when one of its tests fails."""
        ...

    async def record_event(self, event: Manifest) -> None:
        """Create the event, or count it up when one of its name exists."""
        ...

    async def warnings(self, namespace: str, uid: str) -> Sequence[str]:
        """Messages of the warning events about an object, the oldest first."""
        ...


class Registry(Protocol):
    """MLflow. Raises RegistryError with a word of `api.reasons`."""

    async def check(self) -> None:
        """Returns when it answers."""
        ...

    async def aliases(self, model: str) -> Mapping[str, str]:
        """Version by alias of a registered model."""
        ...

    async def digest_tag(self, model: str, version: str) -> str:
        """What the version's tag `fairlead.model.digest` says; empty when it has none."""
        ...

    async def find_runs(self, uid: str, namespace: str) -> "Sequence[RunFacts]":
        """The runs opened for the TrainingJob with this UID, the oldest first."""
        ...

    async def run_metrics(self, run_id: str) -> Mapping[str, float]:
        """The last value of every metric of a run; NaN and infinite ones, too."""
        ...

    async def tag_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Write tags on a run."""
        ...

    async def open_run(self, name: str, namespace: str, tags: Mapping[str, str]) -> None:
        """Open a run in the namespace's experiment."""
        ...

    async def close_run(self, run_id: str, end: str) -> None:
        """End a run: FINISHED, FAILED or KILLED."""
        ...

    async def open_runs(self, operator_id: str) -> Sequence[tuple[str, str]]:
        """(run id, TrainingJob UID) of the runs that this operator opened and that have not ended."""
        ...

    async def logged_models(self, run_id: str, experiment_id: str) -> Sequence[tuple[str, str, str]]:
        """(model id, source to register, name) of every model logged in a run."""
        ...

    async def find_version(self, model: str, uid: str) -> "VersionFacts | None":
        """The version registered for the TrainingJob with this UID."""
        ...

    async def register(
        self, model: str, *, run_id: str, model_id: str, description: str, tags: Mapping[str, str]
    ) -> None:
        """Register a logged model as a version; the registered model is made when it is missing."""
        ...

    async def find_alias(self, model: str, alias: str) -> "AliasFacts":
        """Where an alias points, and who writes it."""
        ...

    async def tag_version(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Write tags on a registered version. ModelVersionNotFound when it is gone."""
        ...

    async def claim_alias(self, model: str, alias: str, writer: str) -> None:
        """Record on the registered model who writes an alias. ModelNotFound when it is gone."""
        ...

    async def set_alias(self, model: str, alias: str, version: str) -> None:
        """Let an alias point at a version. ModelVersionNotFound when it is gone."""
        ...


class Metrics(Protocol):
    """Prometheus. Raises MetricsError."""

    async def check(self) -> None:
        """Returns when it answers queries."""
        ...

    async def gateways(self, namespace: str) -> Mapping[str, PodEvidence]:
        """What each gateway pod of a namespace said when it was last scraped, by pod."""
        ...


class Gateways(Protocol):
    """The evidence endpoints of gateway pods. Raises GatewayError."""

    async def read(self, address: str, port: int) -> PodEvidence:
        """What one pod says now; within a second, or not at all."""
        ...


class RunFacts(Protocol):
    """An MLflow run as the registry tells it."""

    @property
    def run_id(self) -> str: ...

    @property
    def experiment_id(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def attempt(self) -> int: ...

    @property
    def gate(self) -> str: ...

    @property
    def git_commit(self) -> str: ...


class VersionFacts(Protocol):
    """A registered version as the registry tells it."""

    @property
    def number(self) -> str: ...

    @property
    def digest(self) -> str: ...


class AliasFacts(Protocol):
    """An alias as the registry tells it: empty strings for what is not there."""

    @property
    def version(self) -> str: ...

    @property
    def writer(self) -> str: ...

    @property
    def trained(self) -> bool: ...
