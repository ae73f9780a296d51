"""`python -m tests.e2e.capture`: ModelDeployments as the cluster shows them in each phase, for Argo CD's health.

Each goes into the folder of the health that it should have, whatever the script says of it today.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import platform
from tests.cluster.interface import cluster as local_cluster
from tests.e2e.gateway import NAME
from tests.e2e.rollout import LONG_STEP, SHORT_STEPS, Watched
from tests.e2e.world import namespaced
from tests.load import background_load

FOLDER = Path(__file__).resolve().parents[1] / "unit/argocd/captured"
SECONDS = 120.0
MANUAL = {
    "canary": {"steps": [{**SHORT_STEPS[0], "approval": "manual"}, SHORT_STEPS[1]], "failover": True},
    "guard": {"duration": "10s"},
}
SHADOW = {"shadow": {"percent": 50, "minDuration": "10m"}}


def _without_program(body: dict[str, Any]) -> dict[str, Any]:
    """The object less what the pod runs, which is long and says nothing of its health."""
    body["metadata"].get("annotations", {}).pop("kubectl.kubernetes.io/last-applied-configuration", None)
    body["spec"]["container"]["command"] = ["python", "-c", "..."]
    return body


@dataclass(frozen=True)
class Camera:
    """Takes the object when it is in a phase."""

    watched: Watched

    def take(self, phase: str, health: str, what: str) -> None:
        """Wait for the phase, and write the object down."""
        self.watched.until(phase, seconds=SECONDS)
        body = self.watched.world.get("md", NAME)
        assert body is not None and body["status"]["phase"] == phase, f"{phase} was over too soon"
        path = FOLDER / health / f"modeldeployment-{what}.json"
        path.write_text(json.dumps(_without_program(body), indent=2) + "\n")
        print(f"{health}: {path.name}", flush=True)


def take_a_good_life(camera: Camera) -> None:
    """A first version, and one that goes through every phase of a good rollout, and of those that people stop."""
    watched = camera.watched
    watched.serving(rollout=MANUAL)
    camera.take("Starting", "Progressing", "on-probation")
    with background_load(watched.plan()):
        new = watched.ship(2, rollout=MANUAL)
        camera.take("Canary", "Progressing", "canary")
        camera.take("AwaitingApproval", "Suspended", "awaiting-approval")
        watched.ask("pause", new)
        camera.take("Paused", "Suspended", "paused")
        watched.ask("resume", new)
        watched.ask("approve", new)
        camera.take("Guard", "Progressing", "guard")
        camera.take("Stable", "Healthy", "promoted")


def take_bad_ones(camera: Camera) -> None:
    """Versions that are taken back, by evidence and by people."""
    watched = camera.watched
    watched.serving(rollout=LONG_STEP)
    with background_load(watched.plan()):
        bad = watched.ship(2, rollout=LONG_STEP, env={"FAIL": "0.2"})
        camera.take("Braked", "Progressing", "braked")
        camera.take("RolledBack", "Degraded", "rolled-back")
        shadow = watched.ship(3, rollout=SHADOW)
        assert shadow != bad
        camera.take("Shadow", "Progressing", "shadow")
        watched.ask("abort", shadow)
        camera.take("Inconclusive", "Degraded", "aborted")


def take_a_failed_first(camera: Camera) -> None:
    """A first version that fails its users."""
    watched = camera.watched
    watched.serving(env={"FAIL": "1"})
    with background_load(watched.plan()):
        camera.take("Failed", "Degraded", "first-failed")


def main() -> int:
    """Each of them in a namespace of its own."""
    cluster = local_cluster()
    platform.install_all(cluster)
    for story in (take_a_good_life, take_bad_ones, take_a_failed_first):
        with namespaced(cluster) as world:
            story(Camera(Watched(world)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
