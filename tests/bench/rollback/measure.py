"""One bad version after the other under load on the cluster: when it is braked, when it is decided, what users saw."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from tests.bench.rollback.clock import brake_seconds, first_failure, merged
from tests.e2e.blinding import evidence_blocked, scraped_every
from tests.e2e.gateway import is_ready
from tests.e2e.killing import phases
from tests.e2e.rollout import SERVING_PORT, Watched
from tests.e2e.world import World
from tests.load import Connections, LoadPlan, background_load

RATE = 200.0
PROBE_PERCENT = 5.0
DECIDED_WITHIN_SECONDS = 180.0
ENDED_WITHIN_SECONDS = 540.0
"""With a cool-down of five minutes in between."""
GONE_WITHIN_SECONDS = 90.0
SETTLE_SECONDS = 3.0
AFTERWARDS_SECONDS = 3.0
"""Load goes on so long after the verdict: what users see of the roll-back itself belongs to it."""


@dataclass(frozen=True)
class Case:
    """A kind of bad version and how it is rolled out. `share` of its answers fail, each takes `after_ms`."""

    name: str
    share: float
    after_ms: int = 5
    replicas: int = 1
    weights: tuple[int, ...] = (50,)
    connections: Connections = Connections.KEEPALIVE
    failover: bool = True
    to_the_end: bool = False
    """Without failover the first brake ends a run; this one goes on past the cool-down, until the second."""
    scrapes: str = ""
    """How often Prometheus looks, where no gateway can be asked directly; empty where they can."""

    @property
    def ends(self) -> set[str]:
        """The phases that end a run. After the first brake of a version that users are not shielded from it gets no
        traffic for the length of a cool-down."""
        return {"RolledBack"} if self.failover or self.to_the_end else {"RolledBack", "Braked"}

    @property
    def halfway_percent(self) -> float:
        """Between the first step's weight and the probe's: what tells one from the other."""
        return (self.weights[0] + PROBE_PERCENT) / 2

    @property
    def rollout(self) -> dict[str, Any]:
        """The spec's part."""
        return {"canary": {"steps": [{"weight": weight} for weight in self.weights], "failover": self.failover}}


@dataclass(frozen=True)
class Run:
    """One bad version. Seconds count from its first failed attempt; attempts are those that its own pods counted."""

    case: str
    brake_seconds: float
    decided_seconds: float
    attempts: int
    failures: int
    sent: int
    failed: int
    on_time: bool
    reason: str
    codes: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Run":
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))


class Pods:
    """What the pods of a revision counted, also those that have gone meanwhile."""

    def __init__(self, world: World, revision: str) -> None:
        self._world = world
        self._selector = f"fairlead.dev/revision={revision}"
        self._addresses: set[str] = set()
        self._told: dict[str, dict[str, dict[str, int]]] = {}

    def find(self) -> None:
        """Learn of the pods that are ready now."""
        found = self._world.items("pods", self._selector)
        self._addresses |= {pod["status"]["podIP"] for pod in found if is_ready(pod)}

    def look(self) -> None:
        """Ask all of them once; one that does not answer any more has said it all."""
        for address in self._addresses:
            try:
                answer = httpx.get(f"http://{address}:{SERVING_PORT}/-/counts", timeout=5, trust_env=False)
            except httpx.TransportError:
                continue
            self._told[address] = answer.json()

    def by_tenth(self, what: str) -> dict[int, int]:
        """`answers` or `failures` of all pods together."""
        return dict(merged(told[f"{what}_by_tenth"] for told in self._told.values()))


def plan_of(url: str, case: Case) -> LoadPlan:
    """Users: 200 requests/s, nothing tried again."""
    return LoadPlan(
        url=url, rate=RATE, seconds=600, connections=case.connections, keepalive_connections=40, timeout_seconds=20
    )


def serve(world: World, case: Case) -> Watched:
    """The first, good version of a case, rolled out."""
    watched = Watched(world)
    watched.serving(replicas=case.replicas, rollout=case.rollout, env={"AFTER_MS": str(case.after_ms)})
    return watched


@contextmanager
def seen_as(case: Case, world: World) -> Iterator[None]:
    """What the operator can see of the traffic, as the case has it."""
    if not case.scrapes:
        yield
        return
    with scraped_every(world, case.scrapes), evidence_blocked(world):
        yield


def haul_back(watched: Watched, case: Case, number: int) -> Run:
    """Ship one bad version under load, and wait for its end."""
    world = watched.world
    with background_load(plan_of(world.url("web"), case)) as load, phases(world, "md") as told:
        time.sleep(SETTLE_SECONDS)
        bad = watched.ship(
            number,
            replicas=case.replicas,
            rollout=case.rollout,
            env={"FAIL": str(case.share), "AFTER_MS": str(case.after_ms)},
        )
        pods = Pods(world, bad)
        ended = _until_told(
            told, pods, case.ends, seconds=ENDED_WITHIN_SECONDS if case.to_the_end else DECIDED_WITHIN_SECONDS
        )
        time.sleep(AFTERWARDS_SECONDS)
        pods.look()
        report = load.report()
    status = watched.status
    entry = status["evidence"] if status["phase"] == "Braked" else status["history"][-1]
    assert bad in (entry.get("candidate"), entry.get("revision")), entry
    attempts, failures = pods.by_tenth("answers"), pods.by_tenth("failures")
    # What was hauled back goes when every gateway has said that it sends nothing there; one that is not heard cannot.
    if status["phase"] == "RolledBack" and not case.scrapes:
        world.wait("the bad pods are gone", lambda: world.get("deploy", bad) is None, seconds=GONE_WITHIN_SECONDS)
    return Run(
        case=case.name,
        brake_seconds=brake_seconds(attempts, failures, rate=RATE, percent=case.halfway_percent),
        decided_seconds=round(ended - first_failure(failures) / 10, 1),
        attempts=sum(attempts.values()),
        failures=sum(failures.values()),
        sent=report.sent,
        failed=report.failed,
        on_time=report.on_time,
        reason=entry["reason"],
        codes=report.non2xx_by_code,
    )


def _until_told(told: Any, pods: Pods, ends: set[str], *, seconds: float) -> float:
    """The moment of the verdict, seconds since 1970. The pods are found as the rollout begins."""
    limit = time.time() + seconds
    begun = False
    while time.time() < limit:
        phase = told.get(timeout=seconds)
        moment = time.time()
        if phase in ("Canary", "Braked"):
            begun = True
            pods.find()
        if phase in ends and begun:
            return moment
    raise AssertionError(f"no verdict within {seconds} s")
