"""What the cache keeps, and what it does not take back."""

from typing import Any

from tests.unit.builders import serving_body
from tests.unit.shell.in_memory import MD, TJ

from fairlead.shell.cache import Cache, ref_of, version_of


def pod(version: int = 1, *, uid: str = "u1", owner: str = "churn", **meta: Any) -> dict[str, Any]:
    labels = {"fairlead.dev/modeldeployment": owner} if owner else {}
    return {
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "namespace": "team",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": labels,
            **meta,
        },
    }


def kept(cache: Cache) -> int:
    body = cache.get("Pod", "team", "p")
    return version_of(body) if body else 0


def test_a_newer_version_replaces_an_older_one_and_not_the_other_way_round() -> None:
    cache = Cache()
    assert cache.put(pod(5))
    assert not cache.put(pod(5))
    assert not cache.put(pod(4))
    assert kept(cache) == 5
    assert cache.put(pod(10))
    assert kept(cache) == 10


def test_another_object_of_the_same_name_replaces_the_old_one_and_a_late_word_of_the_old_one_does_not() -> None:
    cache = Cache()
    cache.put(pod(5, uid="old"))
    assert cache.put(pod(6, uid="new"))
    assert not cache.put(pod(5, uid="old"))
    assert kept(cache) == 6


def test_only_the_object_that_is_kept_can_be_removed() -> None:
    cache = Cache()
    assert not cache.remove(pod())
    cache.put(pod(1, uid="new"))
    assert not cache.remove(pod(9, uid="old"))
    assert cache.remove(pod(1, uid="new"))
    assert kept(cache) == 0


def test_children_are_found_by_their_custom_resource() -> None:
    cache = Cache()
    cache.put(serving_body())
    cache.put(pod())
    cache.put({"kind": "Pod", "metadata": {"name": "stranger", "uid": "x", "resourceVersion": "1"}})
    assert [body["metadata"]["name"] for body in cache.members(MD)] == ["p"]
    assert list(cache.members(TJ)) == []


def test_a_child_that_changes_its_label_changes_its_owner() -> None:
    cache = Cache()
    cache.put(pod(1))
    cache.put(pod(2, owner="other"))
    assert list(cache.members(MD)) == []


def test_a_child_that_is_gone_is_no_member() -> None:
    cache = Cache()
    cache.put(pod())
    cache.remove(pod())
    assert list(cache.members(MD)) == []


def test_the_keys_are_the_custom_resources_and_not_the_owners_of_orphans() -> None:
    cache = Cache()
    cache.put(pod(owner="gone"))
    assert cache.keys() == set()
    cache.put(serving_body())
    assert cache.keys() == {MD}


def test_all_of_a_kind_can_be_listed_while_the_cache_changes() -> None:
    cache = Cache()
    cache.put(pod())
    cache.put(serving_body())
    for body in cache.of_kind("Pod"):
        cache.remove(body)
    assert list(cache.of_kind("Pod")) == []
    assert len(list(cache.of_kind("ModelDeployment"))) == 1


def test_the_notes_on_who_wrote_which_field_are_not_kept() -> None:
    cache = Cache()
    cache.put(pod(managedFields=[{"manager": "kubectl"}]))
    found = cache.get("Pod", "team", "p")
    assert found and "managedFields" not in found["metadata"]


def test_an_object_without_namespace_or_version_has_a_place_too() -> None:
    body = {"kind": "Node", "metadata": {"name": "n"}}
    assert ref_of(body) == ("Node", "", "n")
    assert version_of(body) == 0


def test_objects_are_found_by_kind_and_namespace() -> None:
    cache = Cache()
    assert cache.inside("Pod", "team") == ()
    cache.put(pod())
    cache.put({**pod(), "metadata": {**pod()["metadata"], "namespace": "others"}})
    assert [item["metadata"]["namespace"] for item in cache.inside("Pod", "team")] == ["team"]
    cache.put(pod(2))
    assert [version_of(item) for item in cache.inside("Pod", "team")] == [2]
    cache.remove(pod(2))
    assert cache.inside("Pod", "team") == ()
