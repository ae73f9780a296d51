"""MLflow's REST API (3.17): runs, logged models, registered versions, aliases.

Plain HTTP instead of MLflow's client: a handful of calls, each with a time-out and a size cap, and no import of a
package that can load models.
Source: MLflow REST API reference, and what a 3.17 server answered.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from fairlead.adapters.mlflow_answers import (
    Missing,
    MlflowAlias,
    MlflowRun,
    MlflowVersion,
    aliases_of,
    field_of,
    items_of,
    number_of,
    quoted,
    tags_of,
    text_of,
    version_of,
)
from fairlead.adapters.mlflow_http import TIMEOUT_SECONDS, MlflowHttp, Observe
from fairlead.api.reasons import Reason
from fairlead.core.training.status import TAG_ATTEMPT, TAG_DIGEST, TAG_GATE, TAG_OPERATOR, TAG_UID, writer_tag
from fairlead.errors import RegistryError
from fairlead.ports import Clock

_GIT_COMMIT = "mlflow.source.git.commit"
_PAGE = 1000
_TAG_LIMIT = 4000
"""MLflow takes 8000 characters in a tag of a run, older servers 5000."""


class MlflowRegistry:
    """Implements ports.Registry. `authorization` gives the header of each request; empty: none is sent."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        http: httpx.AsyncClient | None = None,
        *,
        authorization: Callable[[], str] = lambda: "",
        timeout_seconds: float = TIMEOUT_SECONDS,
        observe: Observe = lambda _outcome, _seconds: None,
    ) -> None:
        self._clock = clock
        self._http = MlflowHttp(url, http, authorization, timeout_seconds, clock=clock, observe=observe)
        self._call = self._http.call
        self._search = self._http.search

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def check(self) -> None:
        """Returns when MLflow answers a call that needs the right to read."""
        await self._call("GET", "/registered-models/search", max_results=1)

    async def aliases(self, model: str) -> Mapping[str, str]:
        """Version by alias."""
        path = "/registered-models/get"
        try:
            found = await self._call("GET", path, name=model)
        except Missing as error:
            text = f"spec.model.name: expected a registered model of MLflow, got {model}"
            raise RegistryError(Reason.MODEL_NOT_FOUND, text) from error
        return aliases_of(found, path)

    async def digest_tag(self, model: str, version: str) -> str:
        """The tag with the digest of a version's files."""
        path = "/model-versions/get"
        try:
            found = await self._call("GET", path, name=model, version=version)
        except Missing as error:
            text = f"spec.model.version: expected a version of {model}, got {version}"
            raise RegistryError(Reason.MODEL_VERSION_NOT_FOUND, text) from error
        return tags_of(field_of(found, path, "model_version"), path).get(TAG_DIGEST, "")

    async def _model_exists(self, name: str) -> bool:
        try:
            await self._call("GET", "/registered-models/get", name=name)
        except Missing:
            return False
        return True

    async def _experiment(self, namespace: str) -> str:
        """The experiment of a namespace; empty when there is none."""
        path = "/experiments/get-by-name"
        try:
            found = await self._call("GET", path, experiment_name=_experiment_name(namespace))
        except Missing:
            return ""
        return text_of(found, path, "experiment", "experiment_id")

    async def _make_experiment(self, namespace: str) -> str:
        if known := await self._experiment(namespace):
            return known
        path = "/experiments/create"
        try:
            made = await self._call("POST", path, name=_experiment_name(namespace))
        except RegistryError:
            # Two operators, or two TrainingJobs, at the same moment: the other one has made it.
            if known := await self._experiment(namespace):
                return known
            raise
        return text_of(made, path, "experiment_id")

    async def find_runs(self, uid: str, namespace: str) -> Sequence[MlflowRun]:
        """The runs tagged with a TrainingJob's UID, the oldest first."""
        experiment = await self._experiment(namespace)
        if not experiment:
            return []
        path = "/runs/search"
        runs = await self._search(
            "POST",
            path,
            "runs",
            experiment_ids=[experiment],
            filter=f"tags.`{TAG_UID}` = {quoted(uid)}",
            order_by=["attributes.start_time ASC"],
        )
        return [self._run(item, experiment) for item in runs]

    def _run(self, item: Mapping[str, Any], experiment: str) -> MlflowRun:
        path = "/runs/search"
        run_id, tags = text_of(item, path, "info", "run_id"), tags_of(item.get("data", {}), path)
        attempt = tags.get(TAG_ATTEMPT, "")
        return MlflowRun(
            run_id,
            experiment,
            f"{self._http.url}/#/experiments/{experiment}/runs/{run_id}",
            status=text_of(item, path, "info", "status"),
            attempt=int(attempt) if attempt.isdecimal() else 1,
            gate=tags.get(TAG_GATE, ""),
            git_commit=tags.get(_GIT_COMMIT, ""),
        )

    async def run_metrics(self, run_id: str) -> Mapping[str, float]:
        """The last values, as MLflow keeps them for each metric. Of a run that someone has deleted: none."""
        path = "/runs/get"
        try:
            found = await self._call("GET", path, run_id=run_id)
        except Missing:
            return {}
        metrics = items_of(field_of(found, path, "run", "data"), path, "metrics")
        return {text_of(item, path, "key"): number_of(item, path, "value") for item in metrics}

    async def tag_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Write tags, all in one request."""
        short = {key: value[:_TAG_LIMIT] for key, value in tags.items()}
        await self._call("POST", "/runs/log-batch", run_id=run_id, tags=_tags(short))

    async def open_run(self, name: str, namespace: str, tags: Mapping[str, str]) -> None:
        """Open a run with its tags: they are there before the first line of training."""
        experiment = await self._make_experiment(namespace)
        start = int(self._clock.now().timestamp() * 1000)
        await self._call(
            "POST", "/runs/create", experiment_id=experiment, run_name=name, start_time=start, tags=_tags(tags)
        )

    async def close_run(self, run_id: str, end: str) -> None:
        """End a run."""
        ended = int(self._clock.now().timestamp() * 1000)
        await self._call("POST", "/runs/update", run_id=run_id, status=end, end_time=ended)

    async def open_runs(self, operator_id: str) -> Sequence[tuple[str, str]]:
        """Runs of all our experiments that carry the operator's id and have not ended."""
        named = await self._search(
            "POST",
            "/experiments/search",
            "experiments",
            filter=f"name LIKE {quoted(_experiment_name('%'))}",
            max_results=_PAGE,
        )
        experiments = [text_of(item, "/experiments/search", "experiment_id") for item in named]
        if not experiments:
            return []
        path = "/runs/search"
        runs = await self._search(
            "POST",
            path,
            "runs",
            experiment_ids=experiments,
            filter=f"tags.`{TAG_OPERATOR}` = {quoted(operator_id)} AND attributes.status = 'RUNNING'",
            max_results=_PAGE,
        )
        return [
            (text_of(run, path, "info", "run_id"), tags_of(run.get("data", {}), path).get(TAG_UID, "")) for run in runs
        ]

    async def logged_models(self, run_id: str, experiment_id: str) -> Sequence[tuple[str, str, str]]:
        """(model id, source to register, name) of the run's logged models whose upload is complete."""
        path = "/logged-models/search"
        found = await self._search(
            "POST", path, "models", experiment_ids=[experiment_id], filter=f"source_run_id = {quoted(run_id)}"
        )
        infos = [field_of(item, path, "info") for item in found]
        ready = [item for item in infos if item.get("status") == "LOGGED_MODEL_READY"]
        ids = [(text_of(item, path, "model_id"), str(item.get("name", ""))) for item in ready]
        return [(model_id, f"models:/{model_id}", name) for model_id, name in ids]

    async def find_version(self, model: str, uid: str) -> MlflowVersion | None:
        """The version tagged with a TrainingJob's UID; the first one, if there should be two."""
        path = "/model-versions/search"
        found = await self._search(
            "GET", path, "model_versions", filter=f"name = {quoted(model)} AND tags.`{TAG_UID}` = {quoted(uid)}"
        )
        ours = [item for item in found if tags_of(item, path).get(TAG_UID) == uid]
        first = min(ours, key=lambda item: int(version_of(item, path)), default=None)
        return MlflowVersion(version_of(first, path), tags_of(first, path).get(TAG_DIGEST, "")) if first else None

    async def register(
        self, model: str, *, run_id: str, model_id: str, description: str, tags: Mapping[str, str]
    ) -> None:
        """Register a version of the logged model."""
        if not await self._model_exists(model):
            await self._make_model(model)
        await self._call(
            "POST",
            "/model-versions/create",
            name=model,
            source=f"models:/{model_id}",
            run_id=run_id,
            model_id=model_id,
            description=description,
            tags=_tags(tags),
        )

    async def _make_model(self, name: str) -> None:
        try:
            await self._call("POST", "/registered-models/create", name=name)
        except RegistryError:
            if not await self._model_exists(name):  # someone else made it at the same moment
                raise

    async def find_alias(self, model: str, alias: str) -> MlflowAlias:
        """Where an alias points, its recorded writer, and, without one, where the version came from."""
        path = "/registered-models/get"
        try:
            found = await self._call("GET", path, name=model)
        except Missing:
            return MlflowAlias()
        version = aliases_of(found, path).get(alias, "")
        writer = tags_of(field_of(found, path, "registered_model"), path).get(writer_tag(alias), "")
        trained = bool(version) and not writer and await self._was_trained(model, version)
        return MlflowAlias(version, writer, trained)

    async def _was_trained(self, model: str, version: str) -> bool:
        """Whether a version was registered for a TrainingJob."""
        path = "/model-versions/get"
        try:
            found = await self._call("GET", path, name=model, version=version)
        except Missing:
            return False
        return TAG_UID in tags_of(field_of(found, path, "model_version"), path)

    async def tag_version(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Write tags, one request each: MLflow has no other way."""
        path = "/model-versions/set-tag"
        try:
            for key, value in tags.items():
                await self._call("POST", path, name=model, version=version, key=key, value=value[:_TAG_LIMIT])
        except Missing as error:
            raise _no_version(model, version) from error

    async def claim_alias(self, model: str, alias: str, writer: str) -> None:
        """Record who writes an alias, as a tag of the registered model."""
        try:
            await self._call("POST", "/registered-models/set-tag", name=model, key=writer_tag(alias), value=writer)
        except Missing as error:
            raise RegistryError(Reason.MODEL_NOT_FOUND, f"MLflow has no registered model {model} any more") from error

    async def set_alias(self, model: str, alias: str, version: str) -> None:
        """Move an alias."""
        try:
            await self._call("POST", "/registered-models/alias", name=model, alias=alias, version=version)
        except Missing as error:
            raise _no_version(model, version) from error


def _no_version(model: str, version: str) -> RegistryError:
    return RegistryError(Reason.MODEL_VERSION_NOT_FOUND, f"MLflow has no version {version} of {model} any more")


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _experiment_name(namespace: str) -> str:
    return f"fairlead/{namespace}"
