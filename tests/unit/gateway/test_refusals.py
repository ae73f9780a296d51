from tests.unit.gateway.test_claims import accepted, claim

from fairlead_gateway.claims import Accepted, RejectionReason
from fairlead_gateway.refusals import Refusals


def served(**generations: int) -> dict[str, Accepted]:
    """Each ModelDeployment with this generation, on a port of its own."""
    return {
        name: accepted(claim(name, generation=generation, port=10000 + index))
        for index, (name, generation) in enumerate(sorted(generations.items()))
    }


def test_the_only_one_with_news_is_to_blame() -> None:
    refusals = Refusals()
    assert refusals.blame(served(a=2, b=1), served(a=1, b=1), lambda name: f"no\n{name}") == "a"
    rejection = refusals.refused["a"]
    assert (rejection.reason, rejection.generation, rejection.message) == (RejectionReason.REFUSED, 2, "no?a")
    assert not refusals.trying


def test_without_news_nobody_is_to_blame() -> None:
    refusals = Refusals()
    assert refusals.blame(served(a=1), served(a=1), lambda _: "no") == ""
    assert not refusals.trying
    assert refusals.refused == {}


def test_several_with_news_are_tried_one_after_the_other() -> None:
    refusals = Refusals()
    before, wanted = served(a=1, b=1, c=1), served(a=2, b=2, c=1)
    assert refusals.blame(wanted, before, lambda _: "no") == ""
    assert refusals.trying
    first = refusals.hold_back(wanted, before)
    assert {name: item.version[1] for name, item in first.items()} == {"a": 2, "b": 1, "c": 1}
    refusals.applied(first)
    second = refusals.hold_back(wanted, first)
    assert {name: item.version[1] for name, item in second.items()} == {"a": 2, "b": 2, "c": 1}
    assert refusals.blame(second, first, lambda _: "bad b") == "b"
    assert not refusals.trying


def test_the_guilty_first_one_does_not_keep_the_second_from_its_trial() -> None:
    refusals = Refusals()
    before, wanted = served(a=1, b=1), served(a=2, b=2)
    refusals.blame(wanted, before, lambda _: "no")
    assert refusals.blame(refusals.hold_back(wanted, before), before, lambda _: "bad a") == "a"
    after = {**wanted, "a": before["a"]}
    assert {name: item.version[1] for name, item in refusals.hold_back(after, before).items()} == {"a": 1, "b": 2}


def test_one_that_was_never_served_waits_for_its_trial_unserved() -> None:
    refusals = Refusals()
    wanted = served(a=1, b=1)
    refusals.blame(wanted, {}, lambda _: "no")
    assert list(refusals.hold_back(wanted, {})) == ["a"]


def test_one_whose_old_port_is_another_ones_by_now_waits_unserved() -> None:
    refusals = Refusals()
    before = {"b": accepted(claim("b", generation=1, port=10000))}
    wanted = {
        "a": accepted(claim("a", generation=1, port=10000)),
        "b": accepted(claim("b", generation=2, port=10001)),
    }
    refusals.blame(wanted, before, lambda _: "no")
    assert list(refusals.hold_back(wanted, before)) == ["a"]


def test_a_refusal_is_history_once_that_generation_is_served() -> None:
    refusals = Refusals()
    refusals.blame(served(a=2), served(a=1), lambda _: "no")
    refusals.applied(served(a=1))
    assert list(refusals.refused) == ["a"]
    refusals.applied(served(a=2))
    assert refusals.refused == {}


def test_what_is_known_of_objects_that_are_gone_is_forgotten() -> None:
    refusals = Refusals()
    refusals.blame(served(a=2), served(a=1), lambda _: "no")
    refusals.forget(frozenset({"b"}))
    assert refusals.refused == {}
