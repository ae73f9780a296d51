"""From the bytes of a request's body to the bytes of its answer: all that happens in the model's thread.

The one seam of the hot path: whatever makes answers faster replaces a function of this module.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fairlead_serving.errors import ModelRaised, SignatureViolated
from fairlead_serving.features import to_features
from fairlead_serving.scoring import parse_csv, parse_scoring
from fairlead_serving.tensors import parse_request, render_tensor

if TYPE_CHECKING:
    from fairlead_serving.backend import Model

Respond = Callable[["Model", bytes], bytes]
"""Raises RequestRefused for the client's mistakes and ModelRaised for the model's."""


def infer(model: Model, body: bytes, *, name: str, version: str) -> bytes:
    """Answer a request of the Open Inference Protocol."""
    request = parse_request(body)
    known = model.output_names
    outputs = request.outputs or known
    if unknown := [name for name in outputs if name not in known]:
        raise SignatureViolated("outputs", f"some of {', '.join(known)}", ", ".join(unknown))
    arrays = model.predict(to_features(model.features, request.inputs), outputs)
    try:
        rendered = [render_tensor(name, array) for name, array in arrays.items()]
    except ValueError as error:
        raise ModelRaised(str(error)) from error
    identity = {"id": request.id} if request.id is not None else {}
    return _encode({"model_name": name, "model_version": version, **identity, "outputs": rendered})


def score(model: Model, body: bytes) -> bytes:
    """Answer a request of MLflow's scoring protocol in JSON."""
    return _predictions(model.score(parse_scoring(body, model.features)))


def score_csv(model: Model, body: bytes) -> bytes:
    """Answer a request of MLflow's scoring protocol in comma-separated values."""
    return _predictions(model.score(parse_csv(body, model.features)))


def _predictions(answers: np.ndarray) -> bytes:
    if answers.dtype.kind == "f" and not np.isfinite(answers).all():
        raise ModelRaised("expected finite predictions, got NaN or infinity")
    return _encode({"predictions": answers.tolist()})


def _encode(document: dict[str, object]) -> bytes:
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ModelRaised(f"expected answers that JSON can hold, got {error}") from error
