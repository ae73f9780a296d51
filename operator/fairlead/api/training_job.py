"""TrainingJob: trains a model in a Kubernetes Job and registers it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from fairlead.api.conditions import Condition
from fairlead.api.model import ApiModel, cel, list_map, validated
from fairlead.api.pod import Container, Gpu, Resources
from fairlead.api.scalars import AliasName, ImageReference, LongText, ModelName, Quantity
from fairlead.api.workload import PodFields


class TrainingPhase(StrEnum):
    """Where a TrainingJob stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    REGISTERING = "Registering"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class TrainingContainer(Container):
    """The container that trains."""

    image: ImageReference = Field(description="The trainer's image.")


class Compute(ApiModel):
    """What the trainer runs on."""

    resources: Resources | None = Field(None, description="CPU, memory and other resources.")
    gpu: Gpu | None = Field(None, description="GPUs.")
    shared_memory: Quantity | None = Field(None, description="Size of /dev/shm; the container runtime's when absent.")


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


class TrainingJobSpec(PodFields):
    """What to train and where to register it. Immutable: delete and apply to train again."""

    model_config = validated(
        cel("self == oldSelf", "spec is immutable: delete the TrainingJob and apply it again to train again")
    )
    container: TrainingContainer = Field(description="The container that trains.")
    params: Annotated[dict[str, LongText], Field(max_length=64)] | None = Field(
        None, description="Parameters for the trainer; it finds them as a JSON object in FAIRLEAD_PARAMS."
    )
    compute: Compute | None = Field(None, description="What the trainer runs on.")
    register_: Register = Field(alias="register", description="Where the trained model is registered.")


class RunStatus(ApiModel):
    """The MLflow run."""

    id: str = Field(description="MLflow's run id.")
    experiment_id: str = Field("", description="MLflow's experiment id.")
    url: str = Field("", description="Where MLflow shows it.")


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
    run: RunStatus | None = Field(None, description="The MLflow run.")
    exit_code: int | None = Field(None, description="The trainer's exit code.")
    message: str = Field("", description="The trainer's last lines, when it failed.")
    model_version: ModelVersionStatus | None = Field(None, description="The version that was registered.")
    start_time: datetime | None = Field(None, description="When the trainer started.")
    completion_time: datetime | None = Field(None, description="When this TrainingJob ended.")

    @property
    def ended(self) -> bool:
        """Whether the phase is final. It is latched: nothing that happens to the Job later changes it."""
        return self.phase in (TrainingPhase.SUCCEEDED, TrainingPhase.FAILED)
