"""One frozen picture of the world per decision, from the cache and the registry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fairlead.api.gateway_evidence import PodEvidence
from fairlead.api.kinds import MODEL_DEPLOYMENT
from fairlead.api.names import ANNOTATION_REQUEST, GATEWAY, attempt_name, registering_name
from fairlead.api.observed import (
    ObservedJob,
    ObservedPod,
    controller_kind,
    owner_uid,
    parse_job,
    parse_pod,
    parse_revision,
    parse_workload,
)
from fairlead.api.resource import ModelDeployment, TrainingJob, parse_meta, parse_model_deployment, parse_training_job
from fairlead.api.training_job import TrainingPhase
from fairlead.core.compare import is_stamped
from fairlead.core.effects import ObjectRef
from fairlead.core.evidence.sample import STALE_SECONDS
from fairlead.core.gateway import gateway_conflict, is_gateway_object
from fairlead.core.genuine import is_genuine_revision
from fairlead.core.refusals import refused_by_tenancy
from fairlead.core.world import (
    Allowed,
    Child,
    GatewayFacts,
    GatewayWorld,
    Registering,
    RegistryFacts,
    RegistryProblem,
    ServingWorld,
    TrainingWorld,
)
from fairlead.ports import Clock, Cluster, Registry
from fairlead.render.defaults import GatewayDefaults, RenderDefaults
from fairlead.shell.cache import Cache
from fairlead.shell.facts import gather_facts
from fairlead.shell.gateways import Gateways
from fairlead.shell.keys import GATEWAY_KIND, Key, key_of
from fairlead.shell.models import Answer, Models
from fairlead.shell.port_book import PortBook
from fairlead.shell.reports import Reports
from fairlead.shell.rollouts import Rollouts

_AFTER_THE_JOB = frozenset({TrainingPhase.GATING, TrainingPhase.REGISTERING, TrainingPhase.FAILED})


@dataclass(frozen=True, slots=True)
class Frame:
    """What every world has in common: settings, and who leads."""

    defaults: RenderDefaults
    gateway: GatewayDefaults
    allowed: Allowed
    retirement_grace_seconds: float
    epoch: int
    operator_id: str


@dataclass(slots=True)
class Seen:
    """What one reconcile learnt by writing: foreign objects under our names, refusals by API server and registry."""

    foreign: dict[ObjectRef, Mapping[str, Any]]
    refused: str = ""
    problem: RegistryProblem | None = None


def is_ours(key: Key, body: Mapping[str, Any], uid: str) -> bool:
    """Whether the object's controller is the custom resource, and it is nothing that we would not have written."""
    if key.kind == GATEWAY_KIND:
        return is_gateway_object(body)
    held = owner_uid(body) == uid or (key.kind == MODEL_DEPLOYMENT.kind and _is_orphan(key, body))
    return held and (body["kind"] != "ControllerRevision" or is_genuine_revision(body))


def _is_orphan(key: Key, body: Mapping[str, Any]) -> bool:
    """Whether we wrote the object for a ModelDeployment of this name, and nobody controls it any more: what
    `kubectl delete --cascade=orphan` leaves, and backups that know no UIDs. It is taken over as a Deployment takes over
    its ReplicaSets."""
    return key_of(body) == key and is_stamped(body) and not controller_kind(body)


class Gatherer:
    """Ports and cache -> worlds. Reads only."""

    def __init__(
        self,
        cache: Cache,
        cluster: Cluster,
        registry: Registry,
        clock: Clock,
        models: Models,
        *,
        gateways: Gateways,
        rollouts: Rollouts,
        reports: Reports | None = None,
    ) -> None:
        self._cache = cache
        self._rollouts = rollouts
        self._gateways = gateways
        self._reports = reports
        self._ports = PortBook(cache)
        self._cluster = cluster
        self._registry = registry
        self._models = models
        self._clock = clock

    def _children(self, key: Key, uid: str, seen: Seen) -> dict[ObjectRef, Child]:
        found = {
            ObjectRef(str(body["kind"]), str(body["metadata"]["name"])): Child(
                manifest=body, uid=str(body["metadata"]["uid"]), ours=is_ours(key, body, uid)
            )
            for body in self._cache.members(key)
            if body["kind"] != "Pod"
        }
        for ref, body in seen.foreign.items():
            found.setdefault(ref, Child(manifest=body, uid=str(body["metadata"]["uid"]), ours=False))
        return found

    def _pods(self, key: Key) -> tuple[Mapping[str, Any], ...]:
        return tuple(body for body in self._cache.members(key) if body["kind"] == "Pod")

    async def gather_serving(self, key: Key, body: Mapping[str, Any], frame: Frame, seen: Seen) -> ServingWorld:
        """The world of a ModelDeployment. InvalidResource when it does not fit the schema."""
        resource = parse_model_deployment(body)
        children = self._children(key, resource.meta.uid, seen)
        ours = [child.manifest for child in children.values() if child.ours]
        return ServingWorld(
            resource=resource,
            children=children,
            revisions=tuple(parse_revision(item) for item in ours if item["kind"] == "ControllerRevision"),
            workloads={
                str(item["metadata"]["name"]): parse_workload(item)  # type: ignore[index,call-overload]
                for item in ours
                if item["kind"] == "Deployment"
            },
            pods=tuple(parse_pod(item) for item in self._pods(key) if controller_kind(item) == "ReplicaSet"),
            model=self._resolve(key, resource, frame),
            defaults=frame.defaults,
            allowed=frame.allowed,
            retirement_grace_seconds=frame.retirement_grace_seconds,
            epoch=frame.epoch,
            now=self._clock.now(),
            now_seconds=self._clock.wall_seconds(),
            refused=seen.refused,
            port=self._ports.port_of(key, body),
            gateway=self._gateway(key, resource),
            evidence=self._evidence(key, resource),
            evidence_stale_seconds=self._reports.stale_seconds(key.namespace) if self._reports else STALE_SECONDS,
            remembered=self._rollouts.remembered(key),
            rollouts=self._rollouts.rules(key),
            told=self._rollouts.told(key),
            request=str((body["metadata"].get("annotations") or {}).get(ANNOTATION_REQUEST, "")),
        )

    def _evidence(self, key: Key, resource: ModelDeployment) -> Mapping[str, PodEvidence]:
        """What the gateways' pods last counted, while somebody is judged by it."""
        status = resource.status
        on = self._reports is not None and (status.evidence is not None or status.probation is not None)
        return self._reports.evidence(key.namespace) if self._reports and on else {}

    def _gateway(self, key: Key, resource: ModelDeployment) -> GatewayFacts:
        """How the namespace's gateway stands, with what its pods say of this ModelDeployment."""
        facts, traffic = self._gateways.facts(key.namespace), resource.status.traffic
        if self._reports is None or resource.meta.deleting:
            return facts
        probation = resource.status.probation
        on = resource.status.evidence is not None or (
            probation is not None and (probation.suspect or not probation.settled)
        )
        answers = self._reports.follow(key, generation=traffic.generation if traffic else 0, watched=on)
        return replace(facts, reports=answers.reports, silent=answers.silent)

    def forget(self, key: Key) -> None:
        """A custom resource is gone."""
        self._ports.forget(key)
        self._rollouts.forget(key)
        if self._reports is not None:
            self._reports.forget(key)

    def gather_gateway(self, key: Key, frame: Frame, seen: Seen) -> GatewayWorld:
        """The world of a namespace's gateway."""
        metas = (parse_meta(body) for body in self._cache.inside(MODEL_DEPLOYMENT.kind, key.namespace))
        return GatewayWorld(
            namespace=key.namespace,
            owners=tuple(meta for meta in metas if not meta.deleting),
            children=self._children(key, "", seen),
            defaults=frame.gateway,
            refused=seen.refused,
        )

    def gateway_facts(self, key: Key, world: GatewayWorld) -> GatewayFacts:
        """What the ModelDeployments have to know of their gateway."""
        child = world.children.get(ObjectRef("Deployment", GATEWAY))
        return GatewayFacts(
            workload=parse_workload(child.manifest) if child and child.ours else None,
            pods=tuple(parse_pod(item) for item in self._pods(key) if controller_kind(item) == "ReplicaSet"),
            conflict=gateway_conflict(world),
            refused=world.refused,
        )

    def _resolve(self, key: Key, resource: ModelDeployment, frame: Frame) -> Answer | None:
        asked = resource.spec.model
        if asked is None or resource.meta.deleting:
            self._models.forget(key)
            return None
        if refused := refused_by_tenancy("spec.model.name", asked.name, resource.meta.namespace, frame.allowed):
            self._models.forget(key)  # not even whether it exists is told
            return RegistryProblem(refused.reason, refused.message)
        return self._models.resolve(key, asked)

    async def gather_training(self, key: Key, body: Mapping[str, Any], frame: Frame, seen: Seen) -> TrainingWorld:
        """The world of a TrainingJob. InvalidResource when it does not fit the schema."""
        resource = parse_training_job(body)
        children = self._children(key, resource.meta.uid, seen)
        child = children.get(ObjectRef("Job", attempt_name(resource.meta.name, resource.status.current_attempt)))
        job = parse_job(child.manifest) if child and child.ours else None
        pods = self._pods_of_job(key, job)
        warning = await self._warning(key, job, pods)
        registering = await self._registering(key, resource, children)
        asks = (job is None or resource.status.phase in _AFTER_THE_JOB) and not _hashing(resource, registering)
        return TrainingWorld(
            resource=resource,
            children=children,
            job=job,
            pods=pods,
            registry=(seen.problem or await gather_facts(self._registry, resource)) if asks else RegistryFacts(),
            defaults=frame.defaults,
            allowed=frame.allowed,
            operator_id=frame.operator_id,
            epoch=frame.epoch,
            now=self._clock.now(),
            job_warning=warning,
            registering=registering,
            refused=seen.refused,
        )

    def _pods_of_job(self, key: Key, job: ObservedJob | None) -> tuple[ObservedPod, ...]:
        return tuple(parse_pod(item) for item in self._pods(key) if job is not None and owner_uid(item) == job.uid)

    async def _warning(self, key: Key, job: ObservedJob | None, pods: tuple[ObservedPod, ...]) -> str:
        """The newest warning about a Job that is under way without a pod."""
        if job is None or pods or job.complete or job.failed:
            return ""
        warnings = await self._cluster.warnings(key.namespace, job.uid)
        return warnings[-1] if warnings else ""

    async def _registering(
        self, key: Key, resource: TrainingJob, children: Mapping[ObjectRef, Child]
    ) -> Registering | None:
        """The registering Job of the attempt, as long as something is to be learnt from it."""
        if resource.status.phase is not TrainingPhase.REGISTERING:
            return None
        child = children.get(ObjectRef("Job", registering_name(resource.meta.name, resource.status.current_attempt)))
        if child is None or not child.ours:
            return None
        job = parse_job(child.manifest)
        pods = self._pods_of_job(key, job)
        return Registering(job, pods, await self._warning(key, job, pods))


def _hashing(resource: TrainingJob, registering: Registering | None) -> bool:
    """Whether the registering Job is there and its digest is not known: until then MLflow is not asked."""
    known = resource.status.model_version
    return registering is not None and known is not None and not (known.digest or known.version)
