"""No user sees what a canary does, and every count is exact."""

import pytest

from tests.gateway.envoy import Envoy
from tests.gateway.failover import ATTEMPT_TIMEOUT_SECONDS, VARIANTS, Variant, run_variant

pytestmark = pytest.mark.process

SECONDS = 1.0
SPARE_SECONDS = 3.0  # a busy machine


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.title)
def test_users_are_answered_while_stable_can_and_each_count_equals_the_others(envoy: Envoy, variant: Variant) -> None:
    outcome = run_variant(envoy, variant, SECONDS)
    assert outcome.differences == ()
    assert outcome.report.unsent == 0
    if variant.stable_fail_percent:
        assert outcome.counts["failover_failures_total"] > 0
        assert outcome.report.failed == outcome.report.non2xx
    else:
        assert outcome.report.failed == 0, outcome.report.describe()
    if variant.hang:
        latency = outcome.report.latency
        assert latency is not None
        assert ATTEMPT_TIMEOUT_SECONDS <= latency.max_seconds < ATTEMPT_TIMEOUT_SECONDS + SPARE_SECONDS
