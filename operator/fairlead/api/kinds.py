"""Where each kind that Fairlead touches lives in the Kubernetes API."""

from dataclasses import dataclass

from fairlead.api.names import API_VERSION


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind and its path: `/api/v1/...` for the core group, `/apis/<group>/<version>/...` for the others."""

    kind: str
    api_version: str
    plural: str

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version in the group."""
        return self.api_version.rpartition("/")[2]

    def path(self, namespace: str = "", name: str = "") -> str:
        """The URL path of one object, of a namespace's objects, or of all."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


MODEL_DEPLOYMENT = ResourceType("ModelDeployment", API_VERSION, "modeldeployments")
TRAINING_JOB = ResourceType("TrainingJob", API_VERSION, "trainingjobs")
CHILDREN = (
    ResourceType("ControllerRevision", "apps/v1", "controllerrevisions"),
    ResourceType("Deployment", "apps/v1", "deployments"),
    ResourceType("Service", "v1", "services"),
    ResourceType("Job", "batch/v1", "jobs"),
    ResourceType("Pod", "v1", "pods"),
    ResourceType("ServiceAccount", "v1", "serviceaccounts"),
    ResourceType("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"),
    ResourceType("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
)
OWNED = (MODEL_DEPLOYMENT, TRAINING_JOB)
WATCHED = (*OWNED, *CHILDREN)
EVENT = ResourceType("Event", "v1", "events")
LEASE = ResourceType("Lease", "coordination.k8s.io/v1", "leases")

BY_KIND = {item.kind: item for item in (*WATCHED, EVENT, LEASE)}
