"""JSON, exactly."""

import json
from dataclasses import fields, replace
from math import isnan
from typing import Any

import pytest
from tests.unit.core.evidence.streams import Gateway, Rollout, reading, steady

from fairlead.core.evidence.policy import InvalidPolicy, Need, Policy, Shadow
from fairlead.core.evidence.record import (
    InvalidRecord,
    as_json,
    dump_policy,
    dump_state,
    from_json,
    load_policy,
    load_state,
)
from fairlead.core.evidence.sample import Counters, Sample
from fairlead.core.evidence.state import VERSION, State
from fairlead.core.rollout.decide import Verdict, begin, decide


def test_what_is_read_back_is_what_was_written() -> None:
    rollout = Rollout(Policy(max_slow_rate=0.01))
    rollout.serve(20, steady(bad=0.1, good=0.005))
    policy, state, verdict = rollout.policy, rollout.state, rollout.verdicts[-1]
    assert load_state(dump_state(state)) == state
    assert from_json(Policy, json.loads(json.dumps(as_json(policy)))) == policy
    assert from_json(Verdict, json.loads(json.dumps(as_json(verdict)))) == verdict


def test_a_shadow_is_read_back_and_a_policy_from_before_there_were_any_has_none() -> None:
    policy = Policy(shadow=Shadow(20.0, Need(150, 60.0, manual=True)), canary=False)
    assert load_policy(dump_policy(policy)) == policy
    assert load_state(dump_state(begin(policy))) == begin(policy)
    old = {name: value for name, value in as_json(Policy()).items() if name not in ("shadow", "canary")}
    assert from_json(Policy, old) == Policy()


def test_a_broken_number_is_null_and_comes_back_as_one() -> None:
    sample = Sample(1.0, (reading(Counters(float("nan")), Counters()),))
    text = json.dumps(as_json(sample), allow_nan=False)
    assert isnan(from_json(Sample, json.loads(text)).readings[0].candidate.attempts)


def test_a_decision_made_from_a_stored_state_is_the_same_decision() -> None:
    rollout = Rollout()
    rollout.serve(30, steady(bad=0.03, good=0.005))
    sample = Sample(rollout.clock + 1, (rollout.gateway.reading(1.0, rollout.state.weight_percent),))
    assert decide(rollout.policy, load_state(dump_state(rollout.state)), sample) == decide(
        rollout.policy, rollout.state, sample
    )


def test_a_state_stays_below_four_kibibytes_whatever_happened() -> None:
    policy = Policy(max_slow_rate=0.01, hold_deadline_seconds=1e9, min_step_seconds=1e9)
    state = begin(policy)
    gateways = [Gateway(f"fairlead-gateway-7d9c6b5f48-{i:05d}", "2026-11-23T13:00:00.123456Z") for i in range(14)]
    for look in range(120):
        at = 1.79e9 + 0.123456 + 777.7 * look
        readings = tuple(gateway.reading(at + i / 7, 5.0) for i, gateway in enumerate(gateways))
        state, _ = decide(policy, state, Sample(at, readings))
        for i, gateway in enumerate(gateways):
            gateway.serve((10**10 + i, 10**8 + look, 10**11 + i, 10**9), slow=(10**8 + look, 10**9))
    assert max(gateway.stable[0] for gateway in gateways) > 1e12
    assert len(dump_state(state)) <= 4096


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "state: expected JSON, got 'nonsense'"),
        ("{}", "state: expected every field without a default"),
        ("[]", "state.version: expected 1, got 'nothing'"),
        ("[1,2,99]", "state.version: expected 1, got '99'"),
        ("[1,1]", "state: expected 22 items, got '2'"),
        ('"x"', "state: expected an object or a list, got 'x'"),
    ],
)
def test_a_text_that_is_no_state_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        load_state(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"alhpa": 0.1}, "policy: expected fields among steps_percent"),
        ({"alpha": "0.1"}, "policy.alpha: expected float, got '0.1'"),
        ({"alpha": True}, "policy.alpha: expected float, got 'True'"),
        ({"failover": 1}, "policy.failover: expected bool, got '1'"),
        ({"mode": "sleep"}, "policy.mode: expected one of enforce, observe, got 'sleep'"),
        ({"steps_percent": 5}, "policy.steps_percent: expected a list, got '5'"),
        ({"steps_percent": ["a"]}, "policy.steps_percent[0]: expected float, got 'a'"),
        ({"min_requests": 1.5}, "policy.min_requests: expected int, got '1.5'"),
    ],
)
def test_a_policy_with_a_wrong_field_is_refused_by_name(body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        from_json(Policy, body)
    assert str(caught.value).startswith(message)


def test_a_pair_of_another_length_is_refused() -> None:
    body = as_json(begin(Policy()))
    tests = [field.name for field in fields(State)].index("tests")
    body[tests][0][2][0] = [0.5]
    with pytest.raises(InvalidRecord, match=r"expected 2 items, got '1'"):
        from_json(State, body)


def test_a_policy_out_of_range_is_refused_by_its_own_words() -> None:
    with pytest.raises(InvalidPolicy, match="alpha"):
        from_json(Policy, {"alpha": 0.5})


def test_an_absent_choice_stays_absent() -> None:
    assert from_json(Policy, {"max_slow_rate": None}).max_slow_rate is None
    assert from_json(Policy, {"max_slow_rate": 0.01}).max_slow_rate == 0.01


def test_the_version_is_the_last_part_of_a_state() -> None:
    assert as_json(replace(begin(Policy()), waited_seconds=1.0))[-1] == VERSION
