"""With the operator's own eyes shut: Prometheus sees, or nobody does. One after the other: there is one Prometheus."""

import pytest
from tests.e2e.blinding import (
    assert_seen_by_prometheus,
    every_renderer_stopped,
    evidence_blocked,
    prometheus_away,
    prometheus_stopped,
)
from tests.e2e.rollout import LONG_STEP, Watched
from tests.load import Connections, background_load

pytestmark = [pytest.mark.together, pytest.mark.long(3)]

IMPATIENT = {**LONG_STEP, "holdDeadline": "10s"}
"""So that a hung renderer is not yet started anew by the kubelet when it is over."""


def test_without_its_own_eyes_the_operator_sees_by_prometheus(watched: Watched) -> None:
    assert_seen_by_prometheus(watched)


BLIND = {
    "blocked and gone": (evidence_blocked, prometheus_away),
    "both hang": (every_renderer_stopped, prometheus_stopped),
}


@pytest.mark.parametrize("how", BLIND)
def test_blind_it_neither_promotes_nor_rolls_back_and_ends_at_the_deadline(watched: Watched, how: str) -> None:
    own_eyes_shut, no_prometheus = BLIND[how]
    old = watched.serving(rollout=IMPATIENT)
    newcomers = watched.plan(connections=Connections.FRESH)  # whom a Service without ready gateways turns away
    with no_prometheus(watched.world), background_load(newcomers) as load:
        new = watched.ship(2, rollout=IMPATIENT)
        watched.until("Canary", seconds=60)
        with own_eyes_shut(watched.world):
            watched.behave(new, fail=0.1)  # which nobody sees
            watched.until("Held", seconds=40)
            assert watched.status["evidence"]["reason"] == "NoEvidence"
            assert watched.weights() == {old: 50, new: 50}
            watched.until("Inconclusive", seconds=60)
        report = load.report()
    assert report.failed == 0, report.describe()
    watched.assert_inconclusive(new, old)
