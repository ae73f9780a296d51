"""Who has to hear of a gateway, and when a gateway has to be looked at."""

from dataclasses import replace

from tests.unit.builders import gateway_facts, gateway_world, owner
from tests.unit.shell.in_memory import MD, FakeClock

from fairlead.shell.gateways import GATHERING_SECONDS, Gateways
from fairlead.shell.keys import Key, gateway_key
from fairlead.shell.queue import WorkQueue

ONE, TWO = owner("one", "uid-1"), owner("two", "uid-2")
GATEWAY_KEY = gateway_key("team")


def start() -> tuple[Gateways, WorkQueue]:
    queue = WorkQueue(FakeClock(), jitter=lambda seconds: seconds)
    return Gateways(queue), queue


def in_line(queue: WorkQueue) -> set[str]:
    found = {key.name for key in queue._dirty}
    queue._dirty.clear()
    queue._line.clear()
    return found


def test_before_the_first_look_nothing_is_known_and_whoever_needs_a_gateway_asks_for_one() -> None:
    gateways, queue = start()
    assert not gateways.facts("team").known
    gateways.require(MD, "uid-1")
    assert in_line(queue) == {"fairlead-gateway"}


def test_every_owner_hears_of_what_has_changed_and_of_nothing_else() -> None:
    gateways, queue = start()
    gateways.noted(gateway_world(ONE, TWO), gateway_facts(ready=0))
    assert in_line(queue) == {"one", "two"}
    gateways.noted(gateway_world(ONE, TWO), gateway_facts(ready=0))
    assert in_line(queue) == set()
    gateways.noted(gateway_world(ONE, TWO), gateway_facts(ready=1))
    assert in_line(queue) == {"one", "two"}
    assert gateways.facts("team") == gateway_facts(ready=1)


def test_an_owner_that_is_known_asks_for_nothing_and_a_new_one_is_gathered_with_others() -> None:
    gateways, queue = start()
    gateways.noted(gateway_world(ONE), gateway_facts())
    in_line(queue)
    gateways.require(MD, "uid-1")
    assert (in_line(queue), queue._until_next()) == (set(), None)
    gateways.require(MD, "uid-2")
    assert (in_line(queue), queue._until_next()) == (set(), GATHERING_SECONDS)


def test_a_gateway_that_is_not_there_is_not_waited_for() -> None:
    gateways, queue = start()
    gateways.noted(gateway_world(ONE), gateway_facts(workload=None))
    in_line(queue)
    gateways.require(MD, "uid-2")
    assert in_line(queue) == {"fairlead-gateway"}


def test_one_that_is_gone_leaves_the_owners_and_the_last_one_takes_what_is_known_with_it() -> None:
    gateways, queue = start()
    gateways.gone(Key("ModelDeployment", "elsewhere", "one"))
    assert queue._until_next() is None, "nobody looks for a gateway that was never needed"
    gateways.noted(gateway_world(ONE, TWO), gateway_facts())
    in_line(queue)
    gateways.gone(Key("ModelDeployment", "team", "one"))
    assert queue._until_next() == GATHERING_SECONDS
    gateways.noted(replace(gateway_world(ONE), owners=()), gateway_facts())
    assert not gateways.facts("team").known
    assert in_line(queue) == set()
