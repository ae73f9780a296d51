"""Brings a version of Envoy's files into Envoy, one file after the other, each when Envoy has what it leans on.

Nothing waits in here: every step writes what may be written now, and says where the version stands.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from fairlead_gateway.confirming import Part, Taken
from fairlead_gateway.render import File, Files

ACKNOWLEDGED_SECONDS = 1.0
"""How long the next version of a file waits for Envoy's word on the one before; later than that no Envoy is running."""
WRITTEN_AGAIN_SECONDS = 3.0
RETIRED_MARGIN_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Progress(Enum):
    """Where a version stands."""

    WAITING = "waiting"
    APPLIED = "applied"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class _Written:
    """A file as it lies there. refusals: Envoy's count when it was written."""

    version: str
    at: float
    refusals: int


@dataclass(slots=True)
class _Retired:
    """A cluster that the wanted routes do not name. Its last requests run until `due`; None: Envoy may send more."""

    text: str
    due: float | None = None


class Folder(Protocol):
    """The shared directory; paths are below it. All raise OSError."""

    def write(self, path: str, text: str) -> None:
        """Replace a file in one step."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file."""
        ...


class Applying:
    """One version at a time on its way into Envoy."""

    def __init__(self, folder: Folder, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._wanted: Files | None = None
        self._grace_seconds: Mapping[str, float] = {}
        self._written: dict[Part, _Written] = {}
        self._taken = {part: Taken() for part in Part}
        self._clusters: dict[str, str] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._retired: dict[str, _Retired] = {}
        self._endpoints: dict[str, str] = {}
        self._clusters_file: File | None = None

    def found(self, versions: Mapping[Part, str], clusters: Mapping[str, str], endpoints: Iterable[str]) -> None:
        """What lies there already, perhaps from an earlier process.

        clusters: text by name; endpoints: paths of files, which are written anew when they are wanted.
        """
        self._endpoints = dict.fromkeys(endpoints, "")
        self._written = {part: _Written(version, self._clock(), 0) for part, version in versions.items()}
        self._clusters = dict(clusters)
        self._names = {versions.get(Part.CLUSTERS, ""): frozenset(clusters)}

    def want(self, files: Files, grace_seconds: Mapping[str, float]) -> None:
        """Aim at this version. grace_seconds: how long a request to a ModelDeployment may run, by its name."""
        for name, text in self._clusters.items():
            if name not in files.clusters_by_name and name not in self._retired:
                self._retired[name] = _Retired(text)
        for name in files.clusters_by_name:
            self._retired.pop(name, None)
        self._wanted, self._grace_seconds = files, {**self._grace_seconds, **grace_seconds}
        self._clusters_file = None

    def envoy_started(self) -> None:
        """Envoy is a new process: it reads the files as they lie there, and counts from zero."""
        self._taken = {part: Taken() for part in Part}
        self._written = {part: _Written(item.version, self._clock(), 0) for part, item in self._written.items()}

    def heard(self, taken: Mapping[Part, Taken]) -> None:
        """What Envoy says it has."""
        self._taken = dict(taken)
        current = {taken[Part.CLUSTERS].version, self._written[Part.CLUSTERS].version}
        self._names = {version: names for version, names in self._names.items() if version in current}

    def step(self) -> Progress:
        """Write what may be written now. Raises OSError."""
        if self._wanted is None:
            return Progress.WAITING
        wanted = self._wanted
        self._retire(wanted)
        self._put_endpoints(wanted.endpoints)
        clusters = self._clusters_file = self._clusters_file or wanted.with_retired(
            {name: item.text for name, item in self._retired.items()}
        )
        parts = {Part.CLUSTERS: clusters, Part.ROUTES: wanted.routes, Part.LISTENERS: wanted.listeners}
        if any(self._refused(part, file) for part, file in parts.items()):
            return Progress.REFUSED
        if self._put(Part.CLUSTERS, clusters):
            self._clusters = {**{name: item.text for name, item in self._retired.items()}, **wanted.clusters_by_name}
            self._names[clusters.version] = frozenset(self._clusters)
        if self._names.get(self._taken[Part.CLUSTERS].version, frozenset()).issuperset(wanted.clusters_by_name):
            self._put(Part.ROUTES, wanted.routes)
            if self._has_routes(wanted):
                self._put(Part.LISTENERS, wanted.listeners)
        took = all(self._took(part, file) for part, file in parts.items() if self._reads(part))
        if not (took and self._has_routes(wanted)):
            return Progress.WAITING
        self._clear_endpoints(wanted.endpoints)
        return Progress.APPLIED

    @property
    def refused_part(self) -> Part | None:
        """The first file of those that lie there that Envoy has refused."""
        return next((part for part, item in self._written.items() if self._refuses(part, item)), None)

    @property
    def due(self) -> float | None:
        """When the next retired cluster may go, on the clock; None while none is to."""
        return min((item.due for item in self._retired.values() if item.due is not None), default=None)

    def _put_endpoints(self, files: Mapping[str, File]) -> None:
        """Write the files that have changed; a cluster must find its own when it comes, so they come first."""
        for path, file in files.items():
            if self._endpoints.get(path) != file.version:
                self._folder.write(path, file.text)
                self._endpoints[path] = file.version

    def _clear_endpoints(self, wanted: Mapping[str, File]) -> None:
        """Remove the files of clusters that Envoy no longer has."""
        for path in self._endpoints.keys() - wanted.keys():
            if not any(path in item.text for item in self._retired.values()):
                self._folder.remove(path)
                del self._endpoints[path]

    def _put(self, part: Part, file: File) -> bool:
        """Write the file unless it lies there, and not before Envoy's word on the one before; whether it did."""
        now, last, taken = self._clock(), self._written.get(part), self._taken[part]
        if last:
            silent = taken.version != last.version and not self._refuses(part, last) and self._reads(part)
            patience = WRITTEN_AGAIN_SECONDS if last.version == file.version else ACKNOWLEDGED_SECONDS
            if silent and now - last.at < patience:
                return False
            if not silent and last.version == file.version:
                return False
            if last.version == file.version:
                _log.warning("file written again", extra={"path": file.path, "version": file.version})
        self._folder.write(file.path, file.text)
        self._written[part] = _Written(file.version, now, taken.refusals)
        return True

    def _refused(self, part: Part, file: File) -> bool:
        written = self._written.get(part)
        return written is not None and written.version == file.version and self._refuses(part, written)

    def _refuses(self, part: Part, written: _Written) -> bool:
        taken = self._taken[part]
        return taken.version != written.version and taken.refusals > written.refusals

    def _reads(self, part: Part) -> bool:
        """Whether Envoy reads this file: routes are read for the sake of a listener."""
        return part is not Part.ROUTES or bool(self._taken[Part.ROUTES].version)

    def _has_routes(self, wanted: Files) -> bool:
        """Whether Envoy has the wanted routes, or will find them with its first listener."""
        if self._reads(Part.ROUTES):
            return self._took(Part.ROUTES, wanted.routes)
        return self._lies_there(Part.ROUTES, wanted.routes)

    def _took(self, part: Part, file: File) -> bool:
        """Whether this is what Envoy has, and what it will have: on the way to it may be another version."""
        return self._taken[part].version == file.version and self._lies_there(part, file)

    def _lies_there(self, part: Part, file: File) -> bool:
        return part in self._written and self._written[part].version == file.version

    def _retire(self, wanted: Files) -> None:
        """Start the time of clusters to which Envoy sends nothing any more, and let go of those whose time is up."""
        now = self._clock()
        for name, item in list(self._retired.items()):
            if item.due is None and self._has_routes(wanted):
                item.due = now + self._grace_seconds.get(name.partition("|")[0], 0.0) + RETIRED_MARGIN_SECONDS
            if item.due is not None and item.due <= now:
                del self._retired[name]
                self._clusters.pop(name, None)
                self._clusters_file = None
