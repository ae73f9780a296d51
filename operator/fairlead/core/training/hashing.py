"""Gets the digest of a logged model's files from the registering Job, and says why it is not there yet.

The pod may go at any time: its last words are read once and latched in the status. A Job that ended well but whose
pod is gone, and one that could not do its work, are deleted and made anew under the same name. A training that took
days is not thrown away because an image or a quota was wrong: only a model without files ends the TrainingJob.
"""

import json
import re
from datetime import timedelta
from typing import Any

from fairlead.api.names import ANNOTATION_APPLIED, registering_name
from fairlead.api.observed import ObservedContainer
from fairlead.api.reasons import Reason
from fairlead.api.training_job import ModelVersionStatus, TrainingPhase
from fairlead.core.compare import stamped
from fairlead.core.effects import Apply, Delete, ObjectRef, Plan
from fairlead.core.findings import (
    LOAD_ERROR_EXIT_CODE,
    Finding,
    Symptoms,
    describe_exit,
    inspect,
    refusal_finding,
)
from fairlead.core.training.status import fail, make_plan, make_status, registry_waits
from fairlead.core.world import Registering, RegistryProblem, TrainingWorld
from fairlead.render.registering import render_registering_job

STARTING_POLL_SECONDS = 2.0
BLOCKED_POLL_SECONDS = 10.0
POD_GRACE = timedelta(seconds=5)
"""The watch of pods may be this much behind that of Jobs."""
RETRY_AFTER = timedelta(seconds=60)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def parse_digest(message: str) -> str | None:
    """The digest in the last words of a registering pod that ended well; None when they are anything else."""
    try:
        digest = json.loads(message)["digest"]
    except (ValueError, TypeError, KeyError):
        return None
    return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None


def ask_digest(world: TrainingWorld, known: ModelVersionStatus) -> Plan:
    """The next step to the digest of the logged model `known.model_id`."""
    made = world.registering
    if made is None:
        return _start(world, known)
    if made.job.complete:
        return _read(world, known, made)
    if made.job.failed:
        return _failure(world, made)
    return _watch(world, known, made)


def _ref(world: TrainingWorld) -> ObjectRef:
    return ObjectRef("Job", registering_name(world.resource.meta.name, world.resource.status.current_attempt))


def _job(world: TrainingWorld, known: ModelVersionStatus) -> dict[str, Any]:
    resource = world.resource
    assert resource.status.run  # noqa: S101 -- it was opened before the trainer was started
    job = render_registering_job(
        resource.meta,
        resource.spec,
        run=resource.status.run,
        model_id=known.model_id,
        attempt=resource.status.current_attempt,
        defaults=world.defaults,
    )
    return stamped(job)


def _say(world: TrainingWorld, finding: Finding, wait: float | None) -> Plan:
    return make_plan(world, make_status(world, TrainingPhase.REGISTERING, finding.reason, finding.message), wait=wait)


def _start(world: TrainingWorld, known: ModelVersionStatus) -> Plan:
    """No Job: make it, unless the version is there already or the name is taken."""
    ref = _ref(world)
    if (child := world.children.get(ref)) is not None and not child.ours:
        text = f"{ref.kind} {ref.name} exists and is not controlled by this TrainingJob; it is left alone"
        return _say(world, Finding(Reason.NAME_CONFLICT, text), BLOCKED_POLL_SECONDS)
    if isinstance(world.registry, RegistryProblem):
        return registry_waits(world, world.registry, TrainingPhase.REGISTERING)
    if found := world.registry.version:
        # An earlier life registered it, and the status that said so was lost: its files are not hashed again.
        latched = known.model_copy(update={"digest": found.digest, "version": found.number})
        text = f"found {known.name} version {found.number}, registered before"
        status = make_status(world, TrainingPhase.REGISTERING, Reason.REGISTERING, text, model_version=latched)
        return make_plan(world, status)
    if world.refused:
        return _say(world, Finding(Reason.REJECTED, world.refused), BLOCKED_POLL_SECONDS)
    return Plan((Apply(_job(world, known), absent=True),))


def _watch(world: TrainingWorld, known: ModelVersionStatus, made: Registering) -> Plan:
    """The Job is under way: say what keeps its pod from running."""
    ref = _ref(world)
    meta: Any = world.children[ref].manifest["metadata"]
    if meta.get("annotations", {}).get(ANNOTATION_APPLIED) != _job(world, known)["metadata"]["annotations"].get(
        ANNOTATION_APPLIED
    ):
        return Plan((Delete(ref, made.job.uid),))  # the settings have changed: another image may be the one that runs
    finding = inspect(Symptoms(None, made.pods, builtin_server=False, now=world.now))
    if finding and finding.reason in (Reason.CONTAINER_CRASHED, Reason.OUT_OF_MEMORY):
        finding = None  # the Job controller tries again, or is about to say that it failed
    if finding is None and made.warning and not made.pods:
        finding = refusal_finding(made.warning)
    running = any(pod.phase == "Running" for pod in made.pods)
    wait = None if running else STARTING_POLL_SECONDS
    if finding:
        return _say(world, finding, wait)
    said = next(iter(world.resource.status.conditions), None)
    if said and said.reason in (Reason.REGISTERING, Reason.MANIFEST_FAILED):
        # What the gate decided stays said, and what failed does until a pod does better.
        return _say(world, Finding(Reason(said.reason), said.message), wait)
    return _say(world, Finding(Reason.REGISTERING, f"hashing the files of logged model {known.model_id}"), wait)


def _read(world: TrainingWorld, known: ModelVersionStatus, made: Registering) -> Plan:
    """The Job ended well: latch the digest that its pod told."""
    said = [item.exit_message for pod in made.pods for item in pod.containers if item.exit_code == 0]
    if not said:
        finished = made.job.finished
        if finished is not None and world.now - finished < POD_GRACE:
            return Plan((), POD_GRACE.total_seconds())
        return Plan((Delete(_ref(world), made.job.uid),))
    digest = next((found for message in said if (found := parse_digest(message))), None)
    if digest is None:
        expected = 'expected {"digest": "sha256:<64 hex digits>"} as the last words of the registering pod'
        return _again_later(world, made, f"{expected}, got {said[0]!r:.100}; is serving.image Fairlead's own?")
    text = f"{known.model_id} has the digest {digest}"
    status = make_status(
        world,
        TrainingPhase.REGISTERING,
        Reason.REGISTERING,
        text,
        model_version=known.model_copy(update={"digest": digest}),
    )
    return make_plan(world, status)


def _failure(world: TrainingWorld, made: Registering) -> Plan:
    """The Job gave up: for good when the model has no files, for a while otherwise."""
    pods = sorted(made.pods, key=lambda pod: pod.created or world.now)
    exits = [item for pod in pods for item in pod.containers if item.exit_code not in (None, 0)]
    if not exits:
        return _again_later(world, made, made.job.failure)
    reason, text = _last_words(exits[-1])
    if reason == "ModelNotFound":
        return fail(world, Finding(Reason.MANIFEST_FAILED, text, final=True))
    return _again_later(world, made, text)


def _last_words(container: ObservedContainer) -> tuple[str, str]:
    """The reason that the manifest command gives, empty for any other end; and a message."""
    if container.exit_code == LOAD_ERROR_EXIT_CODE:
        try:
            said = json.loads(container.exit_message)
            return str(said["reason"]), f"{said['reason']}: {said['message']}"
        except (ValueError, TypeError, KeyError):
            pass
    return "", describe_exit(container)


def _again_later(world: TrainingWorld, made: Registering, text: str) -> Plan:
    """Say why there is no digest; a while after its end the Job is made anew."""
    left = RETRY_AFTER - (world.now - (made.job.finished or world.now))
    if left <= timedelta():
        return Plan((Delete(_ref(world), made.job.uid),))
    return _say(world, Finding(Reason.MANIFEST_FAILED, text), left.total_seconds())
