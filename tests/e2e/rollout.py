"""A ModelDeployment whose versions fail, hang or crawl as they are told, and how its rollout is watched."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from tests.e2e.gateway import ANSWERED_BY, NAME, model
from tests.e2e.world import World
from tests.load import LoadPlan

from fairlead.api.names import ANNOTATION_REQUEST

SERVING_PORT = 8080
SHORT_STEPS = [
    {"weight": 10, "minRequests": 50, "minDuration": "5s"},
    {"weight": 50, "minRequests": 100, "minDuration": "5s"},
]
SHORT: dict[str, Any] = {
    "canary": {"steps": SHORT_STEPS, "failover": True},
    "guard": {"duration": "15s", "controlPercent": 10},
}


LONG_STEP: dict[str, Any] = {
    "canary": {"steps": [{"weight": 50, "minRequests": 50, "minDuration": "10m"}], "failover": True}
}
"""Half of the traffic for as long as a test may last."""


def version(
    number: int,
    *,
    rollout: Mapping[str, Any] = SHORT,
    env: Mapping[str, str] | None = None,
    container: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Any:
    """A ModelDeployment of the benches' pod; `env` tells it how to behave from its start (FAIL, AFTER_MS, HANG, CRASH,
    HOG), `container` replaces fields of its container.
    """
    made = model(str(number), rollout=dict(rollout), **spec)
    made["spec"]["container"] |= container or {}
    told = [{"name": name, "value": value} for name, value in (env or {}).items()]
    made["spec"]["container"]["env"] += told
    return made


@dataclass(frozen=True)
class Watched:
    """One ModelDeployment and its rollout."""

    world: World

    @property
    def status(self) -> dict[str, Any]:
        """As the API server has it."""
        found: dict[str, Any] = self.world.status("md", NAME)
        return found

    def ship(self, number: int, **changes: Any) -> str:
        """Apply a version; the revision of its pods, once there is a candidate."""
        before = self.status.get("stable", {}).get("revision") if number > 1 else None
        self.world.apply(version(number, **changes))

        def named() -> str:
            slot = self.status.get("candidate") or self.status.get("stable") or {}
            revision = str(slot.get("revision", ""))
            return revision if revision != before else ""

        return str(self.world.wait("a candidate", named, seconds=30))

    def serving(self, **changes: Any) -> str:
        """The first version, rolled out; its revision."""
        self.world.apply(version(1, **changes))
        return str(self.world.wait_rolled_out(NAME)["status"]["stable"]["revision"])

    def until(self, phase: str, *, seconds: float) -> float:
        """Until the status says so; the seconds that it took."""
        started = time.monotonic()
        self.world.wait(f"phase {phase}", lambda: self.status.get("phase") == phase, seconds=seconds)
        return time.monotonic() - started

    def weights(self) -> dict[str, int]:
        """Revision -> its share; those without one are left out."""
        return {arm["revision"]: arm["weight"] for arm in self.status["traffic"]["arms"] if arm["weight"]}

    def behave(self, revision: str, **how: float) -> None:
        """Tell every pod of a revision how to answer from now on."""
        for pod in self.world.items("pods", f"fairlead.dev/revision={revision}"):
            address = pod["status"]["podIP"]
            httpx.get(f"http://{address}:{SERVING_PORT}/-/behave", params=how, timeout=5, trust_env=False)

    def ended(self) -> tuple[str, str, str]:
        """How the newest rollout ended: (revision, outcome, reason)."""
        entry = self.status["history"][-1]
        return entry["revision"], entry["outcome"], entry["reason"]

    def ask(self, verb: str, revision: str) -> None:
        """Request something about a revision, by annotation."""
        self.world.kubectl("annotate", "md", NAME, "--overwrite", f"{ANNOTATION_REQUEST}={verb}@{revision}#{verb}")

    def assert_inconclusive(self, candidate: str, stable: str) -> None:
        """The newest rollout ended without a verdict, stable has everything, and nothing is held against the other."""
        assert self.ended() == (candidate, "Inconclusive", "AnalysisInconclusive")
        assert self.weights() == {stable: 100}
        assert not self.status.get("quarantine")

    def plan(self, *, rate: float = 100, seconds: float = 300, path: str = "/", **changes: Any) -> LoadPlan:
        """Users: a fixed rate, every answer counted by who gave it, nothing tried again."""
        users = {"count_header": ANSWERED_BY, "keepalive_connections": 16} | changes
        return LoadPlan(url=f"{self.world.url(NAME)}{path}", rate=rate, seconds=seconds, **users)
