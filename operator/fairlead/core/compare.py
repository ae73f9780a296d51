"""Is the object that we want the object that is there? Fields that the API server adds or defaults do not count."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any

from fairlead.api.manifests import Json, Manifest
from fairlead.api.names import ANNOTATION_APPLIED
from fairlead.api.scalars import parse_quantity

_QUANTITIES = frozenset({"requests", "limits", "sizeLimit"})
"""Fields that the API server writes in its own way: 1024Mi comes back as 1Gi."""
_FALSE_IS_ABSENT = frozenset({"readOnly"})
"""Flags that the API server leaves out when they are false; of others, such as a service account's token, absent is
not the same as false."""

_ATOMIC = frozenset({"selector"})
"""Maps that have one owner as a whole: a key more and a Service selects nobody."""


def digest_of(value: Json) -> str:
    """SHA-256 of the canonical JSON form, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def stamped(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with the hash of itself: a field that we no longer send shows as another hash."""
    meta = dict(manifest["metadata"])
    meta["annotations"] = {**meta.get("annotations", {}), ANNOTATION_APPLIED: digest_of(manifest)[:16]}
    return {**manifest, "metadata": meta}


def is_stamped(body: Mapping[str, Any]) -> bool:
    """Whether an object says that we applied it. Its labels alone are no sign of us, as anybody may copy them."""
    return ANNOTATION_APPLIED in (body["metadata"].get("annotations") or {})


_FINEST, _LARGEST = Decimal("0.001"), Decimal(2**63 - 1)


def _as_kept(value: int | str) -> Decimal:
    """A quantity as the API server keeps it: no more than 2^63 - 1, and rounded up to a thousandth."""
    return min(parse_quantity(value), _LARGEST).quantize(_FINEST, ROUND_CEILING)


def _same_quantity(want: Json, have: Json) -> bool:
    if not isinstance(want, str | int) or not isinstance(have, str | int):
        return False
    try:
        return _as_kept(want) == _as_kept(have)
    except ValueError:
        return False


def _ordered(field: str, value: Json) -> Json:
    """Owners of an object in the order of their UIDs: the API server keeps them in the order in which they came."""
    if field != "ownerReferences" or not isinstance(value, Sequence):
        return value
    return sorted(value, key=lambda owner: str(owner["uid"]) if isinstance(owner, Mapping) else "")


def covers(want: Json, have: Json, *, quantity: bool = False) -> bool:
    """Whether every field of `want` stands in `have` with the same value. Lists must agree item by item.

    The API server leaves out what is empty: an absent map, list or string is an empty one.
    """
    if isinstance(want, Mapping):
        if not isinstance(have, Mapping):
            return not want and have is None
        return all(_covers_field(key, value, have, quantity=quantity) for key, value in want.items())
    if isinstance(want, Sequence) and not isinstance(want, str):
        if not isinstance(have, Sequence) or isinstance(have, str):
            return not want and have is None
        return len(want) == len(have) and all(
            covers(one, other, quantity=quantity) for one, other in zip(want, have, strict=True)
        )
    if want == "" and have is None:
        return True
    return want == have or (quantity and _same_quantity(want, have))


def _covers_field(key: str, value: Json, have: Mapping[str, Json], *, quantity: bool) -> bool:
    found = have.get(key)
    if key in _FALSE_IS_ABSENT and value is False and key not in have:
        return True
    if key in _ATOMIC and isinstance(value, Mapping) and isinstance(found, Mapping) and found.keys() - value.keys():
        return False
    return covers(_ordered(key, value), _ordered(key, found), quantity=quantity or key in _QUANTITIES)


def in_place(want: Manifest, have: Manifest | None) -> bool:
    """Whether nothing needs to be written for `want`."""
    return have is not None and covers(want, have)
