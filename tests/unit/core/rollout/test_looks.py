"""Samples from what gateway pods say."""

from dataclasses import replace

from fairlead.api.gateway_evidence import ArmCounts, DeploymentEvidence, PodEvidence
from fairlead.core.evidence.policy import Need, Shadow
from fairlead.core.evidence.sample import Counters, Sample
from fairlead.core.rollout.arms import Contest
from fairlead.core.rollout.looks import make_sample

CONTEST = Contest("churn-2", "churn-1")
QUIET = ArmCounts(*[0.0] * 13)
STABLE = replace(QUIET, attempts=900, attempt_failures=3, latency_samples=897, attempts_slow=9, weight_percent=90)
CANARY = replace(
    QUIET,
    attempts=100,
    attempt_failures=20,
    failover_failures=2,
    latency_samples=80,
    attempts_slow=5,
    throttled=1,
    weight_percent=10,
)
ARMS = {("churn-1", "stable"): STABLE, ("churn-2", "canary"): CANARY}


def said(arms: dict[tuple[str, str], ArmCounts]) -> PodEvidence:
    """A pod that serves these arms of one ModelDeployment."""
    return PodEvidence(12.5, 1_764_000_000.125, {"churn": DeploymentEvidence(7, 1, arms=arms)})


def look(**pods: PodEvidence) -> Sample:
    return make_sample(pods, "churn", CONTEST, now_seconds=1000.0)


def look_at_copies(**pods: PodEvidence) -> Sample:
    return make_sample(pods, "churn", CONTEST, now_seconds=1000.0, shadow=Shadow(25.0, Need()))


def test_every_pod_is_a_reading_with_its_own_clock_start_and_weight() -> None:
    sample = look(b=said(ARMS), a=said(ARMS))
    assert (sample.at_seconds, sample.ejected) == (1000.0, False)
    assert [reading.gateway for reading in sample.readings] == ["a", "b"]
    reading = sample.readings[0]
    assert (reading.at_seconds, reading.started, reading.weight_percent) == (12.5, "1764000000.125000 canary", 10)
    assert reading.candidate == Counters(100, 20, 2, 80, 5, 1)
    assert reading.stable == Counters(900, 3, 0, 897, 9, 0)


def test_a_sample_says_how_long_its_source_may_have_nothing_new() -> None:
    pods = {"a": said(ARMS)}
    assert make_sample(pods, "churn", CONTEST, now_seconds=1.0).stale_seconds == 15
    assert make_sample(pods, "churn", CONTEST, now_seconds=1.0, stale_seconds=75.0).stale_seconds == 75


def test_a_revision_is_counted_in_all_its_roles_so_that_a_promotion_loses_nothing() -> None:
    promoted = {
        ("churn-2", "canary"): replace(CANARY, weight_percent=float("nan")),
        ("churn-2", "stable"): replace(QUIET, attempts=40, weight_percent=95),
        ("churn-1", "previous"): STABLE,
    }
    reading = look(a=said(promoted)).readings[0]
    assert (reading.candidate.attempts, reading.weight_percent) == (140, 95)


def test_counters_of_another_role_are_no_continuation_of_the_ones_before() -> None:
    guarded = {("churn-2", "stable"): replace(STABLE, weight_percent=95), ("churn-1", "previous"): STABLE}
    assert look(a=said(ARMS)).readings[0].started != look(a=said(guarded)).readings[0].started


def test_requests_that_were_not_drawn_do_not_count() -> None:
    odd = dict.fromkeys([("churn-2", "matched"), ("churn-2", "mirror"), ("churn-2", "failover")], CANARY)
    assert look(a=said({**ARMS, **odd})).readings == look(a=said(ARMS)).readings


def test_a_shadow_is_judged_by_its_answers_to_copies_alone() -> None:
    copies = replace(CANARY, weight_percent=float("nan"), overflows=7, failover_failures=0)
    sample = look_at_copies(a=said({**ARMS, ("churn-2", "mirror"): copies}))
    (reading,) = sample.readings
    assert reading.candidate == Counters(100, 20, 0, 80, 5, 8), "a copy that was dropped is like a 429"
    assert reading.stable == Counters(900, 3, 0, 897, 9, 0)
    assert reading.weight_percent == 20, "25 copies of 100 requests are 25 of 125 attempts"
    assert not sample.ejected


def test_a_pod_that_copies_nothing_yet_is_left_out() -> None:
    assert look_at_copies(a=said(ARMS)).readings == ()
    assert look_at_copies(a=said({("churn-2", "mirror"): CANARY})).readings == ()


def test_a_pod_that_does_not_serve_both_is_left_out() -> None:
    assert look(a=said({("churn-1", "stable"): STABLE})).readings == ()
    assert look(a=said({("churn-2", "canary"): CANARY})).readings == ()
    assert look(a=PodEvidence(1.0, 1.0, {})).readings == ()


def test_a_pod_that_did_not_say_a_count_has_no_usable_reading() -> None:
    reading = look(a=said({**ARMS, ("churn-2", "canary"): replace(CANARY, attempts=float("nan"))})).readings[0]
    assert not reading.candidate.usable()


def test_the_candidate_is_ejected_when_every_gateway_says_so() -> None:
    out = said({**ARMS, ("churn-2", "canary"): replace(CANARY, ejected=1.0)})
    assert look(a=out, b=out).ejected
    assert not look(a=out, b=said(ARMS)).ejected
    assert not look().ejected
