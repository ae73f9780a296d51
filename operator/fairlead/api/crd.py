"""CustomResourceDefinitions from the pydantic models.

A structural schema is a subset of JSON Schema: no `$ref`, no `anyOf` with null, no `const`, numeric bounds in their
old form. The conversion refuses what it does not know, so that nothing is dropped in silence.
Source: Kubernetes documentation, "Specifying a structural schema".
"""

from dataclasses import dataclass
from typing import Any

from fairlead.api.model import ApiModel, cel, rules
from fairlead.api.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus
from fairlead.api.names import GROUP, VERSION
from fairlead.api.training_job import TrainingJobSpec, TrainingJobStatus

_KEPT = frozenset(
    {
        "type", "description", "default", "enum", "format", "pattern", "minimum", "maximum", "minLength", "maxLength",
        "minItems", "maxItems", "minProperties", "maxProperties", "required", "nullable", "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys", "x-kubernetes-validations", "x-kubernetes-int-or-string",
    }
)  # fmt: skip
_DROPPED = frozenset({"title"})


class NotStructural(ValueError):
    """A model uses a shape that a CRD cannot express. The message gives its path."""


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""

    def wire(self) -> dict[str, Any]:
        """The `additionalPrinterColumns` entry."""
        entry: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.path}
        if self.description:
            entry["description"] = self.description
        return entry | ({"priority": self.priority} if self.priority else {})


@dataclass(frozen=True, slots=True)
class Kind:
    """One custom resource."""

    name: str
    plural: str
    short: str
    summary: str
    spec: type[ApiModel]
    status: type[ApiModel]
    columns: tuple[Column, ...]
    rules: tuple[dict[str, str], ...]
    name_limit: int
    scale: bool = False


_EPOCH = cel(
    "!has(oldSelf.status) || !has(oldSelf.status.epoch) || (has(self.status) && has(self.status.epoch) && "
    "self.status.epoch >= oldSelf.status.epoch)",
    "status.epoch never goes back; this writer has been deposed",
    field_path=".status.epoch",
)

_FENCE = cel(
    "!has(oldSelf.status) || !has(oldSelf.status.traffic) || (has(self.status) && has(self.status.traffic) && "
    "(self.status.traffic.epoch > oldSelf.status.traffic.epoch || "
    "(self.status.traffic.epoch == oldSelf.status.traffic.epoch && "
    "self.status.traffic.generation >= oldSelf.status.traffic.generation)))",
    "epoch and generation never go back; this writer has been deposed",
    field_path=".status.traffic",
)

_READY = ".status.conditions[?(@.type=='Ready')]"
_ROLLED_OUT = ".status.conditions[?(@.type=='RolledOut')]"

MODEL_DEPLOYMENT = Kind(
    name="ModelDeployment",
    plural="modeldeployments",
    short="md",
    summary="Serves a registered model, or any container, one immutable revision after the other.",
    spec=ModelDeploymentSpec,
    status=ModelDeploymentStatus,
    columns=(
        Column("Model", ".status.model.name", description="The registered model"),
        Column("Version", ".status.stable.modelVersion", description="The registered version that serves"),
        Column("Stable", ".status.stable.revision", description="The revision that serves"),
        Column("Candidate", ".status.candidate.revision", description="The revision that is coming up"),
        Column("Weight", ".status.evidence.weight", "number", description="The candidate's share, in percent"),
        Column("Phase", ".status.phase"),
        Column("Ready", f"{_READY}.status"),
        Column("Reason", f"{_ROLLED_OUT}.reason", description="Why what is asked for does not serve yet"),
        Column("Message", f"{_ROLLED_OUT}.message", priority=1),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    rules=(_FENCE,),
    name_limit=40,
    scale=True,
)

TRAINING_JOB = Kind(
    name="TrainingJob",
    plural="trainingjobs",
    short="tj",
    summary="Trains a model in a Kubernetes Job and registers it in MLflow.",
    spec=TrainingJobSpec,
    status=TrainingJobStatus,
    columns=(
        Column("Model", ".spec.register.model", description="The registered model"),
        Column("Version", ".status.modelVersion.version", description="The version that was registered"),
        Column("Phase", ".status.phase"),
        Column("Attempt", ".status.attempt", "integer", description="The number of the present attempt, or the last"),
        Column("Reason", f"{_READY}.reason"),
        Column("Message", f"{_READY}.message", priority=1),
        Column("Run", ".status.run.url", priority=1, description="Where MLflow shows the run"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    rules=(_EPOCH,),
    name_limit=51,
)

KINDS = (MODEL_DEPLOYMENT, TRAINING_JOB)


def _resolve(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Inlines a `$ref`; what stands beside it (a description, a default) wins over what it points to."""
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[1]]
        return _resolve({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    return node


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """`anyOf [X, null]` is how pydantic spells an optional field; absence says the same in a CRD."""
    options = [option for option in node["anyOf"] if option != {"type": "null"}]
    if len(options) != 1:
        return node
    merged = {**options[0], **{key: value for key, value in node.items() if key != "anyOf"}}
    if merged.get("default", ...) is None:
        del merged["default"]
    return merged


def _plain(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The node without the three spellings that pydantic has and a CRD has not: `$ref`, null and `const`."""
    node = _resolve(node, definitions)
    if "anyOf" in node and not node.get("x-kubernetes-int-or-string"):
        node = _resolve(_without_null(node), definitions)
    if "const" in node:
        node = {**{key: value for key, value in node.items() if key != "const"}, "enum": [node["const"]]}
    return node


def structural(node: dict[str, Any], definitions: dict[str, Any], path: str = "") -> dict[str, Any]:
    """One JSON Schema node as a structural schema node. NotStructural for what a CRD cannot express."""
    node = _plain(node, definitions)
    if node.get("x-kubernetes-int-or-string"):
        return {key: value for key, value in node.items() if key in _KEPT and key != "type"}
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in _KEPT:
            result[key] = value
        elif key == "properties":
            result[key] = {name: structural(child, definitions, f"{path}.{name}") for name, child in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = structural(value, definitions, f"{path}[]")
        elif key not in _DROPPED:
            raise NotStructural(f"{path or '.'}: a CRD cannot express {key}={str(value)[:80]!r}")
    if "type" not in result:
        raise NotStructural(f"{path or '.'}: a type is missing")
    return result


def schema_of(model: type[ApiModel]) -> dict[str, Any]:
    """The structural schema of a model, by wire names."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    return structural(schema, definitions)


def _name(limit: int) -> dict[str, Any]:
    """DNS-1035, as Services need it, and short enough for the names of children."""
    return {"type": "string", "maxLength": limit, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"}


def render_crd(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    subresources: dict[str, Any] = {"status": {}}
    if kind.scale:
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    root = {
        "type": "object",
        "description": kind.summary,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object", "properties": {"name": _name(kind.name_limit)}},
            "spec": schema_of(kind.spec),
            "status": schema_of(kind.status),
        },
        **rules(*kind.rules),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": ["fairlead"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": root},
                    "subresources": subresources,
                    "additionalPrinterColumns": [column.wire() for column in kind.columns],
                }
            ],
        },
    }
