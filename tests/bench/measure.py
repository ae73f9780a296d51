"""One run: a fresh control plane, the operator as a process, many ModelDeployments, until all of them are stable."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fairlead.api.kinds import BY_KIND
from tests.apiserver.conftest import CRDS, wait_until_served
from tests.apiserver.objects import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.plain_http import ask
from tests.bench.fleet import Fleet
from tests.bench.footprint import Footprint, footprint_of
from tests.bench.tally import Tally, arrivals, last_write, tally
from tests.cluster import ControlPlane, control_plane, mark
from tests.cluster.audit import requests
from tests.cluster.progress import last_lines, pause, step

NAMESPACE = "bench"
ADMIN = "admin"
OPERATOR = "operator"
GATEWAYS = 1
"""Deployments that are no model's: the namespace's gateway has one."""
QUIET_SECONDS = 2.0
PATIENCE_SECONDS = 300.0
_RECONCILES = re.compile(
    r'^fairlead_reconcile_total\{kind="ModelDeployment",result="(\w+)"\} ([0-9.e+]+)$', re.MULTILINE
)
_STABLE = re.compile(r'^fairlead_resources\{kind="ModelDeployment",phase="Stable"\} ([0-9.e+]+)$', re.MULTILINE)


@dataclass(frozen=True)
class Measurement:
    """What one run came to. Seconds are between arrivals of requests at the API server, by its own clock.

    `from_first_seconds`, `from_last_seconds`: from the first and from the last create to the last child Deployment.
    `settled_seconds`: from the first create to the operator's last write. `stable_seconds`: from the first Deployment
    that is ready to the operator's last write. `registry_requests`: MLflow's, by method and path.
    """

    count: int
    load_average: float
    create_seconds: float
    from_first_seconds: float
    from_last_seconds: float
    settled_seconds: float
    stable_seconds: float
    coming_up: Tally
    becoming_stable: Tally
    reconciles: Mapping[str, int]
    idle: Footprint
    loaded: Footprint
    registry_requests: Mapping[str, int]

    @property
    def writes_each(self) -> float:
        """Writes for each ModelDeployment, from its creation to the end of the run."""
        return (self.coming_up.written + self.becoming_stable.written) / self.count


@dataclass(frozen=True)
class Source:
    """What the fleet serves: a container, or (with `model`) one model of a registry."""

    model: str = ""
    registry_url: str = ""
    asked: Callable[[], Mapping[str, int]] = dict


def measure(folder: Path, count: int, source: Source) -> Measurement:
    """Run once in `folder`. AssertionError when the fleet is not stable within `PATIENCE_SECONDS`."""
    load_average = os.getloadavg()[0]
    with control_plane(folder) as plane:
        plane.kubectl("apply", "-f", str(CRDS))
        wait_until_served(plane)
        plane.kubectl("create", "namespace", NAMESPACE)
        settings = {"registry": {"url": source.registry_url}}
        operator = OperatorProcess.start(plane, folder, user=OPERATOR, namespace=NAMESPACE, settings=settings)
        try:
            eventually("the operator leads", lambda: operator.leading, seconds=20)
            return _run(plane, operator, count, source, load_average)
        finally:
            operator.kill()


def _run(
    plane: ControlPlane, operator: OperatorProcess, count: int, source: Source, load_average: float
) -> Measurement:
    fleet = Fleet(plane, NAMESPACE)
    idle, start = footprint_of(operator.process.pid), mark(plane.audit_log)
    with step(f"{count} ModelDeployments created and settled"):
        fleet.create(count, model=source.model)
        _until(operator, f"{count} Deployments", lambda: fleet.count(BY_KIND["Deployment"]) == count + GATEWAYS)
        _quiet(operator)
    middle = mark(plane.audit_log)
    with step(f"{count} Deployments ready and settled"):
        fleet.make_ready()
        _until(operator, f"{count} are stable", lambda: stable(_metrics(operator)) == count)
        _quiet(operator)
    return _evaluate(
        plane, operator, count, load_average=load_average, idle=idle, start=start, middle=middle, source=source
    )


def _evaluate(
    plane: ControlPlane,
    operator: OperatorProcess,
    count: int,
    *,
    load_average: float,
    idle: Footprint,
    start: int,
    middle: int,
    source: Source,
) -> Measurement:
    loaded, every, late = footprint_of(operator.process.pid), *(requests(plane.audit_log, at) for at in (start, middle))
    early = every[: len(every) - len(late)]
    created = arrivals(early, "modeldeployments", by=ADMIN, created=True)
    followed = arrivals(early, "deployments", by=OPERATOR, created=True)
    ready = [item.received for item in late if item.user == ADMIN and item.subresource == "status"]
    return Measurement(
        count=count,
        load_average=load_average,
        create_seconds=_seconds(created[0], created[-1]),
        from_first_seconds=_seconds(created[0], followed[-1]),
        from_last_seconds=_seconds(created[-1], followed[-1]),
        settled_seconds=_seconds(created[0], last_write(early, OPERATOR)),
        stable_seconds=_seconds(min(ready), last_write(late, OPERATOR)),
        coming_up=tally(early, OPERATOR),
        becoming_stable=tally(late, OPERATOR),
        reconciles=reconciles(_metrics(operator)),
        idle=idle,
        loaded=loaded,
        registry_requests=source.asked(),
    )


def _seconds(start: datetime, end: datetime | None) -> float:
    assert end is not None, "the operator has written nothing"
    return (end - start).total_seconds()


def _until(operator: OperatorProcess, what: str, holds: Callable[[], bool]) -> None:
    def look() -> bool:
        assert operator.alive, f"the operator ended with {operator.process.returncode}; {last_lines(operator.log)}"
        pause(0.5)
        return holds()

    eventually(what, look, seconds=PATIENCE_SECONDS, shows=lambda: last_lines(operator.log))


def _quiet(operator: OperatorProcess) -> None:
    """Until the operator has written nothing for `QUIET_SECONDS`."""

    def quiet() -> bool:
        since = mark(operator.plane.audit_log)
        pause(QUIET_SECONDS)
        return not operator.writes(since)

    eventually("the operator settles", quiet, seconds=PATIENCE_SECONDS)


def _metrics(operator: OperatorProcess) -> str:
    return ask(f"http://127.0.0.1:{operator.port}/metrics") or ""


def reconciles(metrics: str) -> dict[str, int]:
    """Reconciles of ModelDeployments by result, from the exposition text; results that never came left out."""
    return {result: int(float(value)) for result, value in _RECONCILES.findall(metrics) if float(value)}


def stable(metrics: str) -> int:
    """How many ModelDeployments are stable, from the exposition text."""
    found = _STABLE.search(metrics)
    return int(float(found.group(1))) if found else 0
