"""The one vocabulary of reasons: conditions, events, logs and metrics carry the same word for the same thing.

`docs/reasons.md` is generated from here. `stalls` says that nothing moves until someone acts (condition Stalled);
the others are being worked on or retried (condition Reconciling).
"""

from enum import StrEnum

from fairlead.api.explanation import Explanation
from fairlead.api.gateway_reasons import EXPLAINED_GATEWAY
from fairlead.api.rollout_reasons import EXPLAINED_ROLLOUT
from fairlead.api.training_reasons import EXPLAINED_TRAINING


class Reason(StrEnum):
    """Every reason. Add the words that explain it to `EXPLAINED` below."""

    STARTING = "Starting"
    SERVING = "Serving"
    ROLLED_OUT = "RolledOut"
    SCALING = "Scaling"
    PODS_NOT_READY = "PodsNotReady"
    PROGRAMMED = "Programmed"
    GATEWAY_PENDING = "GatewayPending"
    GATEWAY_REJECTED = "GatewayRejected"
    GATEWAY_UNREACHABLE = "GatewayUnreachable"
    GATEWAY_NOT_READY = "GatewayNotReady"
    PORTS_EXHAUSTED = "PortsExhausted"
    MODEL_RESOLVED = "ModelResolved"
    MODEL_NOT_FOUND = "ModelNotFound"
    MODEL_ALIAS_NOT_FOUND = "ModelAliasNotFound"
    MODEL_VERSION_NOT_FOUND = "ModelVersionNotFound"
    REGISTRY_NOT_CONFIGURED = "RegistryNotConfigured"
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"
    REGISTRY_FORBIDDEN = "RegistryForbidden"
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    UNSUPPORTED_FLAVOR = "UnsupportedFlavor"
    DIGEST_MISMATCH = "DigestMismatch"
    CONTAINER_CRASHED = "ContainerCrashed"
    OUT_OF_MEMORY = "OutOfMemory"
    IMAGE_NOT_FOUND = "ImageNotFound"
    IMAGE_DENIED = "ImageDenied"
    IMAGE_INVALID = "ImageInvalid"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 -- a word, not a secret
    CONFIG_MAP_NOT_FOUND = "ConfigMapNotFound"
    CONTAINER_CONFIG_INVALID = "ContainerConfigInvalid"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    PODS_FORBIDDEN = "PodsForbidden"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    PENDING_DEADLINE_EXCEEDED = "PendingDeadlineExceeded"
    IMAGE_NOT_ALLOWED = "ImageNotAllowed"
    SECRET_NOT_ALLOWED = "SecretNotAllowed"  # noqa: S105 -- a word, not a secret
    SERVICE_ACCOUNT_NOT_ALLOWED = "ServiceAccountNotAllowed"
    MODEL_NOT_ALLOWED = "ModelNotAllowed"
    NAME_CONFLICT = "NameConflict"
    REVISION_LOST = "RevisionLost"
    REJECTED = "Rejected"
    INVALID_SPEC = "InvalidSpec"
    PENDING = "Pending"
    TRAINING = "Training"
    RETRYING = "Retrying"
    SUSPENDED = "Suspended"
    GATING = "Gating"
    REGISTERING = "Registering"
    SUCCEEDED = "Succeeded"
    TRAINER_SUCCEEDED = "TrainerSucceeded"
    TRAINER_FAILED = "TrainerFailed"
    RUN_DEADLINE_EXCEEDED = "RunDeadlineExceeded"
    NO_MODEL_LOGGED = "NoModelLogged"
    AMBIGUOUS_MODEL = "AmbiguousModel"
    METRIC_MISSING = "MetricMissing"
    METRIC_NOT_FINITE = "MetricNotFinite"
    GATE_FAILED = "GateFailed"
    JOB_DELETED = "JobDeleted"
    MANIFEST_FAILED = "ManifestFailed"
    ALIAS_CONFLICT = "AliasConflict"
    PAUSED = "Paused"
    ROLLOUTS_FROZEN = "RolloutsFrozen"
    AWAITING_APPROVAL = "AwaitingApproval"
    STEP_PASSED = "StepPassed"
    TOO_FEW_REQUESTS = "TooFewRequests"
    GUARDED = "Guarded"
    ROLLOUTS_LIMITED = "RolloutsLimited"
    ON_PROBATION = "OnProbation"
    PROMOTED = "Promoted"
    SUPERSEDED = "Superseded"
    ABORTED = "Aborted"
    NO_EVIDENCE = "NoEvidence"
    ERRORS_ABOVE_STABLE = "ErrorsAboveStable"
    ERRORS_ABOVE_LIMIT = "ErrorsAboveLimit"
    LATENCY_ABOVE_STABLE = "LatencyAboveStable"
    LATENCY_ABOVE_LIMIT = "LatencyAboveLimit"
    EVERY_REQUEST_FAILED = "EveryRequestFailed"
    CANDIDATE_EJECTED = "CandidateEjected"
    CANDIDATE_OVERLOADED = "CandidateOverloaded"
    STABLE_UNHEALTHY = "StableUnhealthy"
    BRAKED = "Braked"
    COOLING_DOWN = "CoolingDown"
    CLEAN_AGAIN = "CleanAgain"
    ANALYSIS_INCONCLUSIVE = "AnalysisInconclusive"


EXPLAINED: dict[Reason, Explanation] = {
    Reason.STARTING: Explanation(
        "A revision's pods are coming up, or are about to get the traffic.", "Wait; the message says what is missing."
    ),
    Reason.SERVING: Explanation("The stable revision answers.", "Nothing."),
    Reason.ROLLED_OUT: Explanation("What the spec asks for is what serves.", "Nothing."),
    Reason.SCALING: Explanation("The number of pods is changing.", "Wait."),
    Reason.PODS_NOT_READY: Explanation(
        "The serving revision has no ready pod, or fewer than asked for.", "Look at the pods' events and logs."
    ),
    Reason.MODEL_RESOLVED: Explanation("The registry knows the model asked for.", "Nothing."),
    Reason.MODEL_NOT_FOUND: Explanation(
        "The registry has no model of this name.", "Register it, or correct spec.model.name.", stalls=True
    ),
    Reason.MODEL_ALIAS_NOT_FOUND: Explanation(
        "The model has no such alias.", "Set the alias in MLflow, or correct spec.model.alias.", stalls=True
    ),
    Reason.MODEL_VERSION_NOT_FOUND: Explanation(
        "The model has no such version.", "Correct spec.model.version.", stalls=True
    ),
    Reason.REGISTRY_NOT_CONFIGURED: Explanation(
        "The operator has been given no MLflow URL, or credentials that cannot be read.",
        "Set the chart's value registry.url; with credentials, check the Secret of registry.credentialsSecretName.",
        stalls=True,
    ),
    Reason.REGISTRY_UNAVAILABLE: Explanation(
        "MLflow does not answer, or answers with a server error. What runs goes on.", "Look at MLflow; it is retried."
    ),
    Reason.REGISTRY_FORBIDDEN: Explanation(
        "MLflow refuses the request (401 or 403). With 403 its --allowed-hosts often lacks the name the operator uses.",
        "Add the host to MLflow's --allowed-hosts, or correct the credentials.",
        stalls=True,
    ),
    Reason.MODEL_LOAD_FAILED: Explanation(
        "The model server could not load the model's files.", "Read the message; register a version that loads.", True
    ),
    Reason.UNSUPPORTED_FLAVOR: Explanation(
        "The model was saved in a form that the built-in server does not load.",
        "Log it as a scikit-learn model in skops format, or serve it with a container of your own.",
        stalls=True,
    ),
    Reason.DIGEST_MISMATCH: Explanation(
        "The model's files are not those that were registered: one was changed, added or removed since.",
        "Find out who changed them; register the files that you trust as a new version.",
        stalls=True,
    ),
    Reason.CONTAINER_CRASHED: Explanation(
        "The container exited. The message gives its exit code and last lines.",
        "Mend the image or its arguments.",
        True,
    ),
    Reason.OUT_OF_MEMORY: Explanation(
        "The kernel ended the container at its memory limit; of a trainer also: it was killed, and no other cause is "
        "known.",
        "Raise resources.limits.memory.",
        stalls=True,
    ),
    Reason.IMAGE_NOT_FOUND: Explanation(
        "The registry has no such image.", "Correct the image, or push it; the pull is retried.", stalls=True
    ),
    Reason.IMAGE_DENIED: Explanation(
        "The registry refuses the pull.", "Check imagePullSecrets; the pull is retried.", stalls=True
    ),
    Reason.IMAGE_INVALID: Explanation("The image's name cannot be parsed.", "Correct the image.", stalls=True),
    Reason.IMAGE_PULL_FAILED: Explanation(
        "The image could not be pulled (network, time-out, too many requests).", "Wait; the pull is retried."
    ),
    Reason.SECRET_NOT_FOUND: Explanation(
        "A Secret, or a key in it, that the container needs does not exist.", "Create it; the pod starts by itself."
    ),
    Reason.CONFIG_MAP_NOT_FOUND: Explanation(
        "A ConfigMap, or a key in it, that the container needs does not exist.", "Create it; the pod starts by itself."
    ),
    Reason.CONTAINER_CONFIG_INVALID: Explanation(
        "The kubelet cannot make the container from its configuration.",
        "Read the message; correct the container.",
        True,
    ),
    Reason.UNSCHEDULABLE: Explanation(
        "No node fits the pod. The scheduler's message says what is missing.",
        "Free or add capacity, or ask for less; it is scheduled by itself.",
    ),
    Reason.QUOTA_EXCEEDED: Explanation(
        "A ResourceQuota of the namespace refuses the pods.", "Raise the quota or ask for less; it is retried."
    ),
    Reason.PODS_FORBIDDEN: Explanation(
        "The API server refuses the pods (Pod Security, a policy, a missing service account).",
        "Read the message; correct the spec or the policy; it is retried.",
        stalls=True,
    ),
    Reason.PROGRESS_DEADLINE_EXCEEDED: Explanation(
        "The new revision was not ready within rollout.progressDeadline. It is kept, and taken when it becomes ready.",
        "Look at its pods, or apply a corrected spec.",
        stalls=True,
    ),
    Reason.PENDING_DEADLINE_EXCEEDED: Explanation(
        "No pod ran within the pending deadline. A new revision is kept, and taken when it becomes ready; a "
        "TrainingJob has failed, and its Job is deleted. The message says what was waited for.",
        "Free or add capacity, or ask for less; a TrainingJob: then delete it and apply it again.",
        stalls=True,
    ),
    Reason.IMAGE_NOT_ALLOWED: Explanation(
        "The operator's settings do not allow this image.", "Ask for another pattern in allowed.images.", stalls=True
    ),
    Reason.SECRET_NOT_ALLOWED: Explanation(
        "The operator's settings do not allow this Secret.", "Ask for another pattern in allowed.secrets.", stalls=True
    ),
    Reason.SERVICE_ACCOUNT_NOT_ALLOWED: Explanation(
        "The operator's settings do not allow this service account.",
        "Ask for another pattern in allowed.serviceAccounts.",
        stalls=True,
    ),
    Reason.MODEL_NOT_ALLOWED: Explanation(
        "The operator's settings do not let this namespace use this registered model. What serves goes on serving.",
        "Ask for a rule in registry.allow, or use a name that a rule allows.",
        stalls=True,
    ),
    Reason.NAME_CONFLICT: Explanation(
        "An object that is not ours has the name that we need. It is left alone.",
        "Rename or delete it, or rename this resource; it is retried.",
        stalls=True,
    ),
    Reason.REVISION_LOST: Explanation(
        "The ControllerRevision and the Deployment of the serving revision are gone: nothing can rebuild its pods.",
        "Apply the spec again as it was, or a new one.",
        stalls=True,
    ),
    Reason.REJECTED: Explanation(
        "The API server refuses an object that we need to write. The message quotes it.",
        "Correct the field it names; it is retried.",
        stalls=True,
    ),
    Reason.INVALID_SPEC: Explanation(
        "The stored object does not fit the schema of this operator version.",
        "Correct the field it names.",
        stalls=True,
    ),
}
_ELSEWHERE = EXPLAINED_TRAINING | EXPLAINED_ROLLOUT | EXPLAINED_GATEWAY
EXPLAINED |= {Reason(word): explanation for word, explanation in _ELSEWHERE.items()}
