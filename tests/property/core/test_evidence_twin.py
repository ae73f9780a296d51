"""The bench's vectorised twin gives the product's verdict at the same look."""

import numpy as np
import pytest
from tests.bench.evidence.streams import Scenario, Second, Traffic
from tests.bench.evidence.twin import BRAKED, CANARY, COOLING, ENDED, GUARD, Twin

from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.sample import Counters, Reading, Sample
from fairlead.core.evidence.state import Stage, State
from fairlead.core.rollout.decide import begin, decide

STAGES = {
    Stage.CANARY: CANARY,
    Stage.BRAKED: BRAKED,
    Stage.COOLING: COOLING,
    Stage.GUARD: GUARD,
    Stage.ENDED: ENDED,
}
STREAMS, ROLLOUTS, SECONDS = 25, 8, 150
STEPS = ((5.0, 25.0, 50.0), (10.0,), (1.0, 50.0), (90.0,))
BAD = (0.005, 0.05, 0.2, 1.0)


def drawn(seed: int) -> tuple[Policy, Scenario]:
    """A policy and a scenario of many kinds, so that every stage is reached."""
    draw = np.random.default_rng(seed)
    failover = bool(seed % 2)
    policy = Policy(
        steps_percent=STEPS[seed % 4],
        min_step_seconds=15.0,
        guard_seconds=40.0,
        control_percent=5.0,
        cooldown_seconds=20.0,
        failover=failover,
        max_slow_rate=0.01 if seed % 3 == 0 else None,
    )
    scenario = Scenario(
        requests_per_minute=10 ** draw.uniform(1, 5),
        bad=BAD[draw.integers(4)],
        slow_bad=float(draw.choice([0.003, 0.2])),
        bad_from_seconds=draw.uniform(0, 60),
        bad_spread_seconds=20.0,
        episode_seconds=3.0 if seed % 5 == 0 else 0.0,
        outage_seconds=(40.0, 70.0) if seed % 7 == 0 else None,
        burst=5 if seed % 6 == 0 else 1,
        diurnal=seed % 4 == 1,
        failover=failover,
        latency=seed % 3 == 0,
    )
    return policy, scenario


class Counted:
    """The cumulative counters of one rollout's gateway."""

    def __init__(self) -> None:
        self.candidate, self.stable = [0.0] * 6, [0.0] * 6

    def add(self, second: Second, index: int) -> None:
        """One more second."""
        mine = (second.candidate, second.failures, second.shared, second.timed, second.slow)
        theirs = (second.stable, second.stable_failures, None, second.stable_timed, second.stable_slow)
        for total, new in ((self.candidate, mine), (self.stable, theirs)):
            for i, values in enumerate(new):
                total[i] += 0 if values is None else float(values[index])

    def sample(self, second: int, weight: float) -> Sample:
        """What a look sees."""
        reading = Reading("gw", "1", float(second), weight, Counters(*self.candidate), Counters(*self.stable))
        return Sample(1000.0 + second, (reading,))


@pytest.mark.parametrize("seed", range(STREAMS))
def test_the_twin_and_the_product_stand_at_the_same_place_at_every_look(seed: int) -> None:
    policy, scenario = drawn(seed)
    twin, traffic = Twin(policy, ROLLOUTS), Traffic(scenario, ROLLOUTS, seed)
    counted = [Counted() for _ in range(ROLLOUTS)]
    states: list[State] = [decide(policy, begin(policy), one.sample(0, policy.steps_percent[0]))[0] for one in counted]
    for second in range(1, SECONDS + 1):
        new = traffic.second(second, twin.weight / 100)
        twin.step_on(new)
        for index, one in enumerate(counted):
            one.add(new, index)
            states[index], _ = decide(policy, states[index], one.sample(second, states[index].weight_percent))
        assert [STAGES[state.stage] for state in states] == twin.stage.tolist()
        assert [state.weight_percent for state in states] == twin.weight.tolist()
        assert [state.brakes for state in states] == twin.brakes.tolist()
