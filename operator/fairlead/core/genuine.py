"""Can Fairlead have written this ControllerRevision? Its template becomes pods as it is, so the answer matters.

Whoever may create ControllerRevisions, but no pods, could put one under the name of a coming revision, with our labels
and the owner's UID. So a stored template is only used when it is of the shape that any version of Fairlead renders: no
field that reaches the host, and nobody's Secrets, claims or service account but those that the revision's inputs name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.api.names import LABEL_MODEL_DEPLOYMENT, revision_name
from fairlead.core.compare import digest_of

_POD_FIELDS = frozenset(
    {
        "affinity", "automountServiceAccountToken", "containers", "enableServiceLinks", "imagePullSecrets",
        "initContainers", "nodeSelector", "priorityClassName", "runtimeClassName", "securityContext",
        "serviceAccountName", "terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints", "volumes",
    }
)  # fmt: skip
_CONTAINER_FIELDS = frozenset(
    {
        "args", "command", "env", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "name", "ports",
        "readinessProbe", "resources", "securityContext", "startupProbe", "terminationMessagePolicy", "volumeMounts",
    }
)  # fmt: skip
_SECURITY = {
    "allowPrivilegeEscalation": (False,),
    "capabilities": ({"drop": ["ALL"]},),
    "readOnlyRootFilesystem": (True, False),
    "runAsNonRoot": (True,),
    "seccompProfile": ({"type": "RuntimeDefault"},),
}
"""What each field of a security context may be; one that is absent is decided by the namespace's Pod Security."""
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_PROBE_FIELDS = {"httpGet": {"path", "port"}, "tcpSocket": {"port"}, "grpc": {"port"}}
_EMPTY_DIR = "emptyDir"


def is_genuine_revision(body: Mapping[str, Any]) -> bool:
    """Whether the ControllerRevision is named by its inputs, and its template asks for nothing that they do not."""
    try:
        meta, data = body["metadata"], body["data"]
        inputs, spec = data["inputs"], data["template"]["spec"]
        owner = meta["labels"][LABEL_MODEL_DEPLOYMENT]
        named = meta["name"] == revision_name(owner, digest_of(inputs))
        return named and _is_plain_pod(spec) and _asks_for_no_more(spec, inputs)
    except (KeyError, TypeError, AttributeError, IndexError):
        return False  # of another shape altogether


def _is_plain_pod(spec: Mapping[str, Any]) -> bool:
    """No field of the pod or its containers reaches the host, or asks another host for anything."""
    containers = [*spec["containers"], *(spec.get("initContainers") or ())]
    return set(spec) <= _POD_FIELDS and _is_secure(spec.get("securityContext")) and all(map(_is_plain, containers))


def _is_plain(container: Mapping[str, Any]) -> bool:
    return (
        set(container) <= _CONTAINER_FIELDS
        and _is_secure(container.get("securityContext"))
        and all(set(port) <= {"name", "containerPort", "protocol"} for port in container.get("ports") or ())
        and all(_is_plain_probe(container.get(name) or {}) for name in _PROBES)
        and all(
            hook == "preStop" and set(does) <= {"sleep"} for hook, does in (container.get("lifecycle") or {}).items()
        )
    )


def _is_secure(context: Mapping[str, Any] | None) -> bool:
    return all(value in _SECURITY.get(field, ()) for field, value in (context or {}).items())


def _is_plain_probe(probe: Mapping[str, Any]) -> bool:
    """It asks the container itself: no command, no header, no other host."""
    questions = {name: does for name, does in probe.items() if isinstance(does, Mapping)}
    return all(set(does) <= _PROBE_FIELDS.get(name, set()) for name, does in questions.items())


def _asks_for_no_more(spec: Mapping[str, Any], inputs: Mapping[str, Any]) -> bool:
    """Service account, claims, Secrets and the image are those of the inputs; folders of its own it may have."""
    main, asked = spec["containers"][0], inputs.get("container") or {}
    volumes: Sequence[Mapping[str, Any]] = spec.get("volumes") or ()
    own = [item for item in volumes if item not in (inputs.get("volumes") or ())]
    ours = [item for item in main.get("envFrom") or () if item not in (asked.get("envFrom") or ())]
    account = inputs.get("serviceAccountName")
    return (
        spec.get("serviceAccountName") == account
        and spec["automountServiceAccountToken"] == (account is not None)
        and (spec.get("imagePullSecrets") or []) == (inputs.get("imagePullSecrets") or [])
        and all(set(item) == {"name", _EMPTY_DIR} for item in own)
        and main["image"] == asked.get("image", main["image"])
        and all(main.get(field) == asked.get(field) for field in ("command", "args"))
        and all(set(item) == {"secretRef"} for item in ours)
        and len(ours) <= 1  # the registry's credentials
        and all(item in (asked.get("env") or ()) for item in main.get("env") or () if "valueFrom" in item)
    )
