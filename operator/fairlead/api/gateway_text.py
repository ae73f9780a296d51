"""A gateway pod's own answer: Prometheus text."""

import re
from functools import lru_cache

from fairlead.api.gateway_evidence import InvalidEvidence, PodEvidence
from fairlead.api.gateway_series import PREFIX, Series, assemble, make_series, own_labels, quote, read_number

_HEAD_LIMIT = 1024
_REMEMBERED_HEADS = 16384
"""A pod's text differs from its last one in the numbers alone: what a line is about is parsed once."""
_HEAD = re.compile(rf"{PREFIX}([a-z_]+)(?:\{{(.*)\}})?")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)')
_ESCAPE = re.compile(r'\\([\\"n])')


def parse_evidence(body: bytes) -> PodEvidence:
    """A gateway pod's answer. InvalidEvidence, and nothing else, for any other bytes."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvidence(f"expected UTF-8: {error.reason} at byte {error.start}") from error
    found: dict[Series, float] = {}
    for line in text.split("\n"):
        if not line.startswith(PREFIX):
            continue
        head, _, number = line.rpartition(" ")
        series = _series(head)
        if series is None:
            continue
        if series in found:
            raise InvalidEvidence(f"expected each series once, got another {quote(head)}")
        found[series] = read_number(series, number, head)
    return assemble(found)


@lru_cache(maxsize=_REMEMBERED_HEADS)
def _series(head: str) -> Series | None:
    """What a line before its number is about; None for a series that we do not know."""
    match = _HEAD.fullmatch(head) if len(head) <= _HEAD_LIMIT else None
    if match is None:
        raise InvalidEvidence(f"expected a series, got {quote(head)}")
    if own_labels(match[1]) is None:
        return None
    return make_series(match[1], _labels(match[2] or "", head), head)


def _labels(text: str, head: str) -> dict[str, str]:
    """The labels between the braces, unescaped."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if match is None or match[1] in found:
            raise InvalidEvidence(f"expected labels, each once, in {quote(head)}")
        found[match[1]] = _ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], match[2])
        at = match.end()
    return found
