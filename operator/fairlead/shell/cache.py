"""Our own picture of the watched objects: filled by watch events, by LISTs and by the answers to our own writes.

An object is replaced only by a newer version of itself (same UID, higher resourceVersion) or by another object of the
same name (other UID), so that a late watch event never undoes what a write has just told us.
Resource versions of one kind may be compared as integers since Kubernetes 1.35 (KEP-5504).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.shell.keys import Key, key_of

Ref = tuple[str, str, str]
"""Kind, namespace, name."""


def ref_of(body: Mapping[str, Any]) -> Ref:
    """Where an object is kept."""
    meta = body["metadata"]
    return str(body["kind"]), str(meta.get("namespace", "")), str(meta["name"])


def version_of(body: Mapping[str, Any]) -> int:
    """The resourceVersion as a number."""
    return int(body["metadata"].get("resourceVersion") or 0)


def _slim(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without managedFields: almost half of a Deployment's JSON, and never read."""
    meta = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": meta}


class Cache:
    """Objects by reference, and by the custom resource that they belong to."""

    def __init__(self) -> None:
        self._objects: dict[Ref, Mapping[str, Any]] = {}
        self._members: defaultdict[Key, set[Ref]] = defaultdict(set)
        self._places: defaultdict[tuple[str, str], dict[str, Mapping[str, Any]]] = defaultdict(dict)

    def put(self, body: Mapping[str, Any]) -> bool:
        """Keep the object; False when what we have is as new."""
        ref = ref_of(body)
        known = self._objects.get(ref)
        if known is not None and known["metadata"]["uid"] == body["metadata"]["uid"]:
            if version_of(body) <= version_of(known):
                return False
        elif known is not None and version_of(body) < version_of(known):
            return False  # a late event about the object that had this name before
        if known is not None:
            self._forget(ref, known)
        slim = _slim(body)
        self._objects[ref] = slim
        self._places[ref[:2]][ref[2]] = slim
        if key := key_of(slim):
            self._members[key].add(ref)
        return True

    def remove(self, body: Mapping[str, Any]) -> bool:
        """Drop the object if it is still this one (by UID)."""
        ref = ref_of(body)
        known = self._objects.get(ref)
        if known is None or known["metadata"]["uid"] != body["metadata"]["uid"]:
            return False
        self._forget(ref, known)
        return True

    def _forget(self, ref: Ref, known: Mapping[str, Any]) -> None:
        del self._objects[ref]
        del self._places[ref[:2]][ref[2]]
        if not self._places[ref[:2]]:
            del self._places[ref[:2]]
        if key := key_of(known):
            self._members[key].discard(ref)
            if not self._members[key]:
                del self._members[key]

    def get(self, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        """One object."""
        return self._objects.get((kind, namespace, name))

    def members(self, key: Key) -> Iterator[Mapping[str, Any]]:
        """The children of a custom resource, by label; the resource itself is not among them."""
        for ref in sorted(self._members.get(key, ())):
            if ref != (key.kind, key.namespace, key.name):
                yield self._objects[ref]

    def of_kind(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """All objects of a kind."""
        return (body for ref, body in list(self._objects.items()) if ref[0] == kind)

    def inside(self, kind: str, namespace: str) -> tuple[Mapping[str, Any], ...]:
        """All objects of a kind in a namespace."""
        return tuple(self._places.get((kind, namespace), {}).values())

    def keys(self) -> set[Key]:
        """Every custom resource that exists."""
        return {key for body in self._objects.values() if (key := key_of(body)) and body["kind"] == key.kind}
