"""Ports of the gateway: unique, kept, and healed when two hold one."""

import random

from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.traffic import FIRST_PORT, LAST_PORT
from fairlead.core.port_allocation import Claim, allocate

EVERY = range(FIRST_PORT, LAST_PORT + 1)


def claim(name: str, *ports: int, created: str = "2026-01-01T00:00:00Z") -> Claim:
    return Claim(name, f"uid-{name}", created, ports)


def test_a_port_that_is_held_is_kept() -> None:
    assert allocate(claim("a", 10500), [claim("b", 10501)]) == 10500


def test_a_new_one_gets_a_free_port_that_its_name_decides() -> None:
    first = allocate(claim("a"), [])
    assert first in EVERY and first == allocate(claim("a"), [claim("b", 10999 if first != 10999 else 10998)])
    other = allocate(claim("a"), [claim("b", first or 0)])
    assert other in EVERY and other != first


def test_of_two_that_hold_one_port_the_older_one_keeps_it() -> None:
    old, young = claim("old", 10007), claim("young", 10007, created="2026-02-01T00:00:00Z")
    assert allocate(old, [young]) == 10007
    moved = allocate(young, [old])
    assert moved in EVERY and moved != 10007


def test_two_of_the_same_second_are_told_apart_by_uid() -> None:
    one, two = claim("a", 10007), claim("b", 10007)
    assert (allocate(one, [two]) == 10007, allocate(two, [one]) == 10007) == (True, False)


def test_the_second_best_port_is_taken_when_an_older_one_holds_the_best() -> None:
    young = claim("young", 10007, 10008, created="2026-02-01T00:00:00Z")
    assert allocate(young, [claim("old", 10007)]) == 10008


def test_a_port_outside_the_range_is_no_claim() -> None:
    assert allocate(claim("a", 80, 8080), []) in EVERY


def test_when_every_port_is_taken_there_is_none_and_the_last_free_one_is_found() -> None:
    others = [claim(f"m{port}", port) for port in EVERY]
    assert allocate(claim("late"), others) is None
    assert allocate(claim("late"), [item for item in others if item.ports != (10321,)]) == 10321


@given(st.lists(st.integers(FIRST_PORT, FIRST_PORT + 5), max_size=30), st.randoms(use_true_random=False))
def test_whoever_looks_in_whatever_order_nobody_shares_a_port_in_the_end(held: list[int], order: random.Random) -> None:
    claims = {f"m{number}": claim(f"m{number}", port) for number, port in enumerate(held)}
    elders = {port: min((name for name, item in claims.items() if item.ports == (port,)), default="") for port in held}
    names = sorted(claims)
    order.shuffle(names)
    for name in names:
        port = allocate(claims[name], [item for other, item in claims.items() if other != name])
        assert port is not None
        claims[name] = claim(name, port)
    assert len({item.ports for item in claims.values()}) == len(claims)
    assert all(claims[name].ports == (port,) for port, name in elders.items())
