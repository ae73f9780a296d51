"""What people ask for beside the spec: an annotation, done once, bound to the revision that they saw."""

from collections.abc import Callable
from dataclasses import replace

from fairlead.api.reasons import Reason
from fairlead.api.request import NONCE_LIMIT, InvalidRequest, Request, Verb, parse_request
from fairlead.api.rollout_status import HistoryEntry, LastRequest, Outcome
from fairlead.core.serving.pointers import Pointers
from fairlead.core.serving.probation import put_on
from fairlead.core.serving.rollouts import End, given_up, promoted_by_hand
from fairlead.core.world import ServingWorld

_Done = Pointers | str
"""The pointers after it, or why it cannot be done."""


def _judged_revision(pointers: Pointers) -> str:
    if pointers.rollout:
        return pointers.rollout.contest.candidate
    return pointers.candidate.revision if pointers.candidate else ""


def _promote(world: ServingWorld, pointers: Pointers, request: Request) -> _Done:
    return promoted_by_hand(world, pointers)


def _abort(world: ServingWorld, pointers: Pointers, request: Request) -> _Done:
    if pointers.stable is None:
        return "no revision serves yet: there is nothing to go back to"
    return given_up(world, pointers, End(Outcome.ABORTED, Reason.ABORTED, "by request"))


def _pause(world: ServingWorld, pointers: Pointers, request: Request) -> _Done:
    if pointers.rollout is None:
        return "no rollout is on"
    on = request.verb is Verb.PAUSE
    if pointers.rollout.paused == on:
        return f"it is {'' if on else 'not '}paused already" if on else "it is not paused; spec.paused is the spec's"
    return replace(pointers, rollout=replace(pointers.rollout, paused=on))


def _approve(world: ServingWorld, pointers: Pointers, request: Request) -> _Done:
    if pointers.rollout is None:
        return "no rollout is on"
    step = pointers.rollout.state.step
    if pointers.rollout.promoted or not pointers.rollout.policy.need_of(step).manual:
        return "the step that is on waits for nobody's approval"
    state = replace(pointers.rollout.state, approved=True)
    return replace(pointers, rollout=replace(pointers.rollout, state=state))


def _retry(world: ServingWorld, pointers: Pointers, request: Request) -> _Done:
    """Forgets what is held against a revision, and against every other one with the same files."""
    mine = next((item for item in pointers.quarantine if item.revision == request.revision), None)
    if mine is None and pointers.held_back(request.revision) is None:
        return f"revision {request.revision} is neither quarantined nor held back"
    digest = mine.digest if mine else ""
    kept = tuple(
        item
        for item in pointers.quarantine
        if item.revision != request.revision and not (digest and item.digest == digest)
    )
    entry = HistoryEntry(
        revision=request.revision,
        outcome=Outcome.RETRIED,
        reason=Reason.STARTING.value,
        message="by request",
        ended=world.now,
        told=True,
    )
    forgotten = replace(pointers, quarantine=kept).with_history(entry)
    serves = pointers.failure is not None and pointers.failure.revision == request.revision
    return put_on(world, forgotten) if serves else forgotten


def _refresh(world: ServingWorld, pointers: Pointers, request: Request) -> _Done:
    """The same inputs, rendered with today's defaults, are another revision, which goes out as every new one does."""
    serves = pointers.stable.revision if pointers.stable else "none"
    if request.revision != serves:
        return f"it was about revision {request.revision}, and {serves} serves now"
    if coming := _judged_revision(pointers):
        return f"revision {coming} is on its way, and was rendered with the defaults of its day"
    return replace(pointers, refresh=request.nonce)


_DOES: dict[Verb, Callable[[ServingWorld, Pointers, Request], _Done]] = {
    Verb.PROMOTE: _promote,
    Verb.ABORT: _abort,
    Verb.PAUSE: _pause,
    Verb.RESUME: _pause,
    Verb.APPROVE: _approve,
    Verb.RETRY: _retry,
    Verb.REFRESH: _refresh,
}
_OF_THE_JUDGED = frozenset({Verb.PROMOTE, Verb.ABORT, Verb.PAUSE, Verb.RESUME, Verb.APPROVE})


def _do(world: ServingWorld, pointers: Pointers, request: Request) -> _Done:
    judged = _judged_revision(pointers)
    if request.verb in _OF_THE_JUDGED and request.revision != judged:
        return f"it was about revision {request.revision}, and {judged or 'none'} is on its way now"
    return _DOES[request.verb](world, pointers, request)


def hear(world: ServingWorld, pointers: Pointers) -> Pointers:
    """A request that was not seen before, carried out. What cannot be done, or read, is answered in the status."""
    if not world.request:
        return pointers
    try:
        request = parse_request(world.request)
    except InvalidRequest as error:
        nonce = ascii(world.request)[-NONCE_LIMIT:]  # so that it is answered once
        return _answered(world, pointers, LastRequest(verb="", nonce=nonce, at=world.now, accepted=False), str(error))
    answer = LastRequest(
        verb=request.verb.value, revision=request.revision, nonce=request.nonce, at=world.now, accepted=True
    )
    return _answered(world, pointers, answer, request)


def _answered(world: ServingWorld, pointers: Pointers, answer: LastRequest, asked: Request | str) -> Pointers:
    """Once: whoever asks again takes another nonce. `asked` is the request, or why it is none."""
    if pointers.last_request and pointers.last_request.nonce == answer.nonce:
        return pointers
    if not world.resource.has_status:
        asked = "it is older than the status of this resource, as after a restored backup, and was not carried out"
    done = _do(world, pointers, asked) if isinstance(asked, Request) else asked
    if isinstance(done, str):
        refusal = answer.model_copy(update={"accepted": False, "message": done[:1024]})
        return replace(pointers, last_request=refusal)
    return replace(done, last_request=answer)
