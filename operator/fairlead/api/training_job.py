"""TrainingJob: trains a model in Kubernetes Jobs, one per attempt, judges it at a gate and registers it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from fairlead.api.conditions import Condition
from fairlead.api.model import ATOMIC, ApiModel, cel, list_map, rules, validated
from fairlead.api.pod import Container, Gpu, Resources
from fairlead.api.scalars import (
    AliasName,
    DurationOrOff,
    ImageReference,
    LoggedModelName,
    LongText,
    MetricName,
    ModelName,
    Quantity,
)
from fairlead.api.workload import PodFields

MOST_ATTEMPTS = 20


class TrainingPhase(StrEnum):
    """Where a TrainingJob stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    GATING = "Gating"
    REGISTERING = "Registering"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class TrainingContainer(Container):
    """The container that trains."""

    image: ImageReference = Field(description="The trainer's image.")


class Compute(ApiModel):
    """What the trainer runs on."""

    resources: Resources | None = Field(None, description="CPU, memory and other resources.")
    gpu: Gpu | None = Field(None, description="GPUs.")
    shared_memory: Quantity | None = Field(None, description="Size of /dev/shm; the container runtime's when absent.")


class GateRule(ApiModel):
    """One bound on one metric of the run. A value that equals a bound passes."""

    model_config = validated(
        cel("has(self.min) || has(self.max)", "expected min, max or both", got="'neither'"),
        cel(
            "!has(self.min) || !has(self.max) || self.min <= self.max",
            "expected min to be at most max",
            got="'min above max'",  # the numbers would cost more than CEL's budget
        ),
    )
    metric: MetricName = Field(description="Name of a metric that the trainer logs in its MLflow run.")
    min: float | None = Field(None, description="The least value that passes.")
    max: float | None = Field(None, description="The greatest value that passes.")


_UNIQUE_METRICS = rules(
    cel("self.all(one, self.exists_one(other, other.metric == one.metric))", "expected each metric once")
)


class Gate(ApiModel):
    """What the model must reach to be registered: every rule has to pass."""

    rules: Annotated[list[GateRule], Field(min_length=1, max_length=32, json_schema_extra=ATOMIC | _UNIQUE_METRICS)] = (
        Field(description="The rules. A metric that is missing, not a number or infinite does not pass.")
    )


class Register(ApiModel):
    """Where the trained model is registered."""

    model_config = validated(
        cel(
            "!has(self.alias) || (self.alias != 'latest' && !self.alias.matches('^v[0-9]+$'))",
            "alias: MLflow keeps latest and v<number> for itself",
        )
    )

    model: ModelName = Field(description="Name of the registered model in MLflow; made when it is missing.")
    alias: AliasName = Field("candidate", description="The alias to move to the new version.")
    artifact: LoggedModelName | None = Field(
        None, description="Name of the logged model to register, for a run that logs several."
    )


_MAY_CHANGE = "only suspend and policy.ttlSecondsAfterFinished may change; delete the TrainingJob and apply it again"


def _frozen(name: str) -> dict[str, str]:
    same = f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"
    return cel(same, f"{name} is immutable: {_MAY_CHANGE}", field_path=f".{name}")


def _immutable_but(*names: str) -> ConfigDict:
    """A rule for each property but these, so that a refusal names the field."""

    def extend(schema: dict[str, Any]) -> None:
        schema.update(rules(*(_frozen(name) for name in schema["properties"] if name not in names)))

    return ConfigDict(json_schema_extra=extend)


class TrainingPolicy(ApiModel):
    """How often, and for how long."""

    model_config = _immutable_but("ttlSecondsAfterFinished")

    max_attempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)] = Field(
        1, description="How often the trainer is started. A pod that the cluster evicts or preempts costs no attempt."
    )
    run_deadline: DurationOrOff = Field(
        "24h",
        description='How long trainers may run, all attempts together; waiting does not count. "off" (in quotes): for '
        "ever.",
    )
    pending_deadline: DurationOrOff = Field(
        "24h",
        description="How long an attempt may be without a running pod, counted afresh each time it waits. "
        '"off" (in quotes): for ever.',
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        86400, description="When the Jobs of a TrainingJob that has ended are deleted. The TrainingJob itself stays."
    )


_FITS_A_VARIABLE = rules(
    # Linux gives a process no variable of more than 128 KiB, and JSON spells a character with up to 6 bytes.
    cel(
        "self.map(name, size(name) + size(self[name])).sum() <= 20000",
        "expected no more than 20000 characters in all, names included: put more into a file",
    )
)


class TrainingJobSpec(PodFields):
    """What to train and where to register it. Immutable but for suspend and policy.ttlSecondsAfterFinished."""

    model_config = _immutable_but("suspend", "policy")

    container: TrainingContainer = Field(description="The container that trains.")
    params: Annotated[dict[str, LongText], Field(max_length=64, json_schema_extra=_FITS_A_VARIABLE)] | None = Field(
        None, description="Parameters for the trainer; it finds them as a JSON object in FAIRLEAD_PARAMS."
    )
    compute: Compute | None = Field(None, description="What the trainer runs on.")
    gate: Gate | None = Field(None, description="What the model must reach to be registered. Absent: nothing.")
    register_: Register = Field(alias="register", description="Where the trained model is registered.")
    policy: TrainingPolicy = Field(
        default_factory=TrainingPolicy, description="How often, and for how long.", json_schema_extra={"default": {}}
    )
    suspend: bool = Field(
        False, description="Stops the trainer and starts none. A training whose trainer has ended well goes on."
    )


class RunStatus(ApiModel):
    """The MLflow run."""

    id: str = Field(description="MLflow's run id.")
    experiment_id: str = Field("", description="MLflow's experiment id.")
    url: str = Field("", description="Where MLflow shows it.")


class AttemptStatus(ApiModel):
    """One attempt, and how it ended."""

    number: int = Field(description="Counted from 1; its Job is <name>-<number>.")
    run_id: str = Field("", description="Its MLflow run.")
    start_time: datetime | None = Field(None, description="When its pod first ran.")
    end_time: datetime | None = Field(None, description="When it ended.")
    reason: Annotated[str, Field(max_length=64)] = Field("", description="How it ended: a word of docs/reasons.md.")
    exit_code: int | None = Field(None, description="The trainer's exit code.")


class GateRuleStatus(ApiModel):
    """One rule and the value that it was held against."""

    metric: str = Field(description="The metric.")
    min: float | None = Field(None, description="As in the rule.")
    max: float | None = Field(None, description="As in the rule.")
    value: float | None = Field(None, description="The metric's last value; absent when missing or not finite.")
    passed: bool = Field(description="Whether it passed.")
    reason: Annotated[str, Field(max_length=64)] = Field("", description="Why it did not.")


class GateStatus(ApiModel):
    """What the gate decided."""

    passed: bool = Field(description="Whether every rule passed.")
    rules: Annotated[tuple[GateRuleStatus, ...], Field(json_schema_extra=ATOMIC)] = Field(
        (), description="The rules, in the order of the spec."
    )


class ModelVersionStatus(ApiModel):
    """The trained model on its way into the registry, and the version that it became."""

    name: str = Field(description="Name of the registered model.")
    model_id: str = Field("", description="MLflow's id of the logged model.")
    digest: str = Field("", description="Digest of the manifest of its files; empty until it is known.")
    version: str = Field("", description="Its version; empty until it is registered.")
    alias: str = Field("", description="The alias that was moved to it; empty when none was.")


class TrainingJobStatus(ApiModel):
    """What the operator saw and did."""

    observed_generation: int = Field(0, description="The generation that this status speaks of.")
    phase: TrainingPhase | None = Field(None, description="Where it stands.")
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = Field(
        (), description="Ready, and Reconciling or Stalled while they hold."
    )
    epoch: int = Field(0, description="The leadership (transitions of the Lease) that wrote this.")
    attempt: int = Field(0, description="The number of the attempt; its Job is <name>-<attempt>.")
    attempts: Annotated[tuple[AttemptStatus, ...], Field(json_schema_extra=list_map("number"))] = Field(
        (), description="Every attempt so far, the first one first."
    )
    run: RunStatus | None = Field(None, description="The MLflow run of the present attempt.")
    metrics: dict[str, float] = Field(
        default_factory=dict, description="Last values of the run's finite metrics, the gate's first; at most 50."
    )
    gate: GateStatus | None = Field(None, description="What the gate decided, with the numbers.")
    exit_code: int | None = Field(None, description="The trainer's exit code.")
    message: str = Field("", description="The trainer's last lines, when it failed.")
    model_version: ModelVersionStatus | None = Field(None, description="The version that was registered.")
    start_time: datetime | None = Field(None, description="When a trainer first ran; absent when none ever did.")
    running_since: datetime | None = Field(None, description="Since when the trainer runs, while it does.")
    running_seconds: int = Field(0, description="How long trainers ran before that, all attempts together.")
    pending_since: datetime | None = Field(None, description="Since when a pod is waited for, while one is.")
    completion_time: datetime | None = Field(None, description="When this TrainingJob ended.")

    @property
    def current_attempt(self) -> int:
        """The number of the attempt that is being made, or was the last one."""
        return max(1, self.attempt)

    @property
    def ended(self) -> bool:
        """Whether the phase is final. It is latched: nothing that happens to the Job later changes it."""
        return self.phase in (TrainingPhase.SUCCEEDED, TrainingPhase.FAILED)
