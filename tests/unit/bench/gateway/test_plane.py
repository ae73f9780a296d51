from ipaddress import ip_address

from tests.bench.gateway.plane import own_address, revision, traffic


def test_a_canary_takes_its_share_from_stable_and_fails_over_to_it() -> None:
    arms = traffic("churn", 10003, canary_percent=5)["arms"]
    assert sum(arm["weight"] for arm in arms) == 100
    assert [(arm["role"], arm["weight"]) for arm in arms] == [("stable", 95), ("canary", 5)]
    assert arms[1]["failover"] == revision("churn", "stable")


def test_without_a_canary_there_is_one_arm() -> None:
    assert [arm["weight"] for arm in traffic("churn", 10003)["arms"]] == [100]


def test_this_machines_address_is_not_loopback() -> None:
    assert not ip_address(own_address()).is_loopback
