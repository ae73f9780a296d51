"""The routes: Open Inference Protocol v2 in JSON, MLflow's scoring protocol, /metrics and the server's own pages."""

from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fairlead_serving.endpoint import JSON_TYPE, Endpoint, failure
from fairlead_serving.inference import infer, score, score_csv
from fairlead_serving.lifecycle import Lifecycle, Phase
from fairlead_serving.manual import describe_api, render_page
from fairlead_serving.metrics import ErrorClass, Metrics, Protocol
from fairlead_serving.settings import UNVERIFIED, Settings
from fairlead_serving.waiting import WaitingLine

PLATFORM = "mlflow_sklearn"


_STAMP = Path(__file__).with_name("VERSION")


def package_version(stamp: Path = _STAMP) -> str:
    """The server's version: of the installed package, else of the file that the image carries, else "dev"."""
    try:
        return version("fairlead")
    except PackageNotFoundError:
        return stamp.read_text(encoding="utf-8").strip() if stamp.is_file() else "dev"


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

    def __init__(self, settings: Settings, lifecycle: Lifecycle, metrics: Metrics, line: WaitingLine) -> None:
        self._settings = settings
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._endpoint = Endpoint(settings, lifecycle, metrics, line)
        self._infer = partial(infer, name=settings.served_name, version=settings.model_version)
        self._version = package_version()

    async def server_metadata(self) -> dict[str, object]:
        """Name and version of the server."""
        return {"name": "fairlead-serving", "version": self._version, "extensions": []}

    async def server_version(self) -> PlainTextResponse:
        """The server's version as text."""
        return PlainTextResponse(self._version)

    async def live(self) -> dict[str, bool]:
        """200 as long as the process answers."""
        return {"live": True}

    async def ready(self) -> JSONResponse:
        """200 when the model is loaded and the server is not about to stop, else 503."""
        ready = self._lifecycle.ready
        body = {"live": True, "ready": ready, "phase": self._lifecycle.phase}
        return JSONResponse(body, 200 if ready else 503)

    async def metrics(self) -> Response:
        """Prometheus' text format."""
        return Response(self._metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def models(self) -> dict[str, list[str]]:
        """The one model that this server has."""
        return {"models": [self._settings.served_name]}

    async def model_ready(self, name: str, version: str | None = None) -> JSONResponse:
        """200 when the named model answers, else 503."""
        self._check_name(name, version)
        ready = self._lifecycle.ready
        return JSONResponse({"name": name, "ready": ready}, 200 if ready else 503)

    async def model_metadata(self, name: str, version: str | None = None) -> Response:
        """What the model takes and gives."""
        self._check_name(name, version)
        if (model := self._lifecycle.model) is None:
            return self._endpoint.not_ready().response()
        served = self._settings
        about = {"model": served.model_name, "digest": served.model_digest, "backend": "scikit-learn"}
        about |= {"format": model.serialization, "verified": str(served.model_digest != UNVERIFIED).lower()}
        return JSONResponse(
            {
                "name": name,
                "versions": [served.model_version],
                "platform": PLATFORM,
                "inputs": model.features.describe(),
                "outputs": [output.describe() for output in model.outputs],
                "parameters": about,
            }
        )

    async def infer(self, request: Request, name: str, version: str | None = None) -> Response:
        """Predict, by the Open Inference Protocol."""
        try:
            self._check_name(name, version)
        except HTTPException as error:
            self._metrics.answered(Protocol.OIP, error.status_code, ErrorClass.CLIENT, 0.0)
            raise
        return await self._endpoint.answer(request, Protocol.OIP, {JSON_TYPE: self._infer})

    async def invocations(self, request: Request) -> Response:
        """Predict, by MLflow's scoring protocol."""
        return await self._endpoint.answer(request, Protocol.MLFLOW, {JSON_TYPE: score, "text/csv": score_csv})

    async def openapi(self) -> JSONResponse:
        """This server's interface, with the model's own inputs and an example."""
        return JSONResponse(describe_api(self._settings, self._lifecycle, self._version))

    async def docs(self) -> HTMLResponse:
        """The same for people: one page that needs nothing from elsewhere."""
        return HTMLResponse(render_page(self._settings, self._lifecycle, self._version))

    def _check_name(self, name: str, version: str | None) -> None:
        served, asked = self._settings, (name, version)
        if name != served.served_name or version not in (None, served.model_version):
            raise HTTPException(
                404,
                f"expected model {served.served_name} version {served.model_version}, "
                f"got {' version '.join(filter(None, asked))}",
            )


async def _show_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- the only kind that it is registered for
    text, headers = error.detail, tuple((error.headers or {}).items())
    if text == "Not Found":
        text = f"expected one of the paths that /docs lists, got {request.url.path}"
    if error.status_code == 405:
        text = f"expected {dict(headers).get('Allow', 'another method')}, got {request.method}"
    return failure(error.status_code, ErrorClass.CLIENT, text, *headers).response()


def build_app(settings: Settings, lifecycle: Lifecycle, metrics: Metrics, line: WaitingLine) -> ASGIApp:
    """The ASGI application; its documentation is at /docs."""
    routes = Routes(settings, lifecycle, metrics, line)
    router = APIRouter()
    router.add_api_route("/v2", routes.server_metadata)
    router.add_api_route("/v2/health/live", routes.live)
    for path in ("/v2/health/ready", "/ping", "/health"):
        router.add_api_route(path, routes.ready)
    router.add_api_route("/version", routes.server_version)
    router.add_api_route("/metrics", routes.metrics)
    router.add_api_route("/openapi.json", routes.openapi)
    router.add_api_route("/docs", routes.docs)
    router.add_api_route("/v2/models", routes.models)
    for prefix in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        router.add_api_route(prefix, routes.model_metadata)
        router.add_api_route(prefix + "/ready", routes.model_ready)
        router.add_api_route(prefix + "/infer", routes.infer, methods=["POST"])
    router.add_api_route("/invocations", routes.invocations, methods=["POST"])
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router)
    app.add_exception_handler(HTTPException, _show_error)
    return CloseWhenDraining(app, lifecycle)
