"""One frozen picture of the world per decision: the custom resource, its children, the registry's answer, the time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fairlead.api.gateway_evidence import PodEvidence
from fairlead.api.manifests import Manifest
from fairlead.api.model_deployment import ResolvedModel
from fairlead.api.observed import ObservedJob, ObservedPod, ObservedRevision, ObservedWorkload
from fairlead.api.reasons import Reason
from fairlead.api.resource import Meta, ModelDeployment, TrainingJob
from fairlead.core.effects import ObjectRef, Remembered
from fairlead.core.evidence.sample import STALE_SECONDS
from fairlead.render.defaults import GatewayDefaults, RenderDefaults


@dataclass(frozen=True, slots=True)
class RegistryProblem:
    """The registry did not answer, or said no."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The registry has been asked; its answer, or that there is none, is a matter of seconds."""


@dataclass(frozen=True, slots=True)
class ModelRule:
    """Registered models that namespaces may read, register and alias: glob patterns of both.

    `{namespace}` in a model's pattern stands for the namespace that asks.
    """

    namespaces: tuple[str, ...]
    models: tuple[str, ...]


EVERY_MODEL = ModelRule(("*",), ("*",))


@dataclass(frozen=True, slots=True)
class Allowed:
    """Glob patterns of what the administrator lets custom resources name."""

    images: tuple[str, ...] = ("*",)
    secrets: tuple[str, ...] = ("*",)
    service_accounts: tuple[str, ...] = ("*",)
    models: tuple[ModelRule, ...] = (EVERY_MODEL,)


@dataclass(frozen=True, slots=True)
class Child:
    """An object under a name of ours. `ours`: its controller is this custom resource (by UID)."""

    manifest: Manifest
    uid: str
    ours: bool


Children = Mapping[ObjectRef, Child]


@dataclass(frozen=True, slots=True)
class Report:
    """What a gateway pod last said of one ModelDeployment: what it serves, and why it does not serve what it should."""

    generation: int
    """Of `status.traffic`, as Envoy serves it now."""
    epoch: int
    rejected_reason: str = ""
    """Why the newest `status.traffic` is not served; empty: it was not refused."""
    rejected_message: str = ""


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """The namespace's gateway, as far as it concerns one ModelDeployment."""

    workload: ObservedWorkload | None = None
    pods: tuple[ObservedPod, ...] = ()
    reports: Mapping[str, Report] = field(default_factory=dict)
    """By pod, of those that answer the operator and know this ModelDeployment."""
    silent: frozenset[str] = frozenset()
    """Pods that have not answered several times in a row. One that is in neither was not asked yet."""
    conflict: ObjectRef | None = None
    """A name that the gateway needs and that a foreign object has."""
    refused: str = ""
    """What the API server said when it last refused one of the gateway's objects."""
    known: bool = True
    """Whether this operator has looked at it yet."""

    @property
    def ready_pods(self) -> tuple[str, ...]:
        """The pods that users' requests reach, by name."""
        return tuple(pod.name for pod in self.pods if pod.ready and not pod.deleting)


@dataclass(frozen=True, slots=True)
class RolloutRules:
    """What the operator's settings say of rollouts, as things stand."""

    frozen: bool = False
    """None begins, and none moves."""
    room: bool = True
    """Another one may begin."""


@dataclass(frozen=True, slots=True)
class ServingWorld:
    """All that a decision about a ModelDeployment may depend on."""

    resource: ModelDeployment
    children: Children
    revisions: tuple[ObservedRevision, ...]
    workloads: Mapping[str, ObservedWorkload]
    pods: tuple[ObservedPod, ...]
    model: ResolvedModel | RegistryProblem | Unanswered | None
    defaults: RenderDefaults
    allowed: Allowed
    retirement_grace_seconds: float
    epoch: int
    now: datetime
    refused: str = ""
    """What the API server said when it last refused one of our writes for this generation."""
    now_seconds: float | None = None
    """`now` with its fractions, since 1970; None: whole seconds are all that is known."""
    port: int | None = None
    """The gateway's port that is this ModelDeployment's; None: none is free."""
    gateway: GatewayFacts = GatewayFacts()
    evidence: Mapping[str, PodEvidence] = field(default_factory=dict)
    """What the namespace's gateway pods last counted, by pod."""
    evidence_stale_seconds: float = STALE_SECONDS
    """For how long that may have nothing new."""
    remembered: Remembered | None = None
    """What this operator knows of the rollout that is on beyond its status."""
    rollouts: RolloutRules = RolloutRules()
    request: str = ""
    """The annotation fairlead.dev/request."""
    told: frozenset[tuple[str, str]] = frozenset()
    """Ends of rollouts that the registry has heard of: revision, and when it ended."""

    @property
    def at_seconds(self) -> float:
        """The moment of a look. They come every second: by whole seconds two could be at the same one, and the newer
        one forgotten."""
        return self.now.timestamp() if self.now_seconds is None else self.now_seconds


@dataclass(frozen=True, slots=True)
class GatewayWorld:
    """All that a decision about a namespace's gateway may depend on."""

    namespace: str
    owners: tuple[Meta, ...]
    """The ModelDeployments of the namespace that are not being deleted."""
    children: Children
    defaults: GatewayDefaults
    refused: str = ""


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model that the trainer logged in its run."""

    model_id: str
    source: str
    name: str = "model"


@dataclass(frozen=True, slots=True)
class Run:
    """An MLflow run."""

    run_id: str
    experiment_id: str
    url: str
    status: str
    """RUNNING, SCHEDULED, FINISHED, FAILED or KILLED. A trainer that was killed leaves it RUNNING, one that calls
    `sys.exit(0)` inside its run leaves it FAILED: the Job's end is the truth, and the run is made to say the same."""
    attempt: int = 1
    gate: str = ""
    """What the tag fairlead.gate says: `failed`, or nothing."""
    git_commit: str = ""
    """The commit of the trainer's code, when the trainer says it (MLflow's own tag)."""


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version: its number, and the digest in its tag (empty: none)."""

    number: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """Where an alias of the registered model points, and who says so."""

    version: str = ""
    """Empty: there is no such alias."""
    writer: str = ""
    """The writer that is recorded for it: `<operator id>/<namespace>`; empty: none."""
    trained: bool = False
    """Whether the version that it points at was registered for a TrainingJob."""


@dataclass(frozen=True, slots=True)
class RegistryFacts:
    """What the registry knows of a TrainingJob. Gathered only as far as the phase needs it."""

    run: Run | None = None
    logged_models: tuple[LoggedModel, ...] = ()
    version: Version | None = None
    alias: Alias = Alias()
    former_runs: tuple[Run, ...] = ()
    """Runs of earlier attempts."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The last value of every metric of the run; NaN and infinite ones, too."""


@dataclass(frozen=True, slots=True)
class Registering:
    """The Job that hashes the logged model's files, and its pods."""

    job: ObservedJob
    pods: tuple[ObservedPod, ...] = ()
    warning: str = ""
    """The newest warning event about the Job, while it has no pod."""


@dataclass(frozen=True, slots=True)
class TrainingWorld:
    """All that a decision about a TrainingJob may depend on."""

    resource: TrainingJob
    children: Children
    job: ObservedJob | None
    pods: tuple[ObservedPod, ...]
    registry: RegistryFacts | RegistryProblem
    defaults: RenderDefaults
    allowed: Allowed
    operator_id: str
    epoch: int
    now: datetime
    job_warning: str = ""
    """The newest warning event about the Job: the Job controller tells nowhere else why it may not create a pod."""
    registering: Registering | None = None
    refused: str = ""
