"""What counts as a difference between the object we want and the object that is there."""

from typing import Any

import pytest

from fairlead.api.names import ANNOTATION_APPLIED
from fairlead.core.compare import covers, digest_of, in_place, stamped


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": [1, 2]}) != digest_of({"a": [2, 1]})


def test_fields_that_the_server_added_do_not_count() -> None:
    have = {"spec": {"replicas": 1, "progressDeadlineSeconds": 600}, "status": {"ready": 1}}
    assert covers({"spec": {"replicas": 1}}, have)


@pytest.mark.parametrize(
    ("want", "have"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ({"a": {"b": 1}}, {"a": "b"}),
        ({"a": {"b": 1}}, {}),
        ({"a": [1]}, {"a": [1, 2]}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": [1]}, {"a": "1"}),
        ({"a": [1]}, {}),
        ({"a": ""}, {"a": "x"}),
        ({"a": "1"}, {"a": 1}),
        ({"cpu": "1000m"}, {"cpu": "1"}),
        ({"automountServiceAccountToken": False}, {}),
        ({"readOnly": False}, {"readOnly": True}),
        ({"readOnly": True}, {}),
        ({"selector": {"a": "b"}}, {"selector": {"a": "b", "c": "d"}}),
    ],
)
def test_a_changed_or_missing_value_counts(want: Any, have: Any) -> None:
    assert not covers(want, have)


@pytest.mark.parametrize(
    ("want", "have"),
    [
        ({"emptyDir": {}}, {}),
        ({"items": []}, {}),
        ({"name": "A", "value": ""}, {"name": "A"}),
        ({"mountPath": "/v", "readOnly": False}, {"mountPath": "/v"}),
    ],
)
def test_what_the_api_server_leaves_out_because_it_is_empty_does_not_count(want: Any, have: Any) -> None:
    assert covers(want, have)


@pytest.mark.parametrize(
    ("want", "have", "same"),
    [
        ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}, True),
        ({"limits": {"cpu": 2}}, {"limits": {"cpu": "2"}}, True),
        ({"requests": {"memory": "1024Mi"}}, {"requests": {"memory": "1Gi"}}, True),
        ({"emptyDir": {"sizeLimit": "1024Mi"}}, {"emptyDir": {"sizeLimit": "1Gi"}}, True),
        ({"limits": {"cpu": "0.1n"}}, {"limits": {"cpu": "1m"}}, True),
        ({"limits": {"cpu": "0.12345"}}, {"limits": {"cpu": "124m"}}, True),
        ({"limits": {"cpu": "0.12345"}}, {"limits": {"cpu": "123m"}}, False),
        ({"limits": {"memory": "9Ei"}}, {"limits": {"memory": "9223372036854775807"}}, True),
        ({"limits": {"memory": "10E"}}, {"limits": {"memory": "10E"}}, True),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, False),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "one"}}, False),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": None}}, False),
    ],
)
def test_quantities_are_compared_as_amounts(want: Any, have: Any, same: bool) -> None:
    assert covers(want, have) is same


def test_an_object_that_is_not_there_has_to_be_written() -> None:
    assert not in_place({"kind": "Service"}, None)
    assert in_place({"kind": "Service"}, {"kind": "Service", "metadata": {}})


def test_the_stamp_tells_a_field_that_we_no_longer_send() -> None:
    old = stamped({"metadata": {"name": "a", "annotations": {"x": "y"}}, "spec": {"a": 1, "b": 2}})
    new = stamped({"metadata": {"name": "a", "annotations": {"x": "y"}}, "spec": {"a": 1}})
    assert covers(new["spec"], old["spec"]), "the fields alone would not show it"
    assert not in_place(new, old)
    assert new["metadata"]["annotations"] == {
        "x": "y",
        ANNOTATION_APPLIED: new["metadata"]["annotations"][ANNOTATION_APPLIED],
    }


def test_the_stamp_leaves_the_manifest_that_it_was_given_alone() -> None:
    manifest = {"metadata": {"name": "a"}}
    stamped(manifest)
    assert manifest == {"metadata": {"name": "a"}}


def test_owners_may_come_back_in_any_order_and_none_may_be_missing() -> None:
    one, two = {"uid": "1", "name": "a"}, {"uid": "2", "name": "b"}
    assert covers({"ownerReferences": [one, two]}, {"ownerReferences": [two, one]})
    assert not covers({"ownerReferences": [one, two]}, {"ownerReferences": [one]})
    assert not covers({"ownerReferences": [one]}, {"ownerReferences": [one, two]})
    assert not covers({"ownerReferences": [one]}, {"ownerReferences": ["odd"]})
    assert not covers({"ownerReferences": [one]}, {})
