"""What holds for any traffic: the e-processes stay fair, and no sample, however broken, adds evidence."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.evidence.streams import Gateway

from fairlead.core.evidence import betting
from fairlead.core.evidence.policy import Policy
from fairlead.core.evidence.record import dump_state, load_state
from fairlead.core.evidence.sample import Counters, Reading, Sample
from fairlead.core.evidence.state import Stage, State
from fairlead.core.evidence.weighing import sure_evidence, weigh
from fairlead.core.rollout.decide import begin, decide

counts = st.one_of(st.integers(0, 10**12), st.just(float("nan")), st.just(float("inf")), st.just(-1.0))
counters = st.builds(Counters, counts, counts, counts, counts, counts, counts)
moments = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e10)
readings = st.builds(
    Reading, st.sampled_from(["a", "b"]), st.sampled_from(["1", "2"]), moments, st.floats(0.1, 99.9), counters, counters
)
samples = st.builds(Sample, moments, st.lists(readings, max_size=3).map(tuple), st.booleans())
policies = st.builds(
    Policy,
    steps_percent=st.lists(st.floats(0.1, 99.9), min_size=1, max_size=4).map(lambda steps: tuple(sorted(steps))),
    max_error_rate=st.floats(0.001, 0.2),
    max_slow_rate=st.one_of(st.none(), st.floats(0.001, 0.2)),
    alpha=st.floats(0.0001, 0.1),
    failover=st.booleans(),
    random_arms=st.booleans(),
    control_percent=st.floats(0, 50),
)


@given(policies, st.lists(samples, max_size=30))
def test_any_samples_give_a_verdict_and_a_state_that_is_stored_exactly(policy: Policy, looks: list[Sample]) -> None:
    state = begin(policy)
    for sample in looks:
        assert load_state(dump_state(state)) == state
        state, verdict = decide(policy, state, sample)
        assert 0 <= verdict.weight_percent <= 100
        assert verdict.fast >= 0
        assert verdict.sure >= 0
        assert len(dump_state(state)) <= 4096


@given(policies, st.lists(samples, max_size=20))
def test_the_weight_rises_only_on_a_pass_or_back_to_where_it_was(policy: Policy, looks: list[Sample]) -> None:
    state = begin(policy)
    for sample in looks:
        before = state
        state, verdict = decide(policy, state, sample)
        if state.weight_percent > before.weight_percent:
            assert verdict.judgement == "pass" or before.stage in (Stage.BRAKED, Stage.COOLING, Stage.GUARD)
        if verdict.judgement == "unknown":
            assert verdict.action in ("hold", "resume", "giveUp")


def served(gateways: list[Gateway], draw: random.Random, weight: float, rate: float, bad: float) -> None:
    """One second of a null in which both arms fail alike."""
    for gateway in gateways:
        total = draw.randrange(0, 16)
        mine = sum(draw.random() < weight / 100 for _ in range(total))
        failed = sum(draw.random() < rate for _ in range(mine))
        gateway.serve((mine, failed, total - mine, sum(draw.random() < bad for _ in range(total - mine))))


@given(st.integers(0, 2**32), st.lists(st.integers(0, 5), min_size=5, max_size=5))
@settings(max_examples=30)
def test_duplicates_late_and_missing_samples_never_add_evidence(seed: int, disorder: list[int]) -> None:
    policy = Policy(steps_percent=(30.0,), min_step_seconds=1e6)
    draw = random.Random(seed)  # noqa: S311
    gateways = [Gateway("a"), Gateway("b")]
    clean, messy, seen = begin(policy), begin(policy), list[Sample]()
    for second in range(40):
        taken = tuple(one.reading(second + 300.0 * i, 30.0) for i, one in enumerate(gateways))
        sample = Sample(1000.0 + second, taken)
        seen.append(sample)
        clean, messy = weigh(policy, clean, sample), weigh(policy, messy, sample)
        for back in disorder[: second % 6]:
            messy = weigh(policy, messy, seen[max(0, len(seen) - 1 - back)])
        served(gateways, draw, 30.0, 0.3, 0.1)
    assert [test.capital for test in messy.tests] == [test.capital for test in clean.tests]


def drawn_policy(draw: random.Random, first: float) -> Policy:
    """What may differ between policies and matters to the evidence."""
    return Policy(
        steps_percent=(first,),
        max_error_rate=draw.choice((0.03, 0.1, 0.5)),
        max_slow_rate=draw.choice((None, 0.01)),
        attempt_timeout_seconds=draw.choice((1.0, 10.0)),
    )


def null_run(policy: Policy, draw: random.Random, seconds: int) -> State:
    """A rollout of a version that is exactly as good as stable, with all that may change on the way."""
    gateways = [Gateway(f"gw-{i}") for i in range(draw.choice((1, 2)))]
    state, clock = begin(policy), 1000.0
    weight = policy.steps_percent[0]
    rate = draw.choice((0.02, 0.1, 0.3))
    for _ in range(seconds):
        readings = tuple(one.reading(clock, weight) for one in gateways)
        state = weigh(policy, replace(state, weight_percent=weight), Sample(clock, readings))
        clock += draw.choice((0.4, 1.0, 1.0, 2.0))
        if draw.random() < 0.03:
            before, weight = weight, draw.choice((2.0, 10.0, 50.0, 90.0))
            state = replace(state, floor_percent=before, floor_until_seconds=state.observed_seconds + 3.0)
        if draw.random() < 0.05:
            rate = draw.choice((0.02, 0.1, 0.5))
        served(gateways, draw, weight, rate, rate)
    return state


@pytest.mark.parametrize("first", [2.0, 30.0, 90.0])
def test_under_the_null_the_mean_of_the_sure_evidence_is_at_most_one(first: float) -> None:
    draw = random.Random(int(first))  # noqa: S311
    values = [sure_evidence(null_run(drawn_policy(draw, first), draw, 40)) for _ in range(200)]
    mean = sum(values) / len(values)
    error = (sum((value - mean) ** 2 for value in values) / len(values) ** 2) ** 0.5
    assert mean <= 1 + 3 * error


def test_the_same_check_finds_a_bet_that_is_not_fair(monkeypatch: pytest.MonkeyPatch) -> None:
    fair = betting.factor
    monkeypatch.setattr(betting, "factor", lambda form, tally: 1.5 * fair(form, tally))
    with pytest.raises(AssertionError):
        test_under_the_null_the_mean_of_the_sure_evidence_is_at_most_one(30.0)
