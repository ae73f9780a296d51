"""Hand-written ports for the shell: a clock that is moved, a cluster and a registry that are dictionaries."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.property.simulated import SimulatedCluster
from tests.unit.builders import DEFAULTS, GATEWAY_DEFAULTS, NOW, Body

from fairlead.api.kinds import ResourceType
from fairlead.api.manifests import Manifest
from fairlead.api.reasons import Reason
from fairlead.core.world import Alias, Allowed, Run, Version
from fairlead.errors import FairleadError, RegistryError
from fairlead.shell.gather import Frame
from fairlead.shell.keys import Key

MD = Key("ModelDeployment", "team", "churn")
TJ = Key("TrainingJob", "team", "fit")
FRAME = Frame(
    defaults=DEFAULTS,
    gateway=GATEWAY_DEFAULTS,
    allowed=Allowed(),
    retirement_grace_seconds=30,
    epoch=1,
    operator_id="operator-1",
)


async def until(done: Callable[[], object]) -> None:
    """Let the other tasks run until something holds; five real seconds at most."""
    async with asyncio.timeout(5):
        while not done():  # noqa: ASYNC110 -- nothing tells of the moment
            await asyncio.sleep(0)


class FakeClock:
    """Time passes only by `advance` and by sleeping."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds - 1000.0)

    def wall_seconds(self) -> float:
        return self.now().timestamp()

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class InMemoryCluster:
    """ports.Cluster over the simulated objects. `fails` holds the error that a verb raises next."""

    def __init__(self, *bodies: Body) -> None:
        self.world = SimulatedCluster()
        self.calls: list[str] = []
        self.fails: dict[str, FairleadError] = {}
        self.events: list[Mapping[str, Any]] = []
        self.forced: list[bool] = []
        self.warning_texts: list[str] = []
        for body in bodies:
            self.world.put(body)

    def _call(self, verb: str) -> None:
        self.calls.append(verb)
        if verb in self.fails:
            raise self.fails[verb]

    async def get(self, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        self._call("get")
        return self.world.get(kind, name)

    async def list(self, resource: ResourceType, namespace: str, selector: str) -> Sequence[Mapping[str, Any]]:
        self._call(f"list {resource.kind} {namespace or 'everywhere'} {selector or 'all'}")
        if "list" in self.fails:
            raise self.fails["list"]
        return self.world.of_kind(resource.kind)

    async def apply(self, manifest: Manifest, *, force: bool) -> Mapping[str, Any]:
        self._call("apply")
        self.forced.append(force)
        return self.world.apply(manifest)

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        self._call("delete")
        self.world.delete(kind, name, uid)

    async def suspend(self, kind: str, namespace: str, name: str, uid: str, *, on: bool) -> Mapping[str, Any]:
        self._call("suspend")
        known = self.world.objects[(kind, name)]
        assert known["metadata"]["uid"] == uid
        return self.world.put({**known, "spec": {**known.get("spec", {}), "suspend": on}})

    async def patch_status(
        self, kind: str, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        self._call("patch")
        return self.world.patch_status(kind, name, operations)

    async def record_event(self, event: Manifest) -> None:
        self._call("event")
        self.events.append(event)

    async def warnings(self, namespace: str, uid: str) -> Sequence[str]:
        self._call("warnings")
        return self.warning_texts


@dataclass
class InMemoryRegistry:
    """ports.Registry; `calls` keeps what was asked."""

    known: dict[str, str] | None = None
    """Aliases of the one registered model; None: there is none."""
    digests: dict[str, str] = field(default_factory=dict)
    run: Run | None = None
    models: list[tuple[str, str, str]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    former: list[Run] = field(default_factory=list)
    version: Version | None = None
    alias: Alias = field(default_factory=Alias)
    version_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    down: bool = False
    deleted: frozenset[str] = frozenset()
    """Versions that somebody has deleted."""
    open: list[tuple[str, str]] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def _call(self, *what: Any) -> None:
        self.calls.append(what)
        if self.down:
            raise RegistryError(Reason.REGISTRY_UNAVAILABLE, "no answer")

    async def aliases(self, model: str) -> Mapping[str, str]:
        self._call("aliases", model)
        if self.known is None:
            raise RegistryError(Reason.MODEL_NOT_FOUND, "no such model")
        return self.known

    async def digest_tag(self, model: str, version: str) -> str:
        self._call("digest_tag", model, version)
        if version not in self.digests:
            raise RegistryError(Reason.MODEL_VERSION_NOT_FOUND, "no such version")
        return self.digests[version]

    async def find_runs(self, uid: str, namespace: str) -> Sequence[Run]:
        self._call("find_runs", uid, namespace)
        return [*self.former, *([self.run] if self.run else [])]

    async def run_metrics(self, run_id: str) -> Mapping[str, float]:
        self._call("run_metrics", run_id)
        return self.metrics

    async def tag_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        self._call("tag_run", run_id, dict(tags))

    async def open_run(self, name: str, namespace: str, tags: Mapping[str, str]) -> None:
        self._call("open_run", name, namespace, dict(tags))
        self.run = Run("run-1", "1", "http://mlflow/run", "RUNNING")

    async def close_run(self, run_id: str, end: str) -> None:
        self._call("close_run", run_id, end)
        if self.run:
            self.run = Run(self.run.run_id, self.run.experiment_id, self.run.url, end)

    async def open_runs(self, operator_id: str) -> Sequence[tuple[str, str]]:
        self._call("open_runs", operator_id)
        return self.open

    async def logged_models(self, run_id: str, experiment_id: str) -> Sequence[tuple[str, str, str]]:
        self._call("logged_models", run_id, experiment_id)
        return self.models

    async def find_version(self, model: str, uid: str) -> Version | None:
        self._call("find_version", model, uid)
        return self.version

    async def register(
        self, model: str, *, run_id: str, model_id: str, description: str, tags: Mapping[str, str]
    ) -> None:
        self._call("register", model, run_id, model_id, description, dict(tags))
        self.version = Version("1")

    async def find_alias(self, model: str, alias: str) -> Alias:
        self._call("find_alias", model, alias)
        return self.alias

    async def tag_version(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        self._call("tag_version", model, version)
        if version in self.deleted:
            raise RegistryError(Reason.MODEL_VERSION_NOT_FOUND, "no such version")
        self.version_tags[version] = dict(tags)

    async def claim_alias(self, model: str, alias: str, writer: str) -> None:
        self._call("claim_alias", model, alias, writer)
        self.alias = replace(self.alias, writer=writer)

    async def set_alias(self, model: str, alias: str, version: str) -> None:
        self._call("set_alias", model, alias, version)
        self.alias = replace(self.alias, version=version)
