import asyncio
from typing import Any

from fairlead_gateway.endpoints import ready_endpoints
from fairlead_gateway.heard import Heard, slim_slice


def test_only_a_change_wakes_who_waits() -> None:
    changed = asyncio.Event()
    heard = Heard(changed)

    def woken() -> bool:
        was = changed.is_set()
        changed.clear()
        return was

    heard.replace({})
    assert heard.listed and woken()
    heard.replace({})
    assert not woken()
    heard.put("a", 1)
    assert woken()
    heard.put("a", 1)
    assert not woken()
    heard.drop("b")
    assert not woken()
    heard.drop("a")
    assert woken() and heard.objects == {}
    heard.replace({"a": 2})
    assert woken() and heard.objects == {"a": 2}


def test_a_slim_slice_says_the_same_of_its_endpoints() -> None:
    item: dict[str, Any] = {
        "metadata": {
            "name": "x",
            "labels": {"kubernetes.io/service-name": "rev", "more": "labels"},
            "managedFields": [1],
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": ["10.0.0.1", "10.0.0.9"], "conditions": {"ready": True}, "nodeName": "n", "targetRef": {}},
            {"addresses": ["10.0.0.2"]},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": False}},
        ],
    }
    slim = slim_slice(item)
    assert ready_endpoints([slim]) == ready_endpoints([item])
    assert len(str(slim)) < len(str(item))
    bare = slim_slice({"metadata": {"name": "x"}, "endpoints": None, "ports": None})
    assert ready_endpoints([bare]) == {}
