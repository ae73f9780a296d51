"""The server's own manual, with the model's inputs and an example that works when pasted: OpenAPI, and a page."""

import json
from html import escape
from typing import Any

from fairlead_serving.features import FeatureSpec
from fairlead_serving.lifecycle import Lifecycle
from fairlead_serving.settings import Settings

_GETS = {
    "/v2": "Name and version of the server.",
    "/v2/health/live": "200 as long as the process answers.",
    "/v2/health/ready": "200 when the model answers and the server is not about to stop, else 503.",
    "/v2/models": "The model that this server has.",
    "/v2/models/{model}": "What the model takes and gives.",
    "/v2/models/{model}/ready": "200 when the model answers, else 503.",
    "/v2/models/{model}/versions/{version}": "The same, by version.",
    "/v2/models/{model}/versions/{version}/ready": "The same, by version.",
    "/ping": "MLflow's and SageMaker's readiness.",
    "/health": "MLflow's readiness.",
    "/version": "The server's version.",
    "/metrics": "Prometheus metrics.",
}
_REFUSALS = {
    "400": "Malformed: `field`, `expected` and `got` say where.",
    "404": "Another model or version than this server's.",
    "408": "The body did not arrive within the request's deadline.",
    "413": "The body is above the limit.",
    "415": "Another content type.",
    "422": "Well-formed, but not what the model's signature asks for: `field`, `expected`, `got`.",
    "429": "Too many requests wait; Retry-After says when to come again.",
    "500": "The model raised on valid input.",
    "503": "Not ready; Retry-After says when to come again.",
    "504": "The model did not answer within the request's deadline.",
}


def _examples(lifecycle: Lifecycle) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """Bodies for /infer and /invocations; None while there is no model, or for values that JSON has no form for."""
    example = lifecycle.example
    tensors = example.tensors() if example else []
    if example is None or not tensors:
        return None, None
    return {"inputs": tensors}, example.scoring()


def _tensor_schema(spec: FeatureSpec | None) -> dict[str, object]:
    inputs = spec.describe() if spec else []
    names = {"enum": [item["name"] for item in inputs]} if spec and spec.columns else {}
    return {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"type": "string", **names},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 2},
            "datatype": {"type": "string", "enum": sorted({str(item["datatype"]) for item in inputs}) or ["FP64"]},
            "data": {"type": "array", "items": {}},
        },
    }


def _post(summary: str, schema: dict[str, object], example: dict[str, object] | None) -> dict[str, Any]:
    content = {"schema": schema, **({"example": example} if example else {})}
    responses = {"200": {"description": "Predictions."}} | {
        code: {"description": text} for code, text in _REFUSALS.items()
    }
    body = {"required": True, "content": {"application/json": content}}
    return {"post": {"summary": summary, "requestBody": body, "responses": responses}}


def describe_api(settings: Settings, lifecycle: Lifecycle, version: str) -> dict[str, object]:
    """The OpenAPI document of this server and its model; without the model's part while it loads."""
    model = lifecycle.model
    spec = model.features if model else None
    infer_example, scoring_example = _examples(lifecycle)
    place = {"model": settings.served_name, "version": settings.model_version}
    paths: dict[str, Any] = {
        path.format(**place): {"get": {"summary": text, "responses": {"200": {"description": "OK"}}}}
        for path, text in _GETS.items()
    }
    tensors = {"type": "array", "minItems": 1, "items": _tensor_schema(spec)}
    infer_schema: dict[str, object] = {
        "type": "object",
        "required": ["inputs"],
        "properties": {"id": {"type": "string"}, "inputs": tensors, "outputs": {"type": "array"}},
    }
    for path in ("/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"):
        paths[path.format(**place)] = _post("Predict, by the Open Inference Protocol.", infer_schema, infer_example)
    names = ("dataframe_split", "dataframe_records", "inputs", "instances")
    forms: dict[str, object] = {"type": "object", "properties": {name: {} for name in names}, "minProperties": 1}
    paths["/invocations"] = _post("Predict, by MLflow's scoring protocol.", forms, scoring_example)
    title = f"{settings.served_name}: model {settings.model_name} version {settings.model_version}"
    return {"openapi": "3.1.0", "info": {"title": title, "version": version}, "paths": paths}


def _table(rows: list[dict[str, object]]) -> str:
    cells = "".join(
        f"<tr><td>{escape(str(row['name']))}</td><td>{row['datatype']}</td><td>{escape(str(row['shape']))}</td></tr>"
        for row in rows
    )
    return f"<table><tr><th>name</th><th>datatype</th><th>shape</th></tr>{cells}</table>"


def _curl(path: str, body: dict[str, object] | None) -> str:
    if body is None:
        return "<p>No example: the model came without one, and none could be made up.</p>"
    text = json.dumps(body).replace("'", "'\\''")
    command = f"curl -s http://localhost:8080{path} -H 'Content-Type: application/json' -d '{text}'"
    return f"<pre>{escape(command)}</pre>"


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "td,th{text-align:left;padding:.1rem 1rem .1rem 0}pre{background:#eee;padding:1rem;white-space:pre-wrap}"
)


def render_page(settings: Settings, lifecycle: Lifecycle, version: str) -> str:
    """The manual as a page of HTML."""
    model = lifecycle.model
    infer_example, scoring_example = _examples(lifecycle)
    name = escape(settings.served_name)
    parts = [f"<p>Model {escape(settings.model_name)} version {escape(settings.model_version)},"]
    parts.append(f" digest {settings.model_digest}; Fairlead model server {escape(version)}.</p>")
    if model is None:
        parts.append(f"<p>The model is {lifecycle.phase}.</p>")
    else:
        outputs = [output.describe() for output in model.outputs]
        parts += ["<h2>Takes</h2>", _table(model.features.describe()), "<h2>Gives</h2>", _table(outputs)]
        parts += ["<h2>Try it</h2><p>The port is that of your port-forward.</p>"]
        parts += [
            _curl(f"/v2/models/{settings.served_name}/infer", infer_example),
            _curl("/invocations", scoring_example),
        ]
    paths = {**_GETS, "/v2/models/{model}/infer": "Predict (POST).", "/invocations": "Predict (POST), as MLflow does."}
    listed = "".join(f"<li><code>{path}</code> {escape(text)}</li>" for path, text in sorted(paths.items()))
    codes = "".join(f"<li>{code} {escape(text)}</li>" for code, text in _REFUSALS.items())
    parts += [f"<h2>Paths</h2><ul>{listed}</ul><h2>Refusals</h2><ul>{codes}</ul>"]
    parts += ['<p>For programs: <a href="/openapi.json">/openapi.json</a></p>']
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>'
    return f"{head}<h1>{name}</h1>{''.join(parts)}</html>"
