"""What a TrainingJob and a ModelDeployment both say of their pods."""

from typing import Annotated

from pydantic import Field

from fairlead.api.model import ATOMIC, ApiModel, list_map
from fairlead.api.pod import PodMetadata, Toleration, Volume
from fairlead.api.scalars import DnsSubdomain
from fairlead.api.scheduling import Affinity, TopologySpread

SelectorValue = Annotated[str, Field(max_length=63)]


class PullSecretRef(ApiModel):
    """A Secret with registry credentials, in the same namespace."""

    name: DnsSubdomain = Field(description="Name of the Secret.")


class PodFields(ApiModel):
    """Pod fields beside the container's own."""

    volumes: Annotated[list[Volume], Field(max_length=32, json_schema_extra=list_map("name"))] | None = Field(
        None, description="Volumes of the pod."
    )
    image_pull_secrets: (
        Annotated[list[PullSecretRef], Field(max_length=8, json_schema_extra=list_map("name"))] | None
    ) = Field(None, description="Secrets with registry credentials.")
    service_account_name: DnsSubdomain | None = Field(
        None, description="Service account of the pods. Its token is mounted only when this is set."
    )
    pod_metadata: PodMetadata | None = Field(None, description="Labels and annotations for the pods.")
    node_selector: Annotated[dict[str, SelectorValue], Field(max_length=32)] | None = Field(
        None, description="Labels that a node must have."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=32, json_schema_extra=ATOMIC)] | None = Field(
        None, description="Taints that the pods put up with. The GPU taint is added when `gpu` is set."
    )
    affinity: Affinity | None = Field(None, description="Affinity to nodes and pods.")
    topology_spread: Annotated[list[TopologySpread], Field(max_length=8, json_schema_extra=ATOMIC)] | None = Field(
        None, description="How the pods spread over places."
    )
    priority_class_name: DnsSubdomain | None = Field(None, description="Priority class of the pods.")
    runtime_class_name: DnsSubdomain | None = Field(None, description="Runtime class of the pods.")
    termination_grace_period_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        None, description="How long a pod may take to stop."
    )
