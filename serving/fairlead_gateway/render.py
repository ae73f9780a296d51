"""From ModelDeployments to Envoy's files. Pure.

Envoy reads the clusters, the table of routes and the listeners, and for ModelDeployments with more than one revision a
file of endpoints for each cluster. The order in which a new version is written makes every change without a failed
request; each step waits until Envoy says that it has the one before (`File.version`):

1. endpoints, each a file: a cluster must find its own;
2. clusters: all of the new version and, with `with_retired`, those of the version before that the new one lacks;
3. routes: a route must not name a cluster that is not there yet;
4. listeners: a new port must find its routes, and one that goes still finds them;
5. clusters again without the retired ones, and their endpoints removed, after the last request that could use them:
   requestTimeout later.

Clusters and listeners are taken one by one: what Envoy refuses leaves the rest as it is. The table of routes, and a
file that is no valid message, are taken or refused as a whole; `render` without the ModelDeployments that changed
since the last accepted version finds the one to blame.

Why not a file of endpoints for every cluster: Envoy takes an inotify instance for each file, Linux grants a user 128 on
a whole node, and Envoy aborts when it gets none. Why any: a cluster that changes with its endpoints inside is made anew
and forgets how often it answered what, which is the evidence of a rollout.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from fairlead_gateway.endpoints import Endpoint
from fairlead_gateway.envoy.clusters import Use, build_assignment, build_cluster, cluster_name
from fairlead_gateway.envoy.listeners import build_listener
from fairlead_gateway.envoy.messages import to_json, typed
from fairlead_gateway.envoy.routes import build_host, build_routes, build_table, has_failover
from fairlead_gateway.traffic import Arm, Traffic

CLUSTERS_FILE = "clusters.json"
ROUTES_FILE = "routes.json"
LISTENERS_FILE = "listeners.json"
MAX_ENDPOINT_FILES = 40
"""Beyond these, clusters carry their endpoints themselves."""
_CLUSTER = "envoy.config.cluster.v3.Cluster"
_ASSIGNMENT = "envoy.config.endpoint.v3.ClusterLoadAssignment"
_LISTENER = "envoy.config.listener.v3.Listener"


@dataclass(frozen=True)
class Deployment:
    """A ModelDeployment as the gateway serves it: its name, its traffic, its revisions' ready endpoints."""

    name: str
    traffic: Traffic
    endpoints: Mapping[str, Sequence[Endpoint]]


@dataclass(frozen=True)
class File:
    """One file of Envoy's. path: below the shared directory; version: what Envoy says once it has taken it."""

    path: str
    text: str
    version: str


@dataclass(frozen=True)
class Files:
    """All that Envoy reads, in the order of writing.

    endpoints: by path. clusters_by_name: each cluster's text, to keep those that a later version lacks for a while.
    """

    endpoints: Mapping[str, File]
    clusters: File
    routes: File
    listeners: File
    clusters_by_name: Mapping[str, str]

    def with_retired(self, retired: Mapping[str, str]) -> File:
        """The file of clusters, with clusters of earlier versions that this one lacks."""
        return _file(CLUSTERS_FILE, {**retired, **self.clusters_by_name}.values())


@dataclass(frozen=True)
class _Part:
    """What one ModelDeployment adds to the files, as text. clusters: name -> text; endpoints: by path."""

    clusters: Mapping[str, str]
    endpoints: Mapping[str, File]
    host: str
    listener: str


def render(deployments: Sequence[Deployment], directory: str, listen_address: str = "0.0.0.0") -> Files:
    """Envoy's files for these ModelDeployments, each with a name and a port of its own.

    directory: where the files will lie, absolute; listen_address: `0.0.0.0`, or `::` for both families.
    """
    parts: list[_Part] = []
    files_left = MAX_ENDPOINT_FILES
    for item in sorted(deployments, key=lambda deployment: deployment.name):
        endpoints = tuple(sorted((revision, tuple(found)) for revision, found in item.endpoints.items()))
        compared = len(item.traffic.arms) > 1 or item.traffic.mirror is not None
        watched = compared and len(_planned(item.traffic)) <= files_left
        part = _part(item.name, item.traffic, endpoints, directory, listen_address, watched)
        files_left -= len(part.endpoints)
        parts.append(part)
    clusters = {name: text for part in parts for name, text in part.clusters.items()}
    return Files(
        endpoints={path: file for part in parts for path, file in part.endpoints.items()},
        clusters=_file(CLUSTERS_FILE, clusters.values()),
        routes=_file(ROUTES_FILE, [build_table(part.host for part in parts)]),
        listeners=_file(LISTENERS_FILE, [part.listener for part in parts]),
        clusters_by_name=clusters,
    )


# Kept, because one change in a namespace of hundreds must not cost the text of all.
@lru_cache(maxsize=512)
def _part(  # noqa: PLR0917 -- a cache knows its entries by position
    name: str,
    traffic: Traffic,
    endpoints: tuple[tuple[str, tuple[Endpoint, ...]], ...],
    directory: str,
    listen_address: str,
    watched: bool,
) -> _Part:
    by_revision = dict(endpoints)
    clusters: dict[str, str] = {}
    files: dict[str, File] = {}
    for planned in _planned(traffic):
        cluster = cluster_name(name, planned.revision, planned.use)
        pods = by_revision.get(planned.answering, ())
        assignment = build_assignment(cluster, planned.answering, pods, planned.failing_over)
        path = f"endpoints/{cluster}.json"
        if watched:
            files[path] = _file(path, [to_json(typed(_ASSIGNMENT, assignment))])
        built = build_cluster(
            assignment,
            protocol=traffic.protocol,
            endpoints_file=f"{directory}/{path}" if watched else "",
            attempt_timeout_seconds=traffic.attempt_timeout if planned.failing_over or planned.copies else None,
            failing_over=planned.failing_over,
            bounded=planned.copies,
        )
        clusters[cluster] = to_json(typed(_CLUSTER, built))
    ready = {revision for revision, found in endpoints if found}
    listener = build_listener(name, listen_address, traffic.port, f"{directory}/{ROUTES_FILE}")
    return _Part(
        clusters=clusters,
        endpoints=files,
        host=to_json(build_host(name, build_routes(name, traffic, ready))),
        listener=to_json(typed(_LISTENER, listener)),
    )


@dataclass(frozen=True)
class _Planned:
    """A cluster to build: `<revision>|<use>`, and the revision whose pods answer there."""

    revision: str
    use: Use
    answering: str
    failing_over: bool = False

    @property
    def copies(self) -> bool:
        """Whether nobody waits for its answers."""
        return self.use is Use.MIRROR


def _planned(traffic: Traffic) -> Sequence[_Planned]:
    """The clusters that the routes of a ModelDeployment name."""
    planned = [planned for arm in traffic.arms for planned in _of_arm(traffic, arm)]
    if traffic.mirror:
        planned.append(_Planned(traffic.mirror.revision, Use.MIRROR, traffic.mirror.revision))
    return planned


def _of_arm(traffic: Traffic, arm: Arm) -> Iterable[_Planned]:
    """The clusters of an arm's first attempts, and those of its second ones."""
    stable = traffic.stable.revision if traffic.stable else ""
    uses = [(Use(arm.role), Use.FAILOVER)]
    if any(match.revision == arm.revision for match in traffic.match):
        uses.append((Use.MATCHED, Use.MATCHED_FAILOVER))
    for first, second in uses:
        yield _Planned(arm.revision, first, arm.revision, has_failover(arm))
        if has_failover(arm):
            yield _Planned(arm.revision, second, arm.failover or stable)


def _file(path: str, resources: Iterable[str]) -> File:
    """A DiscoveryResponse; Envoy tells by its version which one it took."""
    body = ",".join(resources)
    version = hashlib.sha256(body.encode()).hexdigest()[:16]
    return File(path, f'{{"version_info":"{version}","resources":[{body}]}}\n', version)
