"""Names that Fairlead writes into a cluster: API group, labels, annotations, and the names of child objects."""

GROUP = "fairlead.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

FIELD_MANAGER = "fairlead"
"""The server-side-apply manager of every child object."""

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_NAME = "app.kubernetes.io/name"
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_REVISION = f"{GROUP}/revision"
LABEL_MODEL_DEPLOYMENT = f"{GROUP}/modeldeployment"
LABEL_TRAINING_JOB = f"{GROUP}/trainingjob"
LABEL_ATTEMPT = f"{GROUP}/attempt"

ANNOTATION_APPLIED = f"{GROUP}/applied"
"""Hash of the manifest that we last applied: tells a change of ours from a field that the API server defaulted."""

ANNOTATION_ROLE = f"{GROUP}/role"
"""On a ControllerRevision: stable, candidate or previous. Repaired from status; read only when a status was lost."""

ANNOTATION_QUARANTINE = f"{GROUP}/quarantine"
"""On a ControllerRevision that is not tried again: why, in one word. Read only when a status was lost."""

ANNOTATION_REQUEST = f"{GROUP}/request"
"""On a ModelDeployment: `<verb>@<revision>#<nonce>`, what somebody asks for beside the spec. Never deleted."""

GATEWAY = "fairlead-gateway"
"""The name of a gateway's objects, and the label of its name by which Services and the operator find its pods."""
GATEWAY_COMPONENT = "gateway"

MANAGED_BY = "fairlead"
MANAGED_SELECTOR = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
RESERVED_PREFIXES = (f"{GROUP}/", "app.kubernetes.io/")
"""Label and annotation prefixes that a user's `podMetadata` may not use."""

MODEL_MOUNT_PATH = "/mnt/model"
"""Where a user's container finds the model, when both `model` and `container.image` are given."""


def revision_name(owner: str, digest: str) -> str:
    """`<owner>-<first 8 hex digits of the digest>`; `owner` has at most 40 characters (a CEL rule keeps it so)."""
    return f"{owner}-{digest[:8]}"


def attempt_name(owner: str, attempt: int) -> str:
    """The Job of one attempt. Deterministic, so that a Job is never created twice."""
    return f"{owner}-{attempt}"


def registering_name(owner: str, attempt: int) -> str:
    """The Job that hashes an attempt's model. `owner` is short enough for it (the CRD's limit on the name)."""
    return f"{attempt_name(owner, attempt)}-register"
