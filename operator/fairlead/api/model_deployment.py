"""ModelDeployment: serves a registered model, or any container, one immutable revision after the other."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from fairlead.api.conditions import Condition
from fairlead.api.model import ATOMIC, ApiModel, cel, list_map, validated
from fairlead.api.pod import Container, Gpu, Resources
from fairlead.api.rollout import DEFAULT_STEPS, Canary, Checks, Guard, Shadow
from fairlead.api.rollout_status import Evidence, HistoryEntry, LastRequest, Probation
from fairlead.api.scalars import (
    AliasName,
    Duration,
    DurationOrOff,
    ImageReference,
    ModelName,
    ModelVersionNumber,
    Quantity,
    UrlPath,
)
from fairlead.api.traffic import Protocol, Traffic
from fairlead.api.workload import PodFields

UNVERIFIED = "unverified"
"""Instead of a digest: nobody promises what the version's files are."""


class DeploymentPhase(StrEnum):
    """Where a ModelDeployment stands."""

    STARTING = "Starting"
    STABLE = "Stable"
    SHADOW = "Shadow"
    CANARY = "Canary"
    BRAKED = "Braked"
    HELD = "Held"
    AWAITING_APPROVAL = "AwaitingApproval"
    GUARD = "Guard"
    PAUSED = "Paused"
    ROLLED_BACK = "RolledBack"
    INCONCLUSIVE = "Inconclusive"
    FAILED = "Failed"


class ModelRef(ApiModel):
    """A model in the registry: a version, or an alias that is resolved to one."""

    model_config = validated(
        cel(
            "has(self.alias) != has(self.version)",
            "expected exactly one of alias and version",
            got="(has(self.alias) ? 'both' : 'neither')",
        )
    )
    name: ModelName = Field(description="Name of the registered model in MLflow.")
    alias: AliasName | None = Field(None, description="The alias to follow.")
    version: ModelVersionNumber | None = Field(None, description='The version to serve, as a string: "3".')
    promote_alias: Annotated[str, Field(pattern=r"^([A-Za-z][-A-Za-z0-9_]*)?$", max_length=100)] | None = Field(
        None, description="The alias that moves to a version whose guard has passed; champion when absent, empty: none."
    )


_TAKEN_BY_THE_BUILTIN_SERVER = "^([A-Z]+_NUM_THREADS|MAX_[A-Z_]+|[A-Z_]+_SECONDS|LOG_LEVEL|TZ)$"
"""Limits and thread counts. Any other variable (PYTHONPATH, LD_PRELOAD, a proxy) could make it run somebody's code, or
send the registry's credentials to somebody."""
_STRANGE = f"!item.name.matches('{_TAKEN_BY_THE_BUILTIN_SERVER}')"


class ServingContainer(Container):
    """The container that serves; the built-in model server when `image` is absent and `model` is set.

    The built-in server is not covered by the setting `allowed.images`, and it is what refuses pickles: it runs as it
    is, or a custom resource could run any code in its image.
    """

    model_config = validated(
        cel(
            "has(self.image) || !(has(self.command) || has(self.args) || has(self.envFrom) || has(self.volumeMounts))",
            "expected image beside command, args, envFrom and volumeMounts: the built-in server runs as it is",
        ),
        cel(
            f"has(self.image) || !has(self.env) || !self.env.exists(item, {_STRANGE})",
            "env: expected image, or only the built-in server's limits "
            "(MAX_..., ..._SECONDS, ..._NUM_THREADS, LOG_LEVEL, TZ)",
        ),
    )
    image: ImageReference | None = Field(None, description="The image. With `model`, it finds the model's files.")
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(None, description="Its port; 8080 when absent.")
    protocol: Protocol | None = Field(None, description="What it speaks; http when absent.")
    readiness_path: UrlPath | None = Field(
        None, description="HTTP path that answers 2xx when ready. Absent: the port is open (http), gRPC health (grpc)."
    )
    liveness_path: UrlPath | None = Field(None, description="HTTP path that answers 2xx while alive. Absent: none.")
    load_deadline: Duration | None = Field(None, description="How long loading may take; 10m when absent.")


class Rollout(ApiModel):
    """How a new revision replaces the one that serves: with `shadow` after it has answered copies of requests, in steps
    with `canary`, else at once when it is ready."""

    shadow: Shadow | None = Field(
        None,
        description="It gets copies of requests first; {} for the defaults. Not where a request that is made twice "
        "does harm. Absent: no copies.",
    )
    canary: Canary | None = Field(
        None, description="It gets live traffic in steps; {} for the default ones. Absent: all of it once it is ready."
    )
    checks: Checks = Field(
        default_factory=Checks, description="What it has to keep.", json_schema_extra={"default": {}}
    )
    guard: Guard = Field(
        default_factory=Guard, description="What follows the last step.", json_schema_extra={"default": {}}
    )
    hold_deadline: DurationOrOff = Field(
        "24h", description='How long a rollout waits for evidence before it ends without a verdict; "off": for ever.'
    )
    pending_deadline: DurationOrOff = Field(
        "15m", description='How long pods may wait for room in the cluster; "off" (in quotes): for ever.'
    )
    progress_deadline: DurationOrOff = Field(
        "30m",
        description='How long a new revision, its pods on nodes, may take to be ready; "off" (in quotes): for ever.',
    )

    @property
    def is_earned(self) -> bool:
        """Whether a new revision is judged before it has all of the traffic."""
        return self.canary is not None or self.shadow is not None

    @property
    def first_percent(self) -> int:
        """The share, of copies or of requests, that a new revision gets first."""
        if self.shadow:
            return self.shadow.percent
        return ((self.canary and self.canary.steps) or DEFAULT_STEPS)[0].weight


class ModelDeploymentSpec(PodFields):
    """What to serve. Not part of the revision: replicas, requestTimeout, paused, rollout, revisionHistoryLimit."""

    model_config = validated(
        cel(
            "has(self.model) || (has(self.container) && has(self.container.image))",
            "expected model, container.image or both, got neither",
        )
    )
    model: ModelRef | None = Field(None, description="The registered model to serve.")
    container: ServingContainer | None = Field(None, description="The container that serves it.")
    resources: Resources | None = Field(None, description="CPU, memory and other resources of one pod.")
    gpu: Gpu | None = Field(None, description="GPUs of one pod.")
    shared_memory: Quantity | None = Field(None, description="Size of /dev/shm; the container runtime's when absent.")
    replicas: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="Pods for all of the traffic.")
    request_timeout: DurationOrOff = Field(
        "60s",
        description='How long a request may take, its answer included; "off" (in quotes): for ever, as streams need.',
    )
    paused: bool = Field(False, description="No revision comes up and no share moves; what serves is kept up.")
    rollout: Rollout = Field(
        default_factory=Rollout,
        description="How a new revision replaces the old one.",
        json_schema_extra={"default": {}},
    )
    revision_history_limit: Annotated[int, Field(ge=0, le=100)] = Field(
        10, description="How many ControllerRevisions of the past are kept."
    )


class RevisionStatus(ApiModel):
    """One revision and how it stands."""

    revision: str = Field(description="Its name: <ModelDeployment>-<hash of its inputs>.")
    model_version: str = Field("", description="The registered version it serves.")
    digest: str = Field("", description="Digest of the model's files, or `unverified`.")
    image: str = Field("", description="The image as written.")
    image_ids: Annotated[tuple[str, ...], Field(json_schema_extra=ATOMIC)] = Field(
        (), alias="imageIDs", description="Image digests that its pods ran."
    )
    ready: int = Field(0, description="Ready pods.")
    since: datetime = Field(description="When it took this place.")


class QuarantinedRevision(ApiModel):
    """A revision that is not tried again."""

    revision: str = Field(description="Its name.")
    reason: str = Field(description="Why.")
    message: str = Field("", description="What was seen.")
    digest: str = Field("", description="The model's digest when every revision with these files is meant; else empty.")
    since: datetime = Field(description="When.")


class ResolvedModel(ApiModel):
    """What the registry last said of `spec.model`."""

    name: str = Field(description="Name of the registered model.")
    alias: str = Field("", description="The alias, when one was asked for.")
    version: str = Field(description="The version it stands for.")
    digest: str = Field(UNVERIFIED, description="Digest of the version's files; `unverified`: none is promised.")


class Policy(ApiModel):
    """The limits in force, defaults filled in."""

    pending_deadline: str = Field(description="As rollout.pendingDeadline.")
    progress_deadline: str = Field(description="As rollout.progressDeadline.")
    revision_history_limit: int = Field(description="As revisionHistoryLimit.")


class ModelDeploymentStatus(ApiModel):
    """What the operator saw and did."""

    observed_generation: int = Field(0, description="The generation that this status speaks of.")
    phase: DeploymentPhase | None = Field(None, description="Where it stands.")
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = Field(
        (), description="Ready, RolledOut, ModelResolved, Programmed; Reconciling or Stalled while they hold."
    )
    policy: Policy | None = Field(None, description="The limits in force.")
    model: ResolvedModel | None = Field(None, description="What the registry last said.")
    stable: RevisionStatus | None = Field(None, description="The revision that serves.")
    candidate: RevisionStatus | None = Field(None, description="The revision that is coming up.")
    previous: RevisionStatus | None = Field(None, description="The revision that served before, until it is retired.")
    traffic: Traffic | None = Field(None, description="Where requests go.")
    quarantine: Annotated[tuple[QuarantinedRevision, ...], Field(json_schema_extra=list_map("revision"))] = Field(
        (), description="Revisions that are not tried again; the last 50."
    )
    evidence: Evidence | None = Field(None, description="The rollout that is on.")
    probation: Probation | None = Field(
        None, description="Stable has nothing to be compared with, and is held to its limits: how it has done so far."
    )
    history: Annotated[tuple[HistoryEntry, ...], Field(json_schema_extra=ATOMIC)] = Field(
        (), description="Rollouts that have ended, the last 10, the newest at the end."
    )
    last_request: LastRequest | None = Field(None, description="What somebody last asked for.")
    refresh: str = Field(
        "", description="Nonce of the last refresh: an input of every revision since, so that it is rendered anew."
    )
    selector: str = Field("", description="Selects the serving pods, for autoscalers.")
    replicas: int = Field(0, description="Serving pods, for autoscalers.")
