"""Everything a decision can ask for, as values. The shell performs them one at a time and then looks again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from fairlead.api.manifests import Manifest
from fairlead.api.reasons import Reason
from fairlead.core.evidence.state import State

RunEnd: TypeAlias = Literal["FINISHED", "FAILED", "KILLED"]
"""How an MLflow run may end, in MLflow's words."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object in the namespace of the custom resource that is being reconciled."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """Make a child so (server-side apply). `absent`: none is there yet, and a foreign one must not be taken over."""

    manifest: Manifest
    absent: bool

    @property
    def ref(self) -> ObjectRef:
        """Which object."""
        meta = self.manifest["metadata"]
        assert isinstance(meta, Mapping)  # noqa: S101 -- every manifest has metadata
        return ObjectRef(str(self.manifest["kind"]), str(meta["name"]))


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a child, if it is still the one with this UID."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class Suspend:
    """Let a Job's pods go (`on`), or let it have some again, if it is still the Job with this UID."""

    ref: ObjectRef
    uid: str
    on: bool


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event on the custom resource."""

    type: Literal["Normal", "Warning"]
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Replace the status, if it is still the one that was read; then say what changed."""

    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    announcements: tuple[Announcement, ...] = ()
    record: str = ""
    """The look behind a rollout's decision, as JSON."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """Open the MLflow run of a TrainingJob, tagged with its UID."""

    name: str
    tags: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class RegisterVersion:
    """Register the logged model as a version of the registered model, tagged with the TrainingJob's UID."""

    model: str
    run_id: str
    model_id: str
    description: str
    tags: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class ClaimAlias:
    """Record on the registered model who writes the alias; before it is written."""

    model: str
    alias: str
    writer: str


@dataclass(frozen=True, slots=True)
class SetAlias:
    """Let the alias point at the version."""

    model: str
    alias: str
    version: str


@dataclass(frozen=True, slots=True)
class CloseRun:
    """End an MLflow run that its trainer left open."""

    run_id: str
    end: RunEnd


@dataclass(frozen=True, slots=True)
class TagRun:
    """Write tags on an MLflow run."""

    run_id: str
    tags: Mapping[str, str] = field(hash=False)


RegistryEffect: TypeAlias = OpenRun | RegisterVersion | ClaimAlias | SetAlias | CloseRun | TagRun
Effect: TypeAlias = Apply | Delete | Suspend | WriteStatus | RegistryEffect


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the operator knows of a rollout beyond its status: the looks since it was last written."""

    rollout: str
    """`Rollout.name`."""
    state: State


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now (the first effect; then gather and decide again) and when to look again if nothing is to be done.

    `requeue_after_seconds` None: only when something changes.
    """

    effects: tuple[Effect, ...] = ()
    requeue_after_seconds: float | None = None
    remember: Remembered | None = None
    """For the next look, when nothing is written."""
