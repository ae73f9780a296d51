"""The routes: the Open Inference Protocol v2 in JSON, and /metrics."""

from concurrent.futures import Executor
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fairlead_serving.errors import RequestRefused
from fairlead_serving.inference import encode, infer, read_body, refusal
from fairlead_serving.lifecycle import Lifecycle, Phase
from fairlead_serving.metrics import ErrorClass, Metrics
from fairlead_serving.settings import Settings

_INFER_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["inputs"]},
                "example": {
                    "inputs": [{"name": "input", "datatype": "FP64", "shape": [1, 4], "data": [5.1, 3.5, 1.4, 0.2]}]
                },
            }
        },
    }
}
PLATFORM = "mlflow_sklearn"


def package_version() -> str:
    """The server's version; "dev" when it runs from its sources."""
    try:
        return version("fairlead")
    except PackageNotFoundError:
        return "dev"


class CloseWhenDraining:
    """Asks clients to leave with their answer while the server drains, so that none reuses a closed connection."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add `Connection: close` to the answer if the server drains by then."""

        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and self._lifecycle.phase is Phase.DRAINING:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_closing)


class Routes:
    """The handlers, with what they share."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle, metrics: Metrics, threads: Executor) -> None:
        self._settings = settings
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._threads = threads

    async def server_metadata(self) -> dict[str, object]:
        """Name and version of the server."""
        return {"name": "fairlead-serving", "version": package_version(), "extensions": []}

    async def live(self) -> dict[str, bool]:
        """200 as long as the process answers."""
        return {"live": True}

    async def ready(self) -> JSONResponse:
        """200 when the model is loaded and the server is not about to stop, else 503."""
        ready = self._lifecycle.ready
        return JSONResponse({"ready": ready, "phase": self._lifecycle.phase}, 200 if ready else 503)

    async def metrics(self) -> Response:
        """Prometheus' text format."""
        return Response(self._metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def model_ready(self, name: str, version: str | None = None) -> JSONResponse:
        """200 when the named model answers, else 503."""
        self._check_name(name, version)
        ready = self._lifecycle.ready
        return JSONResponse({"name": name, "ready": ready}, 200 if ready else 503)

    async def model_metadata(self, name: str, version: str | None = None) -> JSONResponse:
        """What the model takes and gives."""
        self._check_name(name, version)
        if (model := self._lifecycle.model) is None:
            return self._not_ready()
        return JSONResponse(
            {
                "name": name,
                "versions": [self._settings.model_version],
                "platform": PLATFORM,
                "inputs": model.features.describe(),
                "outputs": [output.describe() for output in model.outputs],
                "parameters": {"model": self._settings.model_name, "digest": self._settings.model_digest},
            }
        )

    async def infer(self, request: Request, name: str, version: str | None = None) -> Response:
        """Predict."""
        started = perf_counter()
        try:
            self._check_name(name, version)
            body = await read_body(request, self._settings.max_body_bytes)
        except HTTPException as error:
            self._metrics.answered(error.status_code, ErrorClass.CLIENT, perf_counter() - started)
            raise
        except RequestRefused as error:
            answer = refusal(error)
        else:
            if (model := self._lifecycle.model) is None:
                self._metrics.answered(503, ErrorClass.OVERLOAD, perf_counter() - started)
                return self._not_ready()
            answer = await infer(model, body, name=name, version=self._settings.model_version, threads=self._threads)
        self._metrics.answered(answer.status, answer.error_class, perf_counter() - started)
        headers = {"connection": "close"} if answer.status == 413 else None
        return Response(encode(answer), answer.status, headers, media_type="application/json")

    def _check_name(self, name: str, version: str | None) -> None:
        served, asked = self._settings, (name, version)
        if name != served.served_name or version not in (None, served.model_version):
            raise HTTPException(
                404,
                f"expected model {served.served_name} version {served.model_version}, "
                f"got {' version '.join(filter(None, asked))}",
            )

    def _not_ready(self) -> JSONResponse:
        return JSONResponse({"error": f"the model is {self._lifecycle.phase}"}, 503, {"Retry-After": "1"})


async def _show_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 -- the only kind that it is registered for
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def build_app(settings: Settings, lifecycle: Lifecycle, metrics: Metrics, threads: Executor) -> ASGIApp:
    """The ASGI application; its documentation is at /docs."""
    routes = Routes(settings, lifecycle, metrics, threads)
    router = APIRouter()
    router.add_api_route("/v2", routes.server_metadata, tags=["server"])
    router.add_api_route("/v2/health/live", routes.live, tags=["server"])
    router.add_api_route("/v2/health/ready", routes.ready, tags=["server"])
    router.add_api_route("/metrics", routes.metrics, tags=["server"])
    for prefix in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        router.add_api_route(prefix, routes.model_metadata, tags=["model"])
        router.add_api_route(prefix + "/ready", routes.model_ready, tags=["model"])
        router.add_api_route(
            prefix + "/infer", routes.infer, methods=["POST"], tags=["model"], openapi_extra=_INFER_BODY
        )
    app = FastAPI(title=f"Fairlead model server: {settings.served_name}", version=package_version())
    app.include_router(router)
    app.add_exception_handler(HTTPException, _show_error)
    return CloseWhenDraining(app, lifecycle)
