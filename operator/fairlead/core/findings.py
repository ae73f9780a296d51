"""Why pods do not run: an ordered list of small checks, the most telling first.

Each check returns a finding or nothing. `final` findings stall the revision until someone acts, `quarantine` ones are
not tried again while another revision serves, `pending` ones wait for room in the cluster.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fairlead.api.observed import ObservedContainer, ObservedPod, ObservedWorkload
from fairlead.api.reasons import Reason
from fairlead.render.defaults import FETCH_CONTAINER

LOAD_ERROR_EXIT_CODE = 3
"""The built-in server's exit code when it says in its termination message why it could not load the model."""

_LOAD_REASONS = {
    "ModelLoadFailed": Reason.MODEL_LOAD_FAILED,
    "UnsupportedFlavor": Reason.UNSUPPORTED_FLAVOR,
    "DigestMismatch": Reason.DIGEST_MISMATCH,
    "ModelNotFound": Reason.MODEL_VERSION_NOT_FOUND,
    "RegistryUnavailable": Reason.REGISTRY_UNAVAILABLE,
}
_PULL_WAITS = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
SECOND_PULL_AFTER = timedelta(seconds=15)
"""The kubelet's first back-off between two pulls is 10 s: a pod that still waits after this has failed twice."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason, with what was seen."""

    reason: Reason
    message: str
    final: bool = False
    quarantine: bool = False
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Symptoms:
    """What the checks look at: one revision's Deployment (None for a Job) and pods, at `now`."""

    workload: ObservedWorkload | None
    pods: tuple[ObservedPod, ...]
    builtin_server: bool
    now: datetime


def _containers(symptoms: Symptoms) -> Iterator[tuple[ObservedPod, ObservedContainer]]:
    """The containers of pods that do not answer; what a ready pod went through before is history."""
    for pod in symptoms.pods:
        if pod.ready:
            continue
        for container in pod.containers:
            yield pod, container


SIGKILL_EXIT_CODE = 137


def describe_exit(container: ObservedContainer) -> str:
    """`container "model" exited with code 7: last lines`."""
    said = f": {container.exit_message}" if container.exit_message else ""
    # containerd tells of the memory limit in an event of its own, which a busy node may see only after the exit.
    killed = container.exit_code == SIGKILL_EXIT_CODE and container.exit_reason != "OOMKilled"
    hint = " (killed, perhaps at its memory limit: the node does not say)" if killed else ""
    return f'container "{container.name}" exited with code {container.exit_code}{hint}{said}'


def describe_limit(container: ObservedContainer) -> str:
    """`it was ended at its memory limit of 512Mi`."""
    if not container.memory_limit:
        return "memory ran out, and it has no limit of its own"
    return f"it was ended at its memory limit of {container.memory_limit}"


def refusal_finding(text: str) -> Finding:
    """The finding for a controller that was not allowed to create a pod, by the API server's words."""
    if "exceeded quota" in text:
        return Finding(Reason.QUOTA_EXCEEDED, text, pending=True)
    return Finding(Reason.PODS_FORBIDDEN, text, final=True)


def pods_refused(symptoms: Symptoms) -> Finding | None:
    """The API server refuses the pods: quota, Pod Security, a policy."""
    text = symptoms.workload.refusal if symptoms.workload else ""
    return refusal_finding(text) if text else None


def load_failed(symptoms: Symptoms) -> Finding | None:
    """The built-in server said why it could not load the model."""
    for pod, container in _containers(symptoms):
        if container.exit_code != LOAD_ERROR_EXIT_CODE:
            continue
        if not symptoms.builtin_server and container.name != FETCH_CONTAINER:
            continue
        try:
            said = json.loads(container.exit_message)
            reason, message = _LOAD_REASONS[said["reason"]], str(said.get("message", ""))
        except (ValueError, TypeError, KeyError):
            continue
        final = reason is not Reason.REGISTRY_UNAVAILABLE
        return Finding(reason, f"pod {pod.name}: {message}", final=final, quarantine=final)
    return None


def crashed(symptoms: Symptoms) -> Finding | None:
    """A container exited. The first exit is shown, the second one is the verdict."""
    for pod, container in _containers(symptoms):
        # A container that runs again is still the one that crashed, until it is ready: the reason must not flap.
        if container.exit_code is None or (container.name == FETCH_CONTAINER and container.exit_code == 0):
            continue
        again = container.exits >= 2
        if container.exit_reason == "OOMKilled":
            message = f"pod {pod.name}: {describe_exit(container)}; {describe_limit(container)}"
            return Finding(Reason.OUT_OF_MEMORY, message, final=again, quarantine=again)
        message = f"pod {pod.name}: {describe_exit(container)}"
        return Finding(Reason.CONTAINER_CRASHED, message, final=again, quarantine=again)
    return None


def _pull_reason(container: ObservedContainer) -> Reason:
    text = container.waiting_message.lower()
    if container.waiting_reason == "InvalidImageName":
        return Reason.IMAGE_INVALID
    if "not found" in text or container.waiting_reason == "ErrImageNeverPull":
        return Reason.IMAGE_NOT_FOUND
    if any(word in text for word in ("unauthorized", "denied", "forbidden")):
        return Reason.IMAGE_DENIED
    return Reason.IMAGE_PULL_FAILED


def image_missing(symptoms: Symptoms) -> Finding | None:
    """The image cannot be pulled."""
    for pod, container in _containers(symptoms):
        if container.waiting_reason not in _PULL_WAITS:
            continue
        reason = _pull_reason(container)
        twice = pod.created is None or symptoms.now - pod.created >= SECOND_PULL_AFTER
        final = reason is Reason.IMAGE_INVALID or (reason is not Reason.IMAGE_PULL_FAILED and twice)
        return Finding(reason, f"pod {pod.name}: {container.waiting_message}", final=final)
    return None


def config_missing(symptoms: Symptoms) -> Finding | None:
    """The kubelet cannot make the container: a Secret or ConfigMap is missing, the image would run as root."""
    for pod, container in _containers(symptoms):
        if container.waiting_reason not in ("CreateContainerConfigError", "CreateContainerError"):
            continue
        text = container.waiting_message
        message = f"pod {pod.name}: {text}"
        if "secret" in text.lower():
            return Finding(Reason.SECRET_NOT_FOUND, message)
        if "configmap" in text.lower():
            return Finding(Reason.CONFIG_MAP_NOT_FOUND, message)
        return Finding(Reason.CONTAINER_CONFIG_INVALID, message, final=True)
    return None


def unschedulable(symptoms: Symptoms) -> Finding | None:
    """No node fits."""
    for pod in symptoms.pods:
        if pod.unschedulable:
            return Finding(Reason.UNSCHEDULABLE, f"pod {pod.name}: {pod.unschedulable}", pending=True)
    return None


CHECKS = (load_failed, crashed, image_missing, config_missing, pods_refused, unschedulable)


def inspect(symptoms: Symptoms) -> Finding | None:
    """The first finding, or None when nothing is wrong with the pods."""
    for check in CHECKS:
        finding = check(symptoms)
        if finding is not None:
            return finding
    return None
