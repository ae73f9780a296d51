"""The soak itself, on the whole cluster."""

import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairlead.api.model_deployment import ModelDeploymentSpec
from fairlead.api.names import revision_name
from fairlead.core.compare import digest_of
from fairlead.render.serving import revision_inputs
from tests.cluster.progress import pause
from tests.e2e.gateway import NAME
from tests.e2e.killing import SELECTOR, processes
from tests.e2e.rollout import Watched, version
from tests.load import LoadReport, background_load
from tests.platform import NAMESPACE
from tests.soak.tally import SHARE_DECIDED, VERDICTS, Shipped, Tally, is_flat

RATE = 100.0
REPLICAS = 2
KILL_EVERY_SECONDS = 17.0
LOOK_SECONDS = 1.0
LAST_SECONDS = 120.0
"""For the last version's verdict."""
ROLLOUT: dict[str, Any] = {
    "canary": {
        "steps": [
            {"weight": 20, "minRequests": 40, "minDuration": "3s"},
            {"weight": 50, "minRequests": 80, "minDuration": "3s"},
        ],
        "failover": True,
    },
    "guard": {"duration": "8s", "controlPercent": 10},
}
BAD: tuple[Mapping[str, str], ...] = ({"FAIL": "0.3"}, {"FAIL": "1"}, {"FAIL": "0.6", "AFTER_MS": "100"})


@dataclass
class Soak:
    """A run, and what was seen in it."""

    watched: Watched
    draw: random.Random
    tally: Tally = field(default_factory=Tally)
    mib: list[float] = field(default_factory=list)
    killed: int = 0
    cpu_share: float = 0.0
    report: LoadReport | None = None

    def run(self, *, minutes: float, every_seconds: float) -> None:
        """Ship, kill, look, until the time is over and the last version has its verdict."""
        self.watched.serving(rollout=ROLLOUT, replicas=REPLICAS)
        with background_load(self.watched.plan(rate=RATE, seconds=minutes * 60 + 2 * LAST_SECONDS)) as load:
            began, cpu = time.monotonic(), _operator_cpu_seconds(self.watched)
            ends = began + minutes * 60
            ship, kill = began, began + KILL_EVERY_SECONDS / 2
            while (now := time.monotonic()) < ends:
                if now >= ship:
                    self._ship()
                    ship += every_seconds
                if now >= kill:
                    self._kill_a_pod()
                    kill += KILL_EVERY_SECONDS
                self._look()
                pause(LOOK_SECONDS)
            while time.monotonic() < ends + LAST_SECONDS:
                self._look()
                if self.tally.of(self.tally.shipped[-1]) in VERDICTS:
                    break
                pause(LOOK_SECONDS)
            spent = _operator_cpu_seconds(self.watched) - cpu
            self.cpu_share = spent / (time.monotonic() - began)
            self.report = load.report()

    def _ship(self) -> None:
        number = len(self.tally.shipped) + 2
        bad = number % 3 == 0
        env = dict(self.draw.choice(BAD)) if bad else {}
        world = self.watched.world
        world.apply(version(number, rollout=ROLLOUT, replicas=REPLICAS, env=env))
        self.tally.shipped.append(Shipped(number, _revision_of(world.get("md", NAME) or {}), bad))

    def _kill_a_pod(self) -> None:
        """One pod of a model or of the gateway; it ends its requests, as on a drained node."""
        pods = [pod for pod in self.watched.world.items("pods") if "deletionTimestamp" not in pod["metadata"]]
        name = self.draw.choice(pods)["metadata"]["name"]
        self.watched.world.kubectl("delete", "pod", name, "--wait=false", "--ignore-not-found")
        self.killed += 1

    def _look(self) -> None:
        self.tally.hear(self.watched.status.get("history", ()))
        self.mib.append(_operator_mib(self.watched))

    def problems(self) -> list[str]:
        """What was not as it should be."""
        found = self.tally.wrong()
        decided, shipped = self.tally.decided, len(self.tally.shipped)
        if decided < SHARE_DECIDED * shipped:
            found.append(f"only {decided} of {shipped} versions reached a verdict")
        if self.report and self.report.failed:
            found.append(f"{self.report.failed} requests of users failed\n{self.report.describe()}")
        if not is_flat(self.mib):
            found.append(f"the operator's memory grows: {self.mib}")
        return found

    def describe(self) -> str:
        """One line."""
        sent = self.report.sent if self.report else 0
        failed = self.report.failed if self.report else 0
        return (
            f"soak: {self.tally.describe()}; {self.killed} pods killed; failed user requests {failed} of {sent}; "
            f"operator {self.mib[0]:.0f} to {self.mib[-1]:.0f} MiB, {self.cpu_share:.1%} of a core"
        )


def _revision_of(body: Mapping[str, Any]) -> str:
    """The revision that the spec asks for, as the operator names it."""
    spec = ModelDeploymentSpec.model_validate(body["spec"])
    return revision_name(body["metadata"]["name"], digest_of(revision_inputs(spec, None)))


def _operator_processes(watched: Watched) -> list[int]:
    uids = watched.world.cluster.kubectl(
        *("-n", NAMESPACE, "get", "pods", "-l", SELECTOR, "-o", "jsonpath={.items[*].metadata.uid}")
    ).split()
    return [pid for uid in uids for pid in processes(uid)]


def _operator_mib(watched: Watched) -> float:
    """Private memory of the operator's processes."""
    kib = 0
    for pid in _operator_processes(watched):
        status = Path(f"/proc/{pid}/status").read_text()
        kib += int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1])
    return kib / 1024


def _operator_cpu_seconds(watched: Watched) -> float:
    """Processor time that the operator's processes have taken."""
    ticks = 0
    for pid in _operator_processes(watched):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
