"""Sends a request and waits until the operator has answered it."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import click

from fairlead.api.kinds import MODEL_DEPLOYMENT
from fairlead.api.names import ANNOTATION_REQUEST
from fairlead.api.request import Request, Verb
from fairlead.api.resource import parse_model_deployment
from fairlead.api.rollout_status import LastRequest
from fairlead.cli.plugin.binding import bind
from fairlead.cli.plugin.cluster import UserCluster
from fairlead.cli.plugin.running import Exit, Screen, Stop, at_a_terminal

_DRASTIC = (Verb.PROMOTE, Verb.ABORT)
"""Against the evidence: somebody at a terminal is asked once more."""


async def ask(
    cluster: UserCluster, name: str, verb: Verb, *, revision: str, nonce: str, seconds: float, yes: bool
) -> Exit:
    """Binds the verb to a revision, says which, sends it, and waits for the answer. Unbound when there is none."""
    _, body = await cluster.find((MODEL_DEPLOYMENT,), name)
    bound = bind(parse_model_deployment(body), verb, revision)
    click.echo(f"{verb} {bound.revision} ({bound.what}) of {name} in {cluster.namespace}")
    if verb in _DRASTIC and not yes and at_a_terminal():
        click.confirm(f"{verb} it, whatever the evidence?", abort=True)
    request = Request(verb, bound.revision, nonce)
    await cluster.ask(body, request)
    answer = await _answer(cluster, name, request, seconds)
    if answer is None:
        left = "the request stays, and is taken up when the operator comes to it; see `kubectl fairlead doctor`"
        raise Stop(f"no answer from the operator within {seconds:g}s: {left}", Exit.TIMED_OUT)
    click.echo(f"{'accepted' if answer.accepted else 'refused'}: {answer.message or 'no more is said'}")
    return Exit.DONE if answer.accepted else Exit.FAILED


async def _answer(cluster: UserCluster, name: str, request: Request, seconds: float) -> LastRequest | None:
    """What the status says of this request; None when the time is over."""
    screen = Screen()
    try:
        async with asyncio.timeout(seconds):
            with screen.console.status(f"waiting for the operator (request {request.nonce})"):
                async with aclosing(cluster.follow(MODEL_DEPLOYMENT, name)) as changes:
                    async for body in changes:
                        if found := _heard(body, name, request):
                            return found
    except TimeoutError:
        pass
    return None


def _heard(body: Mapping[str, Any] | None, name: str, request: Request) -> LastRequest | None:
    """The answer, if it is there. Stop when none can come any more."""
    if body is None:
        raise Stop(f"{name} was deleted before the operator answered", Exit.FAILED)
    said = parse_model_deployment(body).status.last_request
    if said and said.nonce == request.nonce:
        return said
    written = (body["metadata"].get("annotations") or {}).get(ANNOTATION_REQUEST, "")
    if written != str(request):
        raise Stop(f"another request took this one's place: {written or 'none'}", Exit.FAILED)
    return None
