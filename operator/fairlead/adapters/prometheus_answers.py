"""What Prometheus answers to an instant query, and the evidence of gateway pods that is made of it.

An answer that has not the API's shape counts for nothing. Within one that has, a pod whose series are not whole is
left out, and takes no other with it.
"""

import json
from collections.abc import Iterable, Mapping

from fairlead.api.gateway_evidence import InvalidEvidence, PodEvidence
from fairlead.api.gateway_series import PREFIX, Series, assemble, make_series, own_labels, quote, read_number

Labels = Mapping[str, str]
Vector = list[tuple[Labels, str]]
"""An instant vector: the labels of each series, its name among them, and its number as text."""
_Target = frozenset[tuple[str, str]]


class InvalidAnswer(ValueError):
    """The answer is none that Prometheus gives, or holds nothing that can be used. Says what was expected and came."""


def succeeded(body: bytes) -> bool:
    """Whether this is the API's own envelope, and not the page of something else that answers 200."""
    try:
        return _parse_envelope(body).get("status") == "success"
    except InvalidAnswer:
        return False


def parse_vector(body: bytes) -> Vector:
    """The series of a query's answer; InvalidAnswer for any other bytes."""
    envelope = _parse_envelope(body)
    if envelope.get("status") != "success":
        raise InvalidAnswer(f"expected the status success, got {quote(str(envelope.get('error')))}")
    match envelope.get("data"):
        case {"resultType": "vector", "result": list(items)}:
            return [_parse_item(item) for item in items]
    raise InvalidAnswer(f"expected an instant vector, got {_short(envelope.get('data'))}")


def _parse_envelope(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidAnswer(f"expected JSON, got {quote(body[:80].decode(errors='replace'))}") from error
    if not isinstance(found, dict):
        raise InvalidAnswer(f"expected an object, got {_short(found)}")
    return found


def _parse_item(item: object) -> tuple[Labels, str]:
    match item:
        case {"metric": dict(labels), "value": [int() | float(), str(number)]}:
            if all(isinstance(value, str) for value in labels.values()):
                return labels, number
    raise InvalidAnswer(f"expected a series with one value, got {_short(item)}")


def _short(value: object) -> str:
    """Its kind alone: the whole of it may be long, or nested without end."""
    return type(value).__name__


def parse_gateways(vector: Vector, pod_label: str) -> dict[str, PodEvidence]:
    """By pod, what its gateway said when Prometheus read it last.

    A pod that two scrape jobs read is in the vector twice, of two moments: what came by each way stays together, and
    the newer one counts. InvalidAnswer when there are series of gateways, and no pod can be made of them.
    """
    told: dict[tuple[str, _Target], dict[Series, float]] = {}
    broken: dict[tuple[str, _Target], str] = {}
    nameless = False
    for labels, number in vector:
        name = labels.get("__name__", "")
        own = own_labels(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
        if own is None:
            continue
        if not labels.get(pod_label):
            nameless = True
            continue
        target = (labels[pod_label], frozenset(_foreign(labels, own)))
        found = told.setdefault(target, {})
        try:
            _add(found, name, {label: labels[label] for label in own if label in labels}, number)
        except InvalidEvidence as error:
            broken.setdefault(target, str(error))
    pods = _newest({target: found for target, found in told.items() if target not in broken}, broken)
    if not pods and (nameless or broken):
        why = next(iter(broken.values()), f"expected the label {pod_label} (prometheus.podLabel) at a gateway's series")
        raise InvalidAnswer(why)
    return pods


def _foreign(labels: Labels, own: Iterable[str]) -> Iterable[tuple[str, str]]:
    """The labels that tell where a series was read."""
    return ((label, value) for label, value in labels.items() if label not in own and label != "__name__")


def _add(found: dict[Series, float], name: str, labels: dict[str, str], number: str) -> None:
    short = name.removeprefix(PREFIX)
    if short == "rejected":
        # The words of a rejection are for the operator alone: a pod does not tell them to Prometheus.
        labels.setdefault("message", "")
    series = make_series(short, labels, name)
    if series in found:
        raise InvalidEvidence(f"expected each series once, got another {quote(name)}")
    found[series] = read_number(series, number, name)


def _newest(
    told: Mapping[tuple[str, _Target], Mapping[Series, float]], broken: dict[tuple[str, _Target], str]
) -> dict[str, PodEvidence]:
    """The last word of each pod; whatever does not tell the time becomes one of the broken."""
    pods: dict[str, PodEvidence] = {}
    for target, found in told.items():
        try:
            evidence = assemble(found)
        except InvalidEvidence as error:
            broken[target] = str(error)
            continue
        known = pods.get(target[0])
        if known is None or evidence.is_after(known):
            pods[target[0]] = evidence
    return pods
