"""Where pods may run: affinity and topology spread, as Kubernetes spells them, typed so that mistakes show at once."""

from typing import Annotated, Literal

from pydantic import Field

from fairlead.api.model import ATOMIC, ApiModel
from fairlead.api.pod import LabelMap

Weight = Annotated[int, Field(ge=1, le=100)]
Values = Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=64, json_schema_extra=ATOMIC)]
LabelKey = Annotated[str, Field(max_length=317)]


class NodeRequirement(ApiModel):
    """One condition on a node's labels or fields."""

    key: LabelKey = Field(description="The label or field.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(description="How it is compared.")
    values: Values | None = Field(None, description="What it is compared with.")


Requirements = Annotated[list[NodeRequirement], Field(max_length=32, json_schema_extra=ATOMIC)]


class NodeTerm(ApiModel):
    """Conditions that must all hold."""

    match_expressions: Requirements | None = Field(None, description="On the node's labels.")
    match_fields: Requirements | None = Field(None, description="On the node's fields.")


class NodeSelectorTerms(ApiModel):
    """Terms of which one must hold."""

    node_selector_terms: Annotated[list[NodeTerm], Field(min_length=1, max_length=16, json_schema_extra=ATOMIC)] = (
        Field(description="The terms.")
    )


class PreferredNodeTerm(ApiModel):
    """A term that attracts."""

    weight: Weight = Field(description="How much, 1 to 100.")
    preference: NodeTerm = Field(description="The term.")


class NodeAffinity(ApiModel):
    """Which nodes."""

    required_during_scheduling_ignored_during_execution: NodeSelectorTerms | None = Field(
        None, description="The pod runs nowhere else."
    )
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[list[PreferredNodeTerm], Field(max_length=16, json_schema_extra=ATOMIC)] | None
    ) = Field(None, description="The pod rather runs there.")


class LabelRequirement(ApiModel):
    """One condition on labels."""

    key: LabelKey = Field(description="The label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How it is compared.")
    values: Values | None = Field(None, description="What it is compared with.")


class LabelSelector(ApiModel):
    """Conditions on a pod's labels, all of which must hold."""

    match_labels: LabelMap | None = Field(None, description="Labels with just these values.")
    match_expressions: Annotated[list[LabelRequirement], Field(max_length=32, json_schema_extra=ATOMIC)] | None = Field(
        None, description="Further conditions."
    )


class PodTerm(ApiModel):
    """Pods of the same namespace, and the topology they are counted in."""

    label_selector: LabelSelector | None = Field(None, description="Which pods.")
    topology_key: LabelKey = Field(description="The node label that makes a place, such as kubernetes.io/hostname.")


class PreferredPodTerm(ApiModel):
    """A term that attracts."""

    weight: Weight = Field(description="How much, 1 to 100.")
    pod_affinity_term: PodTerm = Field(description="The term.")


PodTerms = Annotated[list[PodTerm], Field(max_length=16, json_schema_extra=ATOMIC)]
PreferredPodTerms = Annotated[list[PreferredPodTerm], Field(max_length=16, json_schema_extra=ATOMIC)]


class PodAffinity(ApiModel):
    """Near which pods, or away from which."""

    required_during_scheduling_ignored_during_execution: PodTerms | None = Field(
        None, description="The pod runs nowhere else."
    )
    preferred_during_scheduling_ignored_during_execution: PreferredPodTerms | None = Field(
        None, description="The pod rather runs there."
    )


class Affinity(ApiModel):
    """Scheduling affinity."""

    node_affinity: NodeAffinity | None = Field(None, description="Which nodes.")
    pod_affinity: PodAffinity | None = Field(None, description="Near which pods.")
    pod_anti_affinity: PodAffinity | None = Field(None, description="Away from which pods.")


class TopologySpread(ApiModel):
    """How the pods of a revision spread. The selector is theirs."""

    max_skew: Annotated[int, Field(ge=1, le=1000)] = Field(description="The largest difference between two places.")
    topology_key: LabelKey = Field(description="The node label that makes a place.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(description="What happens when it can't.")
