"""Every ModelDeployment gets a port of its own, also when two ask before either has written anything."""

from typing import Any

from tests.unit.builders import Body, child_of, serving_body
from tests.unit.shell.in_memory import MD

from fairlead.shell.cache import Cache
from fairlead.shell.keys import Key
from fairlead.shell.port_book import PortBook


def deployment(name: str, *, port: int | None = None, created: str = "2026-01-01T00:00:00Z", uid: str = "") -> Body:
    body = serving_body(name=name, status={"traffic": {"port": port}} if port else None)
    body["metadata"] |= {"uid": uid or f"uid-{name}", "creationTimestamp": created}
    return body


def service_of(body: Body, *targets: Any, ours: bool = True) -> Body:
    spec = {"ports": [{"port": 80, "targetPort": target} for target in targets]}
    manifest = {"kind": "Service", "metadata": {"name": body["metadata"]["name"]}, "spec": spec}
    owners = [{"uid": body["metadata"]["uid"] if ours else "someone", "controller": True}]
    made = child_of(body, manifest)
    return {**made, "metadata": {**made["metadata"], "ownerReferences": owners}}


def key(body: Body) -> Key:
    return Key("ModelDeployment", "team", body["metadata"]["name"])


def book(*bodies: Body) -> PortBook:
    cache = Cache()
    for body in bodies:
        cache.put(body)
    return PortBook(cache)


def test_two_that_ask_at_once_get_different_ports_and_keep_them() -> None:
    bodies = [deployment(f"m{number}") for number in range(50)]
    ports = book(*bodies)
    given = [ports.port_of(key(body), body) for body in bodies]
    assert len(set(given)) == 50
    assert [ports.port_of(key(body), body) for body in bodies] == given


def test_a_port_that_the_status_says_is_kept_and_a_new_one_goes_round_it() -> None:
    old = deployment("old", port=10007)
    ports = book(old, deployment("new"))
    assert ports.port_of(key(old), old) == 10007


def test_a_status_that_was_lost_is_rebuilt_from_the_service() -> None:
    body = deployment("churn")
    assert book(body, service_of(body, 10123)).port_of(MD, body) == 10123


def test_a_service_of_somebody_else_or_without_a_number_says_nothing() -> None:
    body = deployment("churn")
    plain = book(body).port_of(MD, body)
    assert book(body, service_of(body, 10123, ours=False)).port_of(MD, body) == plain
    assert book(body, service_of(body, "serving")).port_of(MD, body) == plain
    assert plain != 10123


def test_of_two_that_hold_one_port_the_younger_moves_whoever_is_looked_at_first() -> None:
    old, young = deployment("old", port=10007), deployment("young", port=10007, created="2026-02-01T00:00:00Z")
    for order in ((old, young), (young, old)):
        ports = book(old, young)
        given = {body["metadata"]["name"]: ports.port_of(key(body), body) for body in order}
        assert given["old"] == 10007 != given["young"]


def test_what_was_given_stands_against_a_status_that_someone_has_changed() -> None:
    one, two = deployment("one", port=10001), deployment("two", port=10002)
    ports = book(one, two)
    assert [ports.port_of(key(body), body) for body in (one, two)] == [10001, 10002]
    assert ports.port_of(key(two), deployment("two", port=10001)) == 10002


def test_one_of_the_same_name_is_another_one() -> None:
    first, second = deployment("churn", port=10001), deployment("churn", port=10002, uid="another")
    ports = book(first)
    assert ports.port_of(MD, first) == 10001
    assert ports.port_of(MD, second) == 10002


def test_when_all_are_taken_there_is_none_until_one_goes() -> None:
    bodies = [deployment(f"m{port}", port=port) for port in range(10000, 11000)]
    late, cache = deployment("late"), Cache()
    for body in (*bodies, late):
        cache.put(body)
    ports = PortBook(cache)
    assert ports.port_of(key(late), late) is None
    cache.remove(bodies[321])
    ports.forget(key(bodies[321]))
    assert ports.port_of(key(late), late) == 10321
