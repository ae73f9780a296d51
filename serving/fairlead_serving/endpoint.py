"""What every request for predictions goes through: its body, the line, the model, the answer, the count."""

import asyncio
import json
import logging
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from fairlead_serving.errors import DeadlineExceeded, ModelRaised, Overloaded, RequestRefused
from fairlead_serving.inference import Respond
from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.metrics import ErrorClass, Metrics, Protocol
from fairlead_serving.settings import Settings
from fairlead_serving.waiting import WaitingLine

DISCARDED_BODIES = 4
"""How many times the limit is read and thrown away, so that a client that only writes gets to read its 413."""
JSON_TYPE = "application/json"
NOT_READY_RETRY_SECONDS = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and headers, and whose fault it is."""

    status: int
    body: bytes
    error_class: ErrorClass = ErrorClass.NONE
    headers: tuple[tuple[str, str], ...] = ()

    def response(self) -> Response:
        """The answer as Starlette sends it."""
        return Response(self.body, self.status, dict(self.headers), media_type=JSON_TYPE)


def failure(status: int, error_class: ErrorClass, error: str, *headers: tuple[str, str], **more: str) -> Answer:
    """An answer that carries `error`, and whatever else tells what to do."""
    return Answer(status, json.dumps({"error": error, **more}).encode(), error_class, headers)


def refusal(error: RequestRefused) -> Answer:
    """The answer to a client's mistake."""
    headers = [("Connection", "close")] if error.status in (408, 413) else []
    more = {"field": error.field, "expected": error.expected, "got": error.got}
    return failure(error.status, ErrorClass.CLIENT, str(error), *headers, **more)


class Endpoint:
    """Answers requests for predictions of one server."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle, metrics: Metrics, line: WaitingLine) -> None:
        self._settings = settings
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._line = line

    async def answer(self, request: Request, protocol: Protocol, accepted: dict[str, Respond]) -> Response:
        """Answer a request; accepted says by content type how. Counts it, whatever comes out."""
        started = perf_counter()
        answer = await self._answer(request, accepted)
        self._metrics.answered(protocol, answer.status, answer.error_class, perf_counter() - started)
        return answer.response()

    async def _answer(self, request: Request, accepted: dict[str, Respond]) -> Answer:
        deadline = asyncio.get_running_loop().time() + self._settings.request_deadline_seconds
        try:
            respond = _choose(request, accepted)
            body = await self._read(request, deadline)
            if (model := self._lifecycle.model) is None:
                return self.not_ready()
            return Answer(200, await self._line.run(partial(respond, model, body), deadline))
        except RequestRefused as error:
            return refusal(error)
        except ModelRaised as error:
            _log.error("model raised", extra={"cause": str(error), "where": error.where})
            return failure(500, ErrorClass.MODEL, f"the model raised on this input: {error}")
        except Overloaded as error:
            retry = ("Retry-After", str(error.retry_after_seconds))
            return failure(429, ErrorClass.OVERLOAD, f"{error}; try again later", retry)
        except DeadlineExceeded:
            seconds = f"{self._settings.request_deadline_seconds:g} s"
            return failure(504, ErrorClass.TIMEOUT, f"expected an answer of the model within {seconds}, got none")

    def not_ready(self) -> Answer:
        """The answer while there is no model."""
        retry = ("Retry-After", str(NOT_READY_RETRY_SECONDS))
        return failure(503, ErrorClass.OVERLOAD, f"the model is {self._lifecycle.phase}", retry)

    async def _read(self, request: Request, deadline: float) -> bytes:
        try:
            async with asyncio.timeout_at(deadline):
                return await _read_body(request, self._settings.max_body_bytes)
        except TimeoutError:
            seconds = f"{self._settings.request_deadline_seconds:g} s"
            raise RequestRefused("body", f"a whole body within {seconds}", "a part of it", status=408) from None


def _choose(request: Request, accepted: dict[str, Respond]) -> Respond:
    """How to answer this content type; JSON for none. Raises RequestRefused with 415."""
    if "inference-header-content-length" in request.headers:
        raise RequestRefused("body", "JSON alone", "the binary tensor extension", status=415)
    given = request.headers.get("content-type", JSON_TYPE)
    media_type, _, parameters = given.partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    respond = accepted.get(media_type.strip().lower())
    if respond is None or charset not in ("", "utf-8"):
        raise RequestRefused("header Content-Type", f"{' or '.join(accepted)} in UTF-8", given, status=415)
    return respond


async def _read_body(request: Request, limit_bytes: int) -> bytes:
    """The request's body. Raises RequestRefused with 413 above the limit, or when the client went away."""
    body = bytearray()
    total = 0
    try:
        async for chunk in request.stream():
            total += len(chunk)
            if total <= limit_bytes:
                body += chunk
            elif total > DISCARDED_BODIES * limit_bytes:
                break
    except ClientDisconnect:
        raise RequestRefused("body", "a whole body", "a closed connection") from None
    if total > limit_bytes:
        raise RequestRefused("body", f"at most {limit_bytes} bytes", "more", status=413)
    return bytes(body)
