"""The allow-listed pod fields, shared by both kinds.

Anything not named here cannot reach a pod: no host paths, no host namespaces, no security context, no pod template.
References name objects of the same namespace; there is no namespace field. No field that becomes part of a revision
has a schema default: the API server would write it into old objects when the default changes, and start rollouts.
"""

from typing import Annotated, Literal

from pydantic import Field

from fairlead.api.model import ATOMIC, ApiModel, cel, list_map, rules, validated
from fairlead.api.names import RESERVED_PREFIXES
from fairlead.api.scalars import (
    AbsolutePath,
    DnsLabel,
    DnsSubdomain,
    EnvName,
    ImageReference,
    LongText,
    Quantity,
    ShortText,
)

LabelMap = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)]
AnnotationMap = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=32)]
QuantityMap = Annotated[dict[str, Quantity], Field(max_length=16)]


def _one_of(*names: str) -> dict[str, str]:
    count = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
    # A literal: `string(number)` has no bound, and the API server refuses a CRD whose rules might cost too much.
    got = f"({count} == 0 ? 'none' : 'several')"
    return cel(f"{count} == 1", f"expected exactly one of {', '.join(names)}", got=got)


def _starts(prefix: str) -> str:
    return f"self.exists(key, key.startsWith('{prefix}'))"


_NOT_RESERVED = rules(
    *(
        cel(f"!{_starts(prefix)}", f"expected no key that starts with {prefix}: it is ours")
        for prefix in RESERVED_PREFIXES
    )
)


class KeyRef(ApiModel):
    """One key of a Secret or ConfigMap in the same namespace."""

    name: DnsSubdomain = Field(description="Name of the object, in the same namespace.")
    key: Annotated[str, Field(max_length=253)] = Field(description="The key in it.")
    optional: bool | None = Field(None, description="Start the container even if the object or the key is missing.")


class FieldRef(ApiModel):
    """A field of the pod itself."""

    field_path: Literal[
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "status.podIP", "status.hostIP"
    ] = Field(description="The pod's field.")


class EnvSource(ApiModel):
    """Where the value of an environment variable comes from."""

    model_config = validated(_one_of("secretKeyRef", "configMapKeyRef", "fieldRef"))
    secret_key_ref: KeyRef | None = Field(None, description="A key of a Secret; Fairlead never reads it.")
    config_map_key_ref: KeyRef | None = Field(None, description="A key of a ConfigMap.")
    field_ref: FieldRef | None = Field(None, description="A field of the pod.")


class EnvVar(ApiModel):
    """One environment variable."""

    model_config = validated(cel("!(has(self.value) && has(self.valueFrom))", "expected value or valueFrom, got both"))
    name: EnvName = Field(description="The variable's name.")
    value: LongText | None = Field(None, description="The value as written.")
    value_from: EnvSource | None = Field(None, description="Where the value comes from instead.")


class ObjectRef(ApiModel):
    """A Secret or ConfigMap of the same namespace."""

    name: DnsSubdomain = Field(description="Name of the object, in the same namespace.")
    optional: bool | None = Field(None, description="Start the container even if the object is missing.")


class EnvFrom(ApiModel):
    """All keys of a Secret or ConfigMap as environment variables."""

    model_config = validated(_one_of("secretRef", "configMapRef"))
    prefix: EnvName | None = Field(None, description="Put before each key.")
    secret_ref: ObjectRef | None = Field(None, description="The Secret.")
    config_map_ref: ObjectRef | None = Field(None, description="The ConfigMap.")


class VolumeMount(ApiModel):
    """Where a volume appears in the container."""

    name: DnsLabel = Field(description="The volume, as named in `volumes`.")
    mount_path: AbsolutePath = Field(description="The folder in the container.")
    sub_path: ShortText | None = Field(None, description="A folder or file inside the volume.")
    read_only: bool | None = Field(None, description="Mount it read-only.")


class KeyToPath(ApiModel):
    """One key of a Secret or ConfigMap as a file."""

    key: Annotated[str, Field(max_length=253)] = Field(description="The key.")
    path: ShortText = Field(description="The file, relative to the volume.")


class PersistentVolumeClaimSource(ApiModel):
    """A claim of the same namespace."""

    claim_name: DnsSubdomain = Field(description="Name of the claim.")
    read_only: bool | None = Field(None, description="Mount it read-only.")


class ConfigMapSource(ApiModel):
    """A ConfigMap as files."""

    name: DnsSubdomain = Field(description="Name of the ConfigMap.")
    items: Annotated[list[KeyToPath], Field(max_length=64, json_schema_extra=list_map("key"))] | None = Field(
        None, description="Only these keys."
    )
    optional: bool | None = Field(None, description="Start even if it is missing.")


class SecretSource(ApiModel):
    """A Secret as files."""

    secret_name: DnsSubdomain = Field(description="Name of the Secret.")
    items: Annotated[list[KeyToPath], Field(max_length=64, json_schema_extra=list_map("key"))] | None = Field(
        None, description="Only these keys."
    )
    optional: bool | None = Field(None, description="Start even if it is missing.")


class EmptyDirSource(ApiModel):
    """An empty folder that lives as long as the pod."""

    medium: Literal["", "Memory"] | None = Field(None, description="`Memory` for a RAM disk.")
    size_limit: Quantity | None = Field(None, description="The most it may hold.")


class ImageSource(ApiModel):
    """An OCI image or artifact as files."""

    reference: ImageReference = Field(description="The image.")
    pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(None, description="When it is pulled.")


class Volume(ApiModel):
    """One volume of the pod."""

    model_config = validated(_one_of("persistentVolumeClaim", "configMap", "secret", "emptyDir", "image"))
    name: DnsLabel = Field(description="Its name, for `volumeMounts`.")
    persistent_volume_claim: PersistentVolumeClaimSource | None = Field(None, description="A claim.")
    config_map: ConfigMapSource | None = Field(None, description="A ConfigMap.")
    secret: SecretSource | None = Field(None, description="A Secret.")
    empty_dir: EmptyDirSource | None = Field(None, description="An empty folder.")
    image: ImageSource | None = Field(None, description="An image.")


class Resources(ApiModel):
    """Compute resources of the container. GPUs have a field of their own, `gpu`."""

    requests: QuantityMap | None = Field(None, description="What the scheduler sets aside.")
    limits: QuantityMap | None = Field(None, description="The most the container may use.")


class Gpu(ApiModel):
    """GPUs of the container."""

    count: Annotated[int, Field(ge=1, le=64)] = Field(description="How many.")
    product: Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*$", max_length=63)] | None = Field(
        None, description="Only nodes whose label `nvidia.com/gpu.product` (GPU feature discovery) says this."
    )
    resource_name: Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$", max_length=127)] | None = Field(
        None, description="The extended resource to ask for; `nvidia.com/gpu` when absent."
    )


class Toleration(ApiModel):
    """A taint that the pod puts up with."""

    key: Annotated[str, Field(max_length=253)] | None = Field(None, description="The taint's key; absent: all.")
    operator: Literal["Exists", "Equal"] | None = Field(None, description="`Equal` when absent.")
    value: Annotated[str, Field(max_length=63)] | None = Field(None, description="The taint's value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(None, description="Absent: all.")
    toleration_seconds: Annotated[int, Field(ge=0)] | None = Field(None, description="For NoExecute, how long.")


class PodMetadata(ApiModel):
    """Labels and annotations for the pods. The prefixes fairlead.dev/ and app.kubernetes.io/ are ours."""

    labels: Annotated[LabelMap, Field(json_schema_extra=_NOT_RESERVED)] | None = Field(
        None, description="Labels to add."
    )
    annotations: Annotated[AnnotationMap, Field(json_schema_extra=_NOT_RESERVED)] | None = Field(
        None, description="Annotations to add."
    )


class Container(ApiModel):
    """The fields that every container of a user has."""

    command: Annotated[list[LongText], Field(max_length=64, json_schema_extra=ATOMIC)] | None = Field(
        None, description="Replaces the image's entry point; no shell is involved."
    )
    args: Annotated[list[LongText], Field(max_length=256, json_schema_extra=ATOMIC)] | None = Field(
        None, description="Arguments of the entry point."
    )
    env: Annotated[list[EnvVar], Field(max_length=128, json_schema_extra=list_map("name"))] | None = Field(
        None, description="Environment variables. Those that Fairlead sets win."
    )
    env_from: Annotated[list[EnvFrom], Field(max_length=16, json_schema_extra=ATOMIC)] | None = Field(
        None, description="Environment variables from whole Secrets and ConfigMaps."
    )
    volume_mounts: (
        Annotated[list[VolumeMount], Field(max_length=32, json_schema_extra=list_map("mountPath"))] | None
    ) = Field(None, description="Where the pod's volumes appear.")
