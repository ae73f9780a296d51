"""What has to be written so that wanted children exist. A foreign object under a name of ours is left alone."""

from collections.abc import Iterator, Sequence
from typing import Any

from fairlead.core.compare import in_place, stamped
from fairlead.core.effects import Apply, ObjectRef
from fairlead.core.world import Children


def _ref(manifest: dict[str, Any]) -> ObjectRef:
    return ObjectRef(manifest["kind"], manifest["metadata"]["name"])


def applies(children: Children, wanted: Sequence[dict[str, Any]]) -> Iterator[Apply]:
    """The writes, in the order of `wanted`."""
    for manifest in wanted:
        made = stamped(manifest)
        child = children.get(_ref(made))
        if child is not None and not child.ours:
            continue
        if not in_place(made, child.manifest if child else None):
            yield Apply(made, absent=child is None)


def conflicts(children: Children, wanted: Sequence[dict[str, Any]]) -> list[ObjectRef]:
    """Names that we need and that a foreign object has."""
    refs = [_ref(item) for item in wanted]
    return [ref for ref in refs if (child := children.get(ref)) is not None and not child.ours]
