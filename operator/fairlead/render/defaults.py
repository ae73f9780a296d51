"""What the operator adds to every pod template. A change here reaches new revisions only: templates are stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

MODEL_CONTAINER = "model"
TRAINER_CONTAINER = "trainer"
FETCH_CONTAINER = "fetch-model"
REGISTERING_CONTAINER = "register"
DEFAULT_PORT = 8080
DEFAULT_LOAD_DEADLINE = "10m"
GPU_RESOURCE = "nvidia.com/gpu"
GPU_PRODUCT_LABEL = "nvidia.com/gpu.product"
DRAIN_SECONDS = 5
"""How long a stopping pod goes on answering, while endpoints and proxies forget it."""
LIVENESS_PERIOD_SECONDS = 10
POD_LABELS: dict[str, str] = {}
"""Labels that every pod gets beside those that name it."""
POD_ENV: dict[str, str] = {"PYTHONUNBUFFERED": "1"}
"""Environment variables that every container gets, unless its user sets them."""


@dataclass(frozen=True, slots=True)
class RenderDefaults:
    """The parts that come from the operator's settings."""

    serving_image: str
    image_pull_policy: str
    registry_pod_url: str
    baseline_namespaces: tuple[str, ...] = ()
    registry_pod_secret: str = ""
    """Secret of the pod's namespace whose keys are MLflow's credentials, as variables; empty: none."""
    allow_pickle: bool = False
    """Whether the built-in server loads models that run code as they load."""

    def registry_env_from(self) -> list[dict[str, Any]]:
        """What brings MLflow's credentials into a container that calls it. Never read by the operator."""
        return [{"secretRef": {"name": self.registry_pod_secret}}] if self.registry_pod_secret else []

    def restricted(self, namespace: str) -> bool:
        """Whether pods of this namespace must fit Pod Security `restricted`."""
        return not any(fnmatchcase(namespace, pattern) for pattern in self.baseline_namespaces)


@dataclass(frozen=True, slots=True)
class GatewayDefaults:
    """The parts of a gateway that come from the operator's settings."""

    image: str
    image_pull_policy: str
    replicas: int
    resources: Mapping[str, Mapping[str, str]]
    """Requests and limits of Envoy; the limit on its CPU is the number of its threads."""
    cluster_role: str
    """What the gateway may read; bound in its namespace under the same name."""
    binds: bool
    """Whether the operator binds it; else whoever installs the operator does."""
    evidence_subject: str
    """Who alone may read the evidence: `system:serviceaccount:<namespace>:<name>`."""
    priority_class: str = ""
