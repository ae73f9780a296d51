from typing import Any

import pytest

from fairlead_gateway.claims import (
    Accepted,
    Claim,
    Rejection,
    RejectionReason,
    decide_served,
    parse_claim,
)


def claim(name: str = "churn", *, uid: str = "", created: str = "2026-01-01T00:00:00Z", **traffic: Any) -> Claim:
    """A ModelDeployment; without traffic when none is given."""
    metadata = {"name": name, "uid": uid or f"uid-{name}", "creationTimestamp": created, "managedFields": ["long"]}
    body: dict[str, Any] = {"metadata": metadata, "spec": {"much": "text"}}
    if traffic:
        arms = [{"revision": f"{name}-1", "role": "stable", "weight": 100}]
        base = {"schema": 1, "epoch": 1, "generation": 1, "port": 10000, "arms": arms}
        body["status"] = {"traffic": {**base, **traffic}, "conditions": ["long"]}
    return parse_claim(body)


def accepted(given: Claim) -> Accepted:
    """As it is served when nothing stands against it."""
    return decide_served([given], {}, {}).served[given.name]


def test_only_the_traffic_of_a_modeldeployment_is_kept() -> None:
    assert claim(generation=3).body.keys() == {"status"}
    assert claim(generation=3).body["status"].keys() == {"traffic"}
    assert claim().body == {}
    assert parse_claim({"metadata": {"name": "a", "uid": "u"}, "status": None}).body == {}


def test_the_newest_traffic_is_served() -> None:
    before = {"churn": accepted(claim(generation=1))}
    decision = decide_served([claim(generation=2)], before, {})
    assert decision.served["churn"].version == (1, 2)
    assert decision.rejected == {}


def test_what_has_not_changed_is_not_parsed_again() -> None:
    before = {"churn": accepted(claim(generation=1))}
    assert decide_served([claim(generation=1)], before, {}).served["churn"] is before["churn"]


def test_an_object_without_traffic_keeps_what_was_served() -> None:
    before = {"churn": accepted(claim(generation=7))}
    assert decide_served([claim()], before, {}).served == before
    assert decide_served([claim()], {}, {}).served == {}


def test_an_object_that_is_gone_is_not_served() -> None:
    assert decide_served([], {"churn": accepted(claim(generation=7))}, {}).served == {}


def test_another_object_of_the_same_name_begins_anew_with_its_own_traffic() -> None:
    before = {"churn": accepted(claim(generation=7))}
    assert decide_served([claim(uid="other")], before, {}).served == before
    assert decide_served([claim(uid="other", port=1)], before, {}).served == {}
    assert decide_served([claim(uid="other", generation=1)], before, {}).served["churn"].version == (1, 1)


@pytest.mark.parametrize("older", [{"epoch": 1, "generation": 8}, {"epoch": 2, "generation": 6}])
def test_an_older_write_is_refused(older: dict[str, int]) -> None:
    before = {"churn": accepted(claim(epoch=2, generation=7))}
    decision = decide_served([claim(**older)], before, {})
    assert decision.served == before
    rejection = decision.rejected["churn"]
    assert (rejection.reason, rejection.generation) == (RejectionReason.STALE, older["generation"])
    assert rejection.message == f"epoch {older['epoch']}, generation {older['generation']} after 2, 7"


@pytest.mark.parametrize(
    ("traffic", "generation"),
    [
        ({"generation": 8, "port": 80}, 8),
        ({"generation": "8"}, 0),
        ({"generation": -8}, 0),
        ({"schema": 2, "generation": 9}, 9),
        ({"generation": 8, "arms": [{"revision": "x\ny", "weight": 100}]}, 8),
    ],
)
def test_traffic_that_cannot_be_read_leaves_what_was_served(traffic: dict[str, Any], generation: int) -> None:
    before = {"churn": accepted(claim(generation=7))}
    decision = decide_served([claim(**traffic)], before, {})
    assert decision.served == before
    rejection = decision.rejected["churn"]
    assert (rejection.reason, rejection.generation) == (RejectionReason.INVALID, generation)
    assert rejection.message.startswith("status.traffic")
    assert rejection.message.isprintable() and len(rejection.message) <= 300


def test_traffic_that_is_no_object_is_refused_with_generation_0() -> None:
    given = Claim("churn", "u", "", {"status": {"traffic": "all"}})
    assert decide_served([given], {}, {}).rejected["churn"].generation == 0


def test_what_envoy_refused_is_not_tried_again_but_the_next_one_is() -> None:
    before = {"churn": accepted(claim(generation=7))}
    refused = {"churn": Rejection("uid-churn", 8, RejectionReason.REFUSED, "Envoy said no")}
    decision = decide_served([claim(generation=8)], before, refused)
    assert (decision.served, decision.rejected) == (before, refused)
    assert decide_served([claim(generation=9)], before, refused).served["churn"].version == (1, 9)
    assert decide_served([claim(uid="other", generation=8)], before, refused).served["churn"].version == (1, 8)


def test_a_port_belongs_to_the_oldest() -> None:
    old = claim("old", generation=1, created="2026-01-01T00:00:00Z")
    young = claim("young", generation=4, created="2026-01-02T00:00:00Z")
    decision = decide_served([young, old], {}, {})
    assert list(decision.served) == ["old"]
    rejection = decision.rejected["young"]
    assert (rejection.reason, rejection.generation) == (RejectionReason.PORT_TAKEN, 4)
    assert rejection.message == "port 10000 belongs to ModelDeployment old, which is older"


def test_of_the_same_age_the_lower_uid_has_the_port() -> None:
    decision = decide_served([claim("a", uid="2", generation=1), claim("b", uid="1", generation=1)], {}, {})
    assert list(decision.served) == ["b"]


def test_who_loses_a_port_keeps_the_one_it_had() -> None:
    old = claim("old", generation=1, created="2026-01-01T00:00:00Z")
    had = accepted(claim("young", generation=3, port=10001, created="2026-01-02T00:00:00Z"))
    wants = claim("young", generation=4, created="2026-01-02T00:00:00Z")
    decision = decide_served([wants, old], {"young": had}, {})
    assert decision.served["young"] is had
    assert decision.rejected["young"].reason is RejectionReason.PORT_TAKEN


def test_who_loses_the_only_port_it_had_is_not_served() -> None:
    had = accepted(claim("young", generation=3, created="2026-01-02T00:00:00Z"))
    old = claim("old", generation=1, created="2026-01-01T00:00:00Z")
    wants = claim("young", generation=4, created="2026-01-02T00:00:00Z")
    assert list(decide_served([wants, old], {"young": had}, {}).served) == ["old"]
