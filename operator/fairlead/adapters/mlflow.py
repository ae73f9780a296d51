"""MLflow's REST API (3.17): runs, logged models, registered versions, aliases.

Plain HTTP instead of MLflow's client: a handful of calls, each with a time-out and a size cap, and no import of a
package that can load models.
Source: MLflow REST API reference, and what a 3.17 server answered.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from fairlead.api.reasons import Reason
from fairlead.core.resolution import TAG_DIGEST
from fairlead.core.training_status import TAG_OPERATOR, TAG_UID
from fairlead.errors import RegistryError
from fairlead.ports import Clock

_TIMEOUT_SECONDS = 5.0
_BODY_LIMIT_BYTES = 4 * 1024 * 1024
_TEXT_LIMIT = 300
_API = "/api/2.0/mlflow"
_NOT_FOUND = "RESOURCE_DOES_NOT_EXIST"
_OUTCOMES = {Reason.REGISTRY_FORBIDDEN.value: "forbidden", Reason.REGISTRY_NOT_CONFIGURED.value: "not_configured"}

Observe = Callable[[str, float], None]
"""Called with the outcome (ok, not_found, forbidden, not_configured, unavailable) and the seconds of each request."""


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """A run."""

    run_id: str
    experiment_id: str
    url: str
    status: str


class _Missing(Exception):
    """MLflow knows no such thing."""


class MlflowRegistry:
    """Implements ports.Registry. Without a URL every call says RegistryNotConfigured.

    `authorization` gives the header of each request; empty: none is sent.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        http: httpx.AsyncClient | None = None,
        *,
        authorization: Callable[[], str] = lambda: "",
        observe: Observe = lambda _outcome, _seconds: None,
    ) -> None:
        self._clock = clock
        self._authorization = authorization
        self._observe = observe
        self._url = url.rstrip("/")
        self._http = http or httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _call(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """One call; `_Missing` for what does not exist, RegistryError for everything else that went wrong."""
        started, outcome = self._clock.monotonic(), "ok"
        try:
            return await self._send(method, path, fields)
        except _Missing:
            outcome = "not_found"
            raise
        except RegistryError as error:
            outcome = _OUTCOMES.get(error.reason, "unavailable")
            raise
        finally:
            self._observe(outcome, self._clock.monotonic() - started)

    async def _send(self, method: str, path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        if not self._url:
            raise RegistryError(Reason.REGISTRY_NOT_CONFIGURED, "the setting registry.url is empty")
        arguments: dict[str, Any] = {"params": fields} if method == "GET" else {"json": fields}
        if header := self._authorization():
            arguments["headers"] = {"Authorization": header}
        try:
            # The client's own time-outs start anew with each byte: one that trickles would never end.
            async with (
                asyncio.timeout(_TIMEOUT_SECONDS),
                self._http.stream(method, self._url + _API + path, **arguments) as response,
            ):
                body = await _read(response)
        except (httpx.TransportError, TimeoutError) as error:
            text = f"no answer from MLflow at {self._url}: {type(error).__name__}"
            raise RegistryError(Reason.REGISTRY_UNAVAILABLE, text) from error
        return _sort(response.status_code, body, path)

    async def aliases(self, model: str) -> Mapping[str, str]:
        """Version by alias."""
        path = "/registered-models/get"
        try:
            found = await self._call("GET", path, name=model)
        except _Missing as error:
            text = f"spec.model.name: expected a registered model of MLflow, got {model}"
            raise RegistryError(Reason.MODEL_NOT_FOUND, text) from error
        try:
            listed = found["registered_model"].get("aliases", ())
            return {str(item["alias"]): str(item["version"]) for item in listed}
        except (KeyError, TypeError, AttributeError) as error:
            raise _not_understood(path) from error

    async def digest_tag(self, model: str, version: str) -> str:
        """The tag with the digest of a version's files."""
        path = "/model-versions/get"
        try:
            found = await self._call("GET", path, name=model, version=version)
        except _Missing as error:
            text = f"spec.model.version: expected a version of {model}, got {version}"
            raise RegistryError(Reason.MODEL_VERSION_NOT_FOUND, text) from error
        try:
            return _tag(found["model_version"], TAG_DIGEST)
        except (KeyError, TypeError, AttributeError) as error:
            raise _not_understood(path) from error

    async def _model_exists(self, name: str) -> bool:
        try:
            await self._call("GET", "/registered-models/get", name=name)
        except _Missing:
            return False
        return True

    async def _experiment(self, namespace: str) -> str:
        """The experiment of a namespace; empty when there is none."""
        try:
            found = await self._call("GET", "/experiments/get-by-name", experiment_name=_experiment_name(namespace))
        except _Missing:
            return ""
        return str(found["experiment"]["experiment_id"])

    async def _make_experiment(self, namespace: str) -> str:
        if known := await self._experiment(namespace):
            return known
        try:
            made = await self._call("POST", "/experiments/create", name=_experiment_name(namespace))
        except RegistryError:
            # Two operators, or two TrainingJobs, at the same moment: the other one has made it.
            if known := await self._experiment(namespace):
                return known
            raise
        return str(made["experiment_id"])

    async def find_run(self, uid: str, namespace: str) -> MlflowRun | None:
        """The run tagged with a TrainingJob's UID."""
        experiment = await self._experiment(namespace)
        if not experiment:
            return None
        found = await self._call(
            "POST",
            "/runs/search",
            experiment_ids=[experiment],
            filter=f"tags.`{TAG_UID}` = '{uid}'",
            order_by=["attributes.start_time ASC"],
            max_results=1,
        )
        runs = found.get("runs", ())
        if not runs:
            return None
        info = runs[0]["info"]
        url = f"{self._url}/#/experiments/{experiment}/runs/{info['run_id']}"
        return MlflowRun(info["run_id"], experiment, url, status=info["status"])

    async def open_run(self, name: str, namespace: str, tags: Mapping[str, str]) -> None:
        """Open a run with its tags: they are there before the first line of training."""
        experiment = await self._make_experiment(namespace)
        run_tags = [{"key": key, "value": value} for key, value in tags.items()]
        start = int(self._clock.now().timestamp() * 1000)
        await self._call(
            "POST", "/runs/create", experiment_id=experiment, run_name=name, start_time=start, tags=run_tags
        )

    async def close_run(self, run_id: str, end: str) -> None:
        """End a run."""
        ended = int(self._clock.now().timestamp() * 1000)
        await self._call("POST", "/runs/update", run_id=run_id, status=end, end_time=ended)

    async def open_runs(self, operator_id: str) -> Sequence[tuple[str, str]]:
        """Runs of all our experiments that carry the operator's id and have not ended."""
        named = await self._call(
            "POST", "/experiments/search", filter=f"name LIKE '{_experiment_name('%')}'", max_results=1000
        )
        experiments = [str(item["experiment_id"]) for item in named.get("experiments", ())]
        if not experiments:
            return []
        found = await self._call(
            "POST",
            "/runs/search",
            experiment_ids=experiments,
            filter=f"tags.`{TAG_OPERATOR}` = '{operator_id}' AND attributes.status = 'RUNNING'",
            max_results=1000,
        )
        return [(str(run["info"]["run_id"]), _tag(run["data"], TAG_UID)) for run in found.get("runs", ())]

    async def logged_models(self, run_id: str, experiment_id: str) -> Sequence[tuple[str, str]]:
        """(model id, source to register) of the run's logged models whose upload is complete."""
        found = await self._call(
            "POST",
            "/logged-models/search",
            experiment_ids=[experiment_id],
            filter=f"source_run_id = '{run_id}'",
            max_results=10,
        )
        infos = [item["info"] for item in found.get("models", ())]
        ready = [str(item["model_id"]) for item in infos if item.get("status") == "LOGGED_MODEL_READY"]
        return [(model_id, f"models:/{model_id}") for model_id in ready]

    async def find_version(self, model: str, uid: str) -> str:
        """The version tagged with a TrainingJob's UID."""
        found = await self._call(
            "GET", "/model-versions/search", filter=f"name = '{model}' AND tags.`{TAG_UID}` = '{uid}'", max_results=10
        )
        versions = [item for item in found.get("model_versions", ()) if _tag(item, TAG_UID) == uid]
        return min((str(item["version"]) for item in versions), key=int, default="")

    async def register(self, model: str, *, source: str, run_id: str, model_id: str, tags: Mapping[str, str]) -> None:
        """Register a version."""
        if not await self._model_exists(model):
            await self._call("POST", "/registered-models/create", name=model)
        await self._call(
            "POST",
            "/model-versions/create",
            name=model,
            source=source,
            run_id=run_id,
            model_id=model_id,
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )

    async def alias_target(self, model: str, alias: str) -> str:
        """The version behind an alias."""
        try:
            found = await self._call("GET", "/registered-models/get", name=model)
        except _Missing:
            return ""
        aliases = {item["alias"]: str(item["version"]) for item in found["registered_model"].get("aliases", ())}
        return aliases.get(alias, "")

    async def set_alias(self, model: str, alias: str, version: str) -> None:
        """Move an alias."""
        await self._call("POST", "/registered-models/alias", name=model, alias=alias, version=version)


def _experiment_name(namespace: str) -> str:
    return f"fairlead/{namespace}"


def _tag(item: Mapping[str, Any], key: str) -> str:
    return next((str(tag["value"]) for tag in item.get("tags", ()) if tag["key"] == key), "")


def _not_understood(path: str) -> RegistryError:
    return RegistryError(Reason.REGISTRY_UNAVAILABLE, f"MLflow's answer to {path} is not in the form of its REST API")


async def _read(response: httpx.Response) -> bytes:
    """The body, up to a limit: MLflow is not trusted to be brief."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > _BODY_LIMIT_BYTES:
            raise RegistryError(
                Reason.REGISTRY_UNAVAILABLE, f"MLflow answered with more than {_BODY_LIMIT_BYTES} bytes"
            )
    return bytes(body)


def _sort(code: int, body: bytes, path: str) -> dict[str, Any]:
    """An answer into its value or its error."""
    try:
        found = json.loads(body) if body else {}
    except ValueError:
        found = None  # a proxy's page, for example
    if code == 200 and isinstance(found, dict):
        return found
    kind = str(found.get("error_code", "")) if isinstance(found, dict) else ""
    if kind == _NOT_FOUND or (code == 404 and kind):
        raise _Missing(path)
    said = str(found.get("message", ""))[:_TEXT_LIMIT] if isinstance(found, dict) else ""
    text = f"MLflow answered {code} to {path}: {said or kind or body[:_TEXT_LIMIT].decode(errors='replace')}"
    if code == 401:
        raise RegistryError(
            Reason.REGISTRY_FORBIDDEN, f"{text}; are the setting registry.credentialsDir's files right?"
        )
    if code == 403:
        raise RegistryError(Reason.REGISTRY_FORBIDDEN, f"{text}; does its --allowed-hosts cover the operator's URL?")
    raise RegistryError(Reason.REGISTRY_UNAVAILABLE, text)
