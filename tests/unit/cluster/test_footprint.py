"""Comparing footprints."""

from tests.cluster.footprint import difference, take


def test_equal_footprints_differ_in_nothing() -> None:
    assert difference({"mounts": ["/a"]}, {"mounts": ["/a"]}) == {}


def test_what_is_new_and_what_is_gone_is_told_apart() -> None:
    before = {"mounts": ["/a", "/b"], "routes": ["r"]}
    after = {"mounts": ["/b", "/c"], "routes": ["r"]}
    assert difference(before, after) == {"mounts": {"new": ["/c"], "gone": ["/a"]}}


def test_the_machine_itself_is_looked_at() -> None:
    found = take()
    assert "lo" in found["interfaces"]
    assert any(mount.startswith("/proc ") for mount in found["mounts"])
    assert any(route.startswith("local 127.0.0.1 ") for route in found["routes"])
