"""One inference request, from the bytes of its body to the bytes of its answer."""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request

from fairlead_serving.errors import ModelRaised, RequestRefused
from fairlead_serving.features import to_features
from fairlead_serving.metrics import ErrorClass
from fairlead_serving.tensors import parse_request, render_tensor

if TYPE_CHECKING:
    from fairlead_serving.backend import Model

DISCARDED_BODIES = 4
"""How many times the limit is read and thrown away, so that a client that only writes gets to read its 413."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON document, and whose fault it is."""

    status: int
    document: dict[str, object]
    error_class: ErrorClass = ErrorClass.NONE


def refusal(error: RequestRefused) -> Answer:
    """The answer to a client's mistake."""
    document: dict[str, object] = {
        "error": str(error),
        "field": error.field,
        "expected": error.expected,
        "got": error.got,
    }
    return Answer(error.status, document, ErrorClass.CLIENT)


async def read_body(request: Request, limit_bytes: int) -> bytes:
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


async def infer(model: Model, body: bytes, *, name: str, version: str, threads: Executor) -> Answer:
    """Answer a request. Parsing and predicting run in a thread, so that health is answered meanwhile."""
    try:
        document = await asyncio.get_running_loop().run_in_executor(threads, _infer, model, body)
    except RequestRefused as error:
        return refusal(error)
    except ModelRaised as error:
        _log.error("model raised", extra={"cause": str(error)})
        return Answer(500, {"error": f"the model raised on this input: {error}"}, ErrorClass.MODEL)
    return Answer(200, {"model_name": name, "model_version": version, **document})


def _infer(model: Model, body: bytes) -> dict[str, object]:
    request = parse_request(body)
    known = model.output_names
    outputs = request.outputs or known
    if unknown := [name for name in outputs if name not in known]:
        raise RequestRefused("outputs", f"some of {', '.join(known)}", ", ".join(unknown))
    arrays = model.predict(to_features(model.features, request.inputs), outputs)
    try:
        rendered = [render_tensor(name, array) for name, array in arrays.items()]
    except ValueError as error:
        raise ModelRaised(str(error)) from error
    return {**({"id": request.id} if request.id is not None else {}), "outputs": rendered}


def encode(answer: Answer) -> bytes:
    """The answer's document as JSON."""
    return json.dumps(answer.document, separators=(",", ":")).encode()
