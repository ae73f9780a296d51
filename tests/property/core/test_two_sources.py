"""Direct answers and scraped ones follow each other in any order: nothing counts twice, and nothing is lost."""

from dataclasses import dataclass, replace
from math import nan

from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.gateway_evidence import ArmCounts, DeploymentEvidence, PodEvidence
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.sample import STALE_SECONDS
from fairlead.core.evidence.weighing import weigh
from fairlead.core.rollout.arms import Contest
from fairlead.core.rollout.decide import begin
from fairlead.core.rollout.looks import make_sample

CONTEST = Contest("churn-2", "churn-1")
POLICY = Policy(steps_percent=(50.0,), min_step_seconds=1e6)
ZERO = replace(ArmCounts(*[0.0] * 13), weight_percent=50.0)
SCRAPED_STALE = 75.0


@dataclass(frozen=True)
class Look:
    """One second: its traffic, and what the operator sees at the end of it."""

    attempts: int
    failures: int
    direct: bool
    """The pod answers the operator itself."""
    scrape_age: int | None
    """Seconds since the moment that Prometheus has; None: it does not answer either."""


looks = st.builds(Look, st.integers(0, 50), st.integers(0, 50), st.booleans(), st.one_of(st.none(), st.integers(0, 40)))


def said(at: float, attempts: int, failures: int) -> PodEvidence:
    """The pod's own counters, which are the same by either way."""
    canary = replace(ZERO, attempts=attempts, attempt_failures=failures, latency_samples=attempts)
    arms = {("churn-2", "canary"): canary, ("churn-1", "stable"): replace(ZERO, attempts=attempts)}
    return PodEvidence(at, 7.0, {"churn": DeploymentEvidence(3, 1, arms=arms, rejections=nan)})


@given(st.lists(looks, min_size=1, max_size=60), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_any_order_of_both_sources_counts_every_request_once(
    seconds: list[Look], skew: float, gateway_clock: float
) -> None:
    """`skew` is between the clocks of operator and gateway; both sources have the gateway's."""
    total = failed = 0
    history = [said(gateway_clock, 0, 0)]
    state = weigh(POLICY, begin(POLICY), make_sample({"gw": history[0]}, "churn", CONTEST, now_seconds=1e6 + 1))
    for second, look in enumerate(seconds, 1):
        total += look.attempts
        failed += min(look.attempts, look.failures)
        history.append(said(gateway_clock + second, total, failed))
        pods: dict[str, PodEvidence] = {}
        if look.direct:
            pods = {"gw": history[-1]}
        elif look.scrape_age is not None:
            pods = {"gw": history[max(0, second - look.scrape_age)]}
        stale = STALE_SECONDS if look.direct else SCRAPED_STALE
        now = 1e6 + 1 + second + (skew if second > len(seconds) / 2 else 0)
        state = weigh(POLICY, state, make_sample(pods, "churn", CONTEST, now_seconds=now, stale_seconds=stale))
        assert state.step_count.attempts <= total
        assert state.step_count.failures <= failed
        if look.direct or look.scrape_age == 0:
            assert (state.step_count.attempts, state.step_count.failures) == (total, failed)
